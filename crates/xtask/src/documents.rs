//! Checks that the files, directories and names in the documents exist. A document with an old name
//! misleads its reader, and no other check finds it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::command::Failure;
use crate::rule::Violation;
use crate::workspace::{read_dir, relative};

/// The ends of file names to check. The first is that of source files.
const ENDINGS: [&str; 5] = [".rs", ".md", ".json", ".py", "/"];
/// Documents that may name things that no longer exist.
const HISTORY: &str = "CHANGELOG.md";

/// Everything that a document can name.
struct Names {
    /// Files, and directories with a slash at the end, from the root.
    places: Vec<String>,
    /// The words of the sources.
    words: HashSet<String>,
}

/// The places where a document names something that does not exist.
pub(crate) fn astray(root: &Path) -> Result<Vec<Violation>, Failure> {
    let mut names = Names {
        places: Vec::new(),
        words: HashSet::new(),
    };
    let mut documents = Vec::new();
    for folder in ["crates", "apps", "benches", "fuzz", ".github"] {
        collect(root, &root.join(folder), &mut names, &mut documents)?;
    }
    for path in read_dir(root)?.iter().filter(|path| path.is_file()) {
        take(root, path, &mut names, &mut documents)?;
    }
    let found = documents.iter().flat_map(|(path, text)| {
        let lines = text.lines().enumerate();
        let wrong = lines.filter(|(_, line)| quoted(line).any(|it| !names.has(it)));
        wrong.map(move |(number, _)| Violation {
            place: format!("{path}:{}", number + 1),
            rule: "a document names only files and names of the code that are there",
        })
    });
    Ok(found.collect())
}

fn collect(
    root: &Path,
    folder: &Path,
    names: &mut Names,
    documents: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    // The results of a build.
    const BUILT: [&str; 3] = ["target", "corpus", "artifacts"];
    if !folder.is_dir() || BUILT.iter().any(|built| folder.ends_with(built)) {
        return Ok(());
    }
    names.places.push(format!("{}/", relative(root, folder)));
    for path in read_dir(folder)? {
        if path.is_dir() {
            collect(root, &path, names, documents)?;
        } else {
            take(root, &path, names, documents)?;
        }
    }
    Ok(())
}

fn take(
    root: &Path,
    path: &Path,
    names: &mut Names,
    documents: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    let place = relative(root, path);
    let is = |ending: &str| place.ends_with(ending);
    if is(".md") || is(".rs") || is(".toml") {
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| Failure(format!("{place}: {error}")))?;
        if !is(".md") {
            names.words.extend(words(&text).map(str::to_owned));
        } else if !is(HISTORY) {
            documents.push((place.clone(), text));
        }
    }
    names.places.push(place);
    Ok(())
}

impl Names {
    /// Whether a quoted name exists, as far as this tool can check.
    fn has(&self, quoted: &str) -> bool {
        let is_plain = |c: char| c.is_alphanumeric() || "_-./:{},*<>()".contains(c);
        if !quoted.chars().all(is_plain) {
            return true;
        }
        // A document may name a source file by its name alone, and other files only by a path,
        // because users' files have such names as well.
        let ends_with = |ending: &&str| quoted.ends_with(*ending);
        let is_place =
            ends_with(&ENDINGS[0]) || quoted.contains('/') && ENDINGS.iter().any(ends_with);
        if is_place && !quoted.starts_with(['.', '/']) && !quoted.contains(['*', '<', ':']) {
            return alternatives(quoted).iter().all(|it| self.has_place(it));
        }
        // `*` stands for any end of a word.
        !quoted.contains("::")
            || quoted.contains('*')
            || words(quoted).all(|word| self.words.contains(word))
    }

    /// Searches from the root, and from the directory that the document is about.
    fn has_place(&self, place: &str) -> bool {
        let inner = format!("/{place}");
        self.places
            .iter()
            .any(|known| known == place || known.ends_with(&inner))
    }
}

/// The texts in single backticks.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    let is_code = line.starts_with("    ") || line.starts_with("```");
    let parts = line.split('`').skip(1).step_by(2);
    parts.filter(move |part| !is_code && !part.is_empty())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    parts.filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// `a/{b,c}/d` as `a/b/d` and `a/c/d`.
fn alternatives(text: &str) -> Vec<String> {
    let parts = text
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (inside, after))) = parts else {
        return vec![text.to_owned()];
    };
    inside
        .split(',')
        .flat_map(|one| alternatives(&format!("{before}{one}{after}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_there() {
        let names = Names {
            places: ["crates/a/", "crates/a/src/b.rs", "crates/a/src/c.rs"]
                .map(str::to_owned)
                .into(),
            words: words("enum State { Open }").map(str::to_owned).collect(),
        };
        for there in [
            "crates/a/",
            "a/src/{b,c}.rs",
            "src/b.rs",
            "b.rs",
            "{b,c}.rs",
            "State::Open",
            "State::{Open}",
            "State::O*",
            "cargo test -p a/b.rs",
            "~/.config/x.rs",
            "/proc/net/",
            "Nothing",
        ] {
            assert!(names.has(there), "{there}");
        }
        for missing in [
            "a/src/{b,d}.rs",
            "crates/b/",
            "rc/b.rs",
            "d.rs",
            "State::Shut",
            "Stat::Open",
        ] {
            assert!(!names.has(missing), "{missing}");
        }
        let found: Vec<&str> = quoted("see `a` and `b::c`").collect();
        assert_eq!(found, ["a", "b::c"]);
        assert_eq!(quoted("    `a`").count(), 0);
    }
}

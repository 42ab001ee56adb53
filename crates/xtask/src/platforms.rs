//! Checks the directories with a file for each platform: all have the same form, and a page lists
//! them.

use crate::rule::{Source, Violation};

/// The words in an attribute that chooses a file by platform.
const WORDS: [&str; 3] = ["target_os", "unix", "windows"];
/// The platforms by which files and directories are named. `other.rs` is the default.
const NAMES: [&str; 14] = [
    "android",
    "bsd",
    "dragonfly",
    "freebsd",
    "illumos",
    "linux",
    "macos",
    "netbsd",
    "openbsd",
    "other",
    "picon",
    "solaris",
    "unix",
    "windows",
];

/// Directories with another form, or missing on the page about the architecture: whoever adds a
/// platform would forget them.
pub(crate) fn unlike(sources: &[Source], page: &str) -> Vec<Violation> {
    sources
        .iter()
        .flat_map(|source| {
            let mut found = chosen_otherwise(source);
            found.extend(unlisted(source, page));
            found
        })
        .collect()
}

fn unlisted(source: &Source, page: &str) -> Option<Violation> {
    let folder = source.path.strip_suffix("mod.rs")?;
    let folder = folder.strip_prefix("crates/").unwrap_or(folder);
    let has_platforms = source.lines.iter().any(|line| line == "mod platform;");
    (has_platforms && !page.contains(&format!("`{folder}`"))).then(|| Violation {
        place: source.path.clone(),
        rule: "ARCHITECTURE.md lists the directories that a platform owes; this one is missing",
    })
}

/// The modules of a file that choose a platform in another way.
fn chosen_otherwise(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut attributes: Vec<String> = Vec::new();
    let mut open = String::new();
    for (number, line) in source.lines.iter().enumerate() {
        if line.starts_with("#[") || !open.is_empty() {
            open.push_str(line.trim());
            if line.ends_with(']') {
                attributes.push(std::mem::take(&mut open));
            }
            continue;
        }
        let words = line.strip_prefix("pub ").unwrap_or(line);
        let module = words
            .strip_prefix("mod ")
            .and_then(|it| it.strip_suffix(';'));
        if let Some(module) = module
            && let Some(rule) = broken(module, &attributes)
        {
            found.push(Violation {
                place: format!("{}:{}", source.path, number + 1),
                rule,
            });
        }
        attributes.clear();
    }
    found
}

/// The rule that a module breaks, given its attributes.
fn broken(module: &str, attributes: &[String]) -> Option<&'static str> {
    let by_platform: Vec<&String> = attributes
        .iter()
        .filter(|attribute| WORDS.iter().any(|word| attribute.contains(word)))
        .collect();
    if by_platform.is_empty() || attributes.iter().any(|it| it.contains("test")) {
        return None;
    }
    let paths: Vec<&str> = attributes
        .iter()
        .filter_map(|attribute| attribute.split("path = \"").nth(1)?.split('"').next())
        .collect();
    if paths.is_empty() {
        // The module exists on some platforms only, and has no alternative.
        let is_one_of_several = NAMES.contains(&module) && module != "linux";
        return is_one_of_several.then_some(
            "`mod platform;` has a file for each platform, which `#[cfg_attr(…, path = …)]` chooses",
        );
    }
    let name = |path: &&str| -> String {
        let path = path.strip_suffix("/mod.rs").unwrap_or(path);
        path.strip_suffix(".rs").unwrap_or(path).to_owned()
    };
    let names: Vec<String> = paths.iter().map(name).collect();
    let is_one_way = attributes.iter().all(|it| it.starts_with("#[cfg_attr("));
    if module != "platform" || !is_one_way {
        Some("what a platform chooses is `mod platform;`, by `#[cfg_attr(…, path = …)]`")
    } else if !names.iter().any(|name| name == "other") {
        Some("an unknown system gets `other.rs`, and nothing made for another system")
    } else if !names.iter().all(|name| NAMES.contains(&name.as_str())) {
        Some("a platform's file has the name of the platform")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn directories_of_platforms_are_listed() {
        let sources = [source("crates/x/src/y/mod.rs", "mod platform;")];
        assert_eq!(unlike(&sources, "see `x/src/y/`"), []);
        assert_eq!(unlike(&sources, "see `x/src/z/`").len(), 1);
    }

    #[test]
    fn there_is_one_way_to_choose() {
        let is_right = |text: &str| chosen_otherwise(&source("a/mod.rs", text)).is_empty();
        let right = "#[cfg_attr(unix, path = \"unix/mod.rs\")]\n\
                     #[cfg_attr(\n    not(unix),\n    path = \"other.rs\"\n)]\nmod platform;";
        assert!(is_right(right));
        assert!(!is_right(&right.replace("platform", "system")));
        assert!(!is_right(&right.replace("other.rs", "windows.rs")));
        assert!(!is_right(&right.replace("unix/mod.rs", "plain.rs")));
        let two = "#[cfg(unix)]\n#[path = \"unix.rs\"]\nmod platform;";
        assert!(!is_right(two));
        assert!(!is_right("#[cfg(not(unix))]\nmod other;"));
        assert!(is_right("#[cfg(target_os = \"linux\")]\nmod netlink;"));
        assert!(is_right("#[cfg(test)]\n#[cfg(unix)]\nmod tests;"));
        assert!(is_right(
            "#[cfg_attr(target_arch = \"x86_64\", path = \"x.rs\")]\nmod processor;"
        ));
    }
}

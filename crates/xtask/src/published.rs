//! Checks what a crate needs before its publication, and tries to publish all crates.

use std::path::Path;
use std::process::{Command, Output};

use crate::command::{Failure, cargo, describe};
use crate::rule::{Source, Violation, is_code};
use crate::skipped::Skips;
use crate::workspace::{members, relative};

/// The files beside the manifest: the README, the changelog and the licences.
const FILES: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
/// The beginnings of manifest lines that crates.io and docs.rs show, or use for their builds.
const LINES: [&str; 10] = [
    "description = ",
    "version.workspace = ",
    "edition.workspace = ",
    "rust-version.workspace = ",
    "license.workspace = ",
    "repository.workspace = ",
    "readme = ",
    "keywords = ",
    "categories = ",
    "[package.metadata.docs.rs]",
];

/// The manifests and sources of published crates that lack something.
pub(crate) fn unready(root: &Path, sources: &[Source]) -> Result<Vec<Violation>, Failure> {
    let mut found = Vec::new();
    for member in members(root)? {
        let folder = relative(root, &member);
        let manifest = format!("{folder}/Cargo.toml");
        let Some(source) = sources.iter().find(|source| source.path == manifest) else {
            continue;
        };
        if !is_published(&source.lines) {
            continue;
        }
        let is_missing = |file: &&&str| !member.join(file).is_file();
        found.extend(FILES.iter().filter(is_missing).map(|file| Violation {
            place: format!("{folder}/{file}"),
            rule: "a crate that is published has this file (licences: a link to those of the root)",
        }));
        found.extend(lacking(source));
        let prefix = format!("{folder}/src/");
        let own = sources
            .iter()
            .filter(|source| source.path.starts_with(&prefix));
        found.extend(own.flat_map(|source| reaching_outside(source, &folder)));
    }
    Ok(found)
}

fn is_published(manifest: &[String]) -> bool {
    !manifest.iter().any(|line| line == "publish = false")
}

/// The lines that a manifest lacks.
fn lacking(manifest: &Source) -> impl Iterator<Item = Violation> {
    let has = |begin: &str| manifest.lines.iter().any(|line| line.starts_with(begin));
    let lacking = LINES.iter().filter(move |begin| !has(begin));
    lacking.map(|begin| Violation {
        place: format!("{}: `{}`", manifest.path, begin.trim_end_matches(" = ")),
        rule: "the manifest of a crate that is published says this",
    })
}

/// The files that a source includes from outside its crate: its package does not have them.
fn reaching_outside(source: &Source, folder: &str) -> Vec<Violation> {
    let inside = source.path[folder.len()..].matches('/').count() - 1;
    let lines = source.lines.iter().enumerate();
    let reaches = lines.filter(|(_, line)| {
        let paths = line.split(['"']).skip(1).step_by(2);
        is_code(line)
            && line.contains("include_")
            && paths
                .into_iter()
                .any(|path| path.matches("../").count() > inside)
    });
    let found = reaches.map(|(number, _)| Violation {
        place: format!("{}:{}", source.path, number + 1),
        rule: "a crate that is published includes only files of its own directory",
    });
    found.collect()
}

/// Makes the packages of all published crates, and has cargo check them as for a publication. It
/// does not compile them: a job of CI does that, which takes some minutes.
pub(crate) fn publish_on_trial(skips: &Skips) -> Result<(), Failure> {
    let mut publish = cargo(&[
        "publish",
        "--workspace",
        "--dry-run",
        "--no-verify",
        "--allow-dirty",
        "--locked",
    ]);
    let output = output(&mut publish)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let packages = errors.lines().filter(|line| line.contains("Packaged "));
        println!("{} packages", packages.count());
        return Ok(());
    }
    if is_offline(&errors) {
        let reason = "the index of crates.io cannot be reached";
        return skips.add("xtask test::packages", reason);
    }
    eprint!("{errors}");
    let text = describe(&publish);
    Err(Failure(format!("`{text}` failed ({})", output.status)))
}

fn output(command: &mut Command) -> Result<Output, Failure> {
    let text = describe(command);
    println!("$ {text}");
    let failed = |error| Failure(format!("`{text}` could not be started: {error}"));
    command.output().map_err(failed)
}

/// Whether cargo failed for lack of a network, by its own messages and those of curl.
fn is_offline(errors: &str) -> bool {
    let words = [
        "failed to download",
        "failed to fetch",
        "network failure",
        "but --offline was specified",
    ];
    words.iter().any(|word| errors.contains(word))
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
    fn a_manifest_says_all() {
        let whole = LINES.map(|begin| format!("{begin}x")).join("\n");
        let found = |text: &str| lacking(&source("crates/a/Cargo.toml", text)).count();
        assert_eq!(found(&whole), 0);
        assert_eq!(found(&whole.replace("keywords", "# keywords")), 1);
        assert!(is_published(&source("a", &whole).lines));
        assert!(!is_published(&source("a", "publish = false").lines));
    }

    #[test]
    fn packages_have_what_their_sources_include() {
        let outside =
            |path: &str, text: &str| !reaching_outside(&source(path, text), "crates/a").is_empty();
        let line = "#[doc = include_str!(\"../README.md\")]";
        assert!(!outside("crates/a/src/lib.rs", line));
        assert!(outside("crates/a/src/lib.rs", &line.replace("..", "../..")));
        assert!(!outside(
            "crates/a/src/b/mod.rs",
            &line.replace("..", "../..")
        ));
        assert!(outside(
            "crates/a/src/b/mod.rs",
            &line.replace("..", "../../..")
        ));
    }

    #[test]
    fn a_missing_network_is_no_failure() {
        assert!(is_offline(
            "failed to download from `https://index.crates.io/config.json`"
        ));
        assert!(!is_offline(
            "error: 3 files in the working directory contain changes"
        ));
    }
}

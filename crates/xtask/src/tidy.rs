//! `cargo xtask tidy`: the layout rules, most of them absences. Each reads the
//! sources as text; what it cannot see, reviewers can.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, root};

/// Lines a file may have before its tests.
const MAX_LINES: usize = 600;

/// A source file, cut where its tests begin.
struct Source {
    path: String,
    lines: Vec<String>,
}

/// A line that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    place: String,
    rule: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.rule)
    }
}

/// A word that some files must not have.
struct Absence {
    rule: &'static str,
    words: &'static [&'static str],
    applies: fn(&str) -> bool,
}

const ABSENCES: [Absence; 6] = [
    Absence {
        rule: "capture, flows and attribution know neither each other nor core",
        words: &[
            "flowner_capture",
            "flowner_flows",
            "flowner_attribution",
            "flowner_core",
        ],
        applies: |path| sibling(path).is_some(),
    },
    Absence {
        rule: "the apps know core only",
        words: &[
            "flowner_capture::",
            "flowner_flows::",
            "flowner_attribution::",
        ],
        applies: |path| path.starts_with("apps/"),
    },
    Absence {
        rule: "libraries do not print; use `tracing`",
        words: &["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("],
        applies: |path| path.starts_with("crates/") && !path.starts_with("crates/xtask/"),
    },
    Absence {
        rule: "no clock here: time comes in as an argument",
        words: &["Instant::now", "SystemTime::now", ".elapsed()"],
        applies: is_without_clock,
    },
    Absence {
        rule: "the platform is chosen once, by a module, not inside a function",
        words: &[
            "    #[cfg(target_os",
            "    #[cfg(unix)]",
            "    #[cfg(windows)]",
            "cfg!(",
        ],
        applies: |path| !path.starts_with("crates/xtask/src/tidy.rs"),
    },
    Absence {
        rule: "nothing unfinished is left behind",
        words: &["todo!(", "unimplemented!(", "FIXME", "XXX"],
        applies: |path| path != "crates/xtask/src/tidy.rs",
    },
];

/// The crate of a file that must not know its siblings.
fn sibling(path: &str) -> Option<&'static str> {
    ["capture", "flows", "attribution"]
        .into_iter()
        .find(|name| path.starts_with(&format!("crates/{name}/src/")))
}

fn is_without_clock(path: &str) -> bool {
    let pure = [
        "crates/flows/src/",
        "crates/capture/src/decode/",
        "crates/attribution/src/policy/",
        "crates/attribution/src/matching.rs",
    ];
    let in_core = path.starts_with("crates/core/src/") && path != "crates/core/src/monitor.rs";
    in_core || pure.iter().any(|prefix| path.starts_with(prefix))
}

/// Checks every rule.
pub(crate) fn check() -> Result<(), Failure> {
    let sources = sources(&root())?;
    let mut violations: Vec<Violation> = sources.iter().flat_map(violations).collect();
    violations.extend(manifests(&root())?);
    if violations.is_empty() {
        println!("layout: {} files, nothing to mend", sources.len());
        return Ok(());
    }
    for violation in &violations {
        println!("{violation}");
    }
    Err(Failure(format!(
        "{} places break a layout rule",
        violations.len()
    )))
}

fn violations(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for absence in ABSENCES
        .iter()
        .filter(|absence| (absence.applies)(&source.path))
    {
        for (number, line) in source.lines.iter().enumerate() {
            if is_broken_by(absence, &source.path, line) {
                found.push(Violation {
                    place: format!("{}:{}", source.path, number + 1),
                    rule: absence.rule,
                });
            }
        }
    }
    if source.lines.len() > MAX_LINES {
        found.push(Violation {
            place: source.path.clone(),
            rule: "more than 600 lines before the tests: is it about one thing?",
        });
    }
    found
}

fn is_broken_by(absence: &Absence, path: &str, line: &str) -> bool {
    // Comments and examples in them may say anything.
    if line.trim_start().starts_with("//") {
        return false;
    }
    let own = sibling(path).map(|name| format!("flowner_{name}"));
    absence
        .words
        .iter()
        .filter(|word| own.as_deref() != Some(**word))
        .any(|word| line.contains(word))
}

/// Each member has a README, and a library depends on no other but core on all.
fn manifests(root: &Path) -> Result<Vec<Violation>, Failure> {
    let mut found = Vec::new();
    for folder in ["crates", "apps"] {
        for member in read_dir(&root.join(folder))?
            .into_iter()
            .filter(|path| path.is_dir())
        {
            let name = format!("{folder}/{}", name_of(&member));
            let manifest = read(&member.join("Cargo.toml"))?;
            if !member.join("README.md").is_file() && !manifest.contains("publish = false") {
                found.push(Violation {
                    place: name.clone(),
                    rule: "a crate has a README.md",
                });
            }
            let is_library = sibling(&format!("{name}/src/")).is_some();
            if is_library && depends_on_house(&manifest) {
                found.push(Violation {
                    place: format!("{name}/Cargo.toml"),
                    rule: "capture, flows and attribution depend neither on each other nor on core",
                });
            }
        }
    }
    Ok(found)
}

fn depends_on_house(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1);
    lines
        .by_ref()
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.starts_with("flowner-"))
}

/// The sources of libraries and apps, without tests, examples and benchmarks.
fn sources(root: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for folder in ["crates", "apps"] {
        for member in read_dir(&root.join(folder))? {
            collect(root, &member.join("src"), &mut sources)?;
        }
    }
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    for path in read_dir(folder)? {
        let name = name_of(&path);
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            sources.push(Source {
                path: relative.to_string_lossy().replace('\\', "/"),
                lines: before_tests(&read(&path)?),
            });
        }
    }
    Ok(())
}

/// The lines up to an inline module of tests, which stands last.
fn before_tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    let lines = &lines[..tests.unwrap_or(lines.len())];
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// The entries of a folder, in order.
fn read_dir(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure(format!("{}: {error}", path.display()));
    let entries = fs::read_dir(path).map_err(failed)?;
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_tidy() {
        check().unwrap();
    }

    #[track_caller]
    fn check_line(path: &str, text: &str, expected: &[usize]) {
        let source = Source {
            path: path.to_owned(),
            lines: before_tests(text),
        };
        let found: Vec<String> = violations(&source).into_iter().map(|v| v.place).collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|line| format!("{path}:{line}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_rule_can_be_broken() {
        let flows = "crates/flows/src/a.rs";
        check_line(flows, "use std::fmt;\nuse flowner_capture::Headers;", &[2]);
        check_line(flows, "use flowner_flows::Flow;", &[]);
        check_line("apps/cli/src/a.rs", "use flowner_flows::Flow;", &[1]);
        check_line("apps/cli/src/a.rs", "use flowner_core::flows::Flow;", &[]);
        check_line(flows, "    println!(\"x\");", &[1]);
        check_line("crates/xtask/src/a.rs", "    println!(\"x\");", &[]);
        check_line(flows, "let now = Instant::now();", &[1]);
        check_line("crates/core/src/ledger.rs", "SystemTime::now()", &[1]);
        check_line("crates/core/src/monitor.rs", "SystemTime::now()", &[]);
        check_line(
            "crates/core/src/a.rs",
            "    #[cfg(target_os = \"linux\")]",
            &[1],
        );
        check_line("crates/core/src/a.rs", "#[cfg(target_os = \"linux\")]", &[]);
        check_line("crates/core/src/a.rs", "    todo!()", &[1]);
    }

    #[test]
    fn comments_and_tests_may_do_as_they_like() {
        let flows = "crates/flows/src/a.rs";
        check_line(flows, "/// println!(\"x\");", &[]);
        check_line(
            flows,
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    println!(\"x\");\n}",
            &[],
        );
        check_line(flows, "#[cfg(test)]\nmod tests;\nprintln!(\"x\");", &[3]);
    }

    #[test]
    fn dependencies_on_the_house_are_found() {
        assert!(depends_on_house("[dependencies]\nflowner-flows = 1"));
        assert!(!depends_on_house(
            "[dependencies]\n\n[dev-dependencies]\nflowner-flows = 1"
        ));
    }
}

//! `cargo xtask tidy`: checks the layout rules. Most of them forbid something. Each rule reads the
//! sources as text; reviewers find what it misses.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, root};
use crate::complete::incomplete;
use crate::documents;
use crate::floors;
use crate::platforms;
use crate::published;
use crate::rule::{Source, Violation, is_code};
use crate::workspace::{members, read_dir, relative};

/// The number of lines that a file may have before its tests.
const MAX_LINES: usize = 500;

/// Files that were longer when the limit was set, with the lines that each may have. A number here
/// may only become less. A file that keeps the limit leaves the list.
const LONG: [(&str, usize); 4] = [
    ("crates/attribution/src/tables/linux/fd_scanner/mod.rs", 570),
    ("crates/attribution/src/tables/linux/namespaces/mod.rs", 550),
    ("crates/core/src/engine/ledger.rs", 570),
    ("crates/icons/src/catalog.rs", 540),
];

/// A word that some files must not have, on certain lines.
struct Absence {
    rule: &'static str,
    words: &'static [&'static str],
    lines: fn(&str) -> bool,
    applies: fn(&str) -> bool,
}

/// The only table of how long evidence is valid.
const FRESHNESS: &str = "crates/attribution/src/policy/freshness.rs";

/// The names of times that bound work, not evidence: budgets, waits and deadlines.
const WORK: [&str; 21] = [
    "AT_MOST",
    "BUDGET",
    "DEADLINE",
    "FINISH",
    "FIRST_REOPEN",
    "FIRST_RETRY",
    "GATHER",
    "IDLE",
    "IDLE_BUDGET",
    "LAST_REOPEN",
    "LAST_RETRY",
    "LIST_PATIENCE",
    "LONG",
    "PATIENCE",
    "PATIENCE_PORTLESS",
    "REST",
    "REST_AFTER",
    "SEARCH_DEADLINE",
    "SOON",
    "WAKING",
    "WAKING_PORTLESS",
];

/// Whether a line, by its name, bounds something other than work.
fn is_limit_of_belief(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches("pub(crate) ");
    let rest = rest.trim_start_matches("pub(super) ");
    let name = rest
        .strip_prefix("const ")
        .and_then(|rest| rest.split_once(':'));
    name.is_some_and(|(name, _)| !WORK.contains(&name))
}

const ABSENCES: [Absence; 7] = [
    Absence {
        rule: "capture, flows, attribution and icons know neither each other nor core",
        words: &[
            "flowner_capture",
            "flowner_flows",
            "flowner_attribution",
            "flowner_icons",
            "flowner_core",
            "flowner-capture",
            "flowner-flows",
            "flowner-attribution",
            "flowner-icons",
            "flowner-core",
        ],
        lines: is_code,
        applies: |path| sibling(path).is_some(),
    },
    Absence {
        rule: "the apps know core only",
        words: &[
            "flowner_capture",
            "flowner_flows",
            "flowner_attribution",
            "flowner_icons",
            "flowner-capture",
            "flowner-flows",
            "flowner-attribution",
            "flowner-icons",
        ],
        lines: is_code,
        applies: |path| path.starts_with("apps/"),
    },
    Absence {
        rule: "libraries do not print; use `tracing`",
        words: &["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!("],
        lines: is_code,
        applies: |path| {
            let may = ["crates/xtask/", "crates/testing/"];
            path.starts_with("crates/") && !may.iter().any(|prefix| path.starts_with(prefix))
        },
    },
    Absence {
        rule: "no clock here: time comes in as an argument",
        words: &["Instant::now", "SystemTime::now", ".elapsed()"],
        lines: is_code,
        applies: is_without_clock,
    },
    Absence {
        rule: "the platform is chosen once, by a module, not inside a function",
        words: &["target_os", "target_family", "unix", "windows"],
        // Attributes of whole items are not indented.
        lines: |line| {
            let is_inner =
                line.contains("cfg!(") || line.starts_with(' ') && line.contains("#[cfg(");
            is_inner && is_code(line)
        },
        applies: |path| path != "crates/xtask/src/tidy.rs",
    },
    Absence {
        rule: "how long evidence counts stands in policy/freshness.rs; what bounds work has a name of \
               `WORK` in crates/xtask/src/tidy.rs",
        words: &[": Duration = "],
        lines: is_limit_of_belief,
        applies: |path| path.starts_with("crates/attribution/src/") && path != FRESHNESS,
    },
    Absence {
        rule: "nothing unfinished is left behind",
        words: &["todo!(", "unimplemented!(", "FIXME", "XXX"],
        lines: |_| true,
        applies: |path| path != "crates/xtask/src/tidy.rs",
    },
];

/// The crate of a file that must not know its siblings.
fn sibling(path: &str) -> Option<&'static str> {
    ["capture", "flows", "attribution", "icons", "names"]
        .into_iter()
        .find(|name| path.starts_with(&format!("crates/{name}/")))
}

fn is_without_clock(path: &str) -> bool {
    let pure = [
        "crates/flows/src/",
        "crates/capture/src/decode/",
        "crates/attribution/src/policy/",
        "crates/attribution/src/answer/",
        "crates/names/src/wire/",
        "crates/names/src/reader/",
        "crates/names/src/table/",
        "crates/names/src/reader.rs",
        "crates/names/src/table.rs",
        "crates/names/src/reverse/queue.rs",
    ];
    let with_clock = [
        "crates/core/src/monitor/",
        "crates/core/src/sinks/record/writer.rs",
    ];
    let in_core = path.starts_with("crates/core/src/")
        && !with_clock.iter().any(|prefix| path.starts_with(prefix));
    in_core || pure.iter().any(|prefix| path.starts_with(prefix))
}

/// Checks every rule.
pub(crate) fn check() -> Result<(), Failure> {
    let sources = sources(&root())?;
    let mut violations: Vec<Violation> = sources.iter().flat_map(violations).collect();
    violations.extend(no_longer_long(&sources));
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|error| Failure(format!("ARCHITECTURE.md: {error}")))?;
    violations.extend(platforms::unlike(&sources, &architecture));
    violations.extend(documents::astray(&root())?);
    violations.extend(published::unready(&root(), &sources)?);
    violations.extend(without_readme(&root())?);
    violations.extend(unlisted_skips(&root())?);
    for member in members(&root())? {
        let broken = floors::broken(&root(), &member)?.into_iter();
        violations.extend(broken.map(|(place, rule)| Violation { place, rule }));
    }
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
    found.extend(incomplete(&source.lines).into_iter().map(|list| Violation {
        place: format!("{}:{}", source.path, list.line),
        rule: "`ALL` lists every variant of its enum, each once",
    }));
    let listed = LONG.iter().find(|(path, _)| *path == source.path);
    let limit = listed.map_or(MAX_LINES, |(_, limit)| *limit);
    if source.lines.len() > limit {
        found.push(Violation {
            place: format!("{}:{}", source.path, limit + 1),
            rule: "more than 500 lines before the tests, or than `LONG` allows it: is it about one \
                   thing?",
        });
    }
    found
}

/// Files listed in [`LONG`] that keep the limit or do not exist.
fn no_longer_long(sources: &[Source]) -> impl Iterator<Item = Violation> {
    let is_long = |path: &str| {
        let mut sources = sources.iter();
        sources.any(|source| source.path == path && source.lines.len() > MAX_LINES)
    };
    let short = LONG.iter().filter(move |(path, _)| !is_long(path));
    short.map(|(path, _)| Violation {
        place: (*path).to_owned(),
        rule: "not long any more: take it out of `LONG` in crates/xtask/src/tidy.rs",
    })
}

fn is_broken_by(absence: &Absence, path: &str, line: &str) -> bool {
    let is_own = |word: &str| sibling(path).is_some_and(|own| word.ends_with(own));
    (absence.lines)(line)
        && absence
            .words
            .iter()
            .any(|word| line.contains(word) && !is_own(word))
}

/// Tests that report by themselves that they do not run: the harness hides that if they pass.
fn unlisted_skips(root: &Path) -> Result<Vec<Violation>, Failure> {
    // The mark itself; this rule; and a program, whose tests list its messages.
    const MAY: [&str; 3] = [
        "crates/testing/",
        "crates/xtask/src/tidy.rs",
        "benches/src/bin/",
    ];
    let mut files = Vec::new();
    for member in members(root)? {
        for folder in ["src", "tests", "benches", "examples"] {
            collect_all(root, &member.join(folder), &mut files)?;
        }
    }
    files.retain(|file| !MAY.iter().any(|prefix| file.path.starts_with(prefix)));
    Ok(files.iter().flat_map(skips).collect())
}

fn skips(file: &Source) -> Vec<Violation> {
    let lines = file.lines.iter().enumerate();
    let lines = lines.filter(|(_, line)| is_code(line) && line.contains("SKIPPED"));
    lines
        .map(|(number, _)| Violation {
            place: format!("{}:{}", file.path, number + 1),
            rule: "a test that cannot run says so with `flowner_testing::skipped!`",
        })
        .collect()
}

/// The crates without a description of themselves.
fn without_readme(root: &Path) -> Result<Vec<Violation>, Failure> {
    let without = |member: &PathBuf| !member.join("README.md").is_file();
    let found = members(root)?.into_iter().filter(without);
    Ok(found
        .map(|member| Violation {
            place: relative(root, &member),
            rule: "a crate has a README.md",
        })
        .collect())
}

/// The manifests of all crates and their sources, without tests, examples and
/// benchmarks.
fn sources(root: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for member in members(root)? {
        sources.push(source(root, &member.join("Cargo.toml"))?);
        collect(root, &member.join("src"), &mut sources)?;
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
            sources.push(source(root, &path)?);
        }
    }
    Ok(())
}

/// As [`collect`], with the tests.
fn collect_all(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    if !folder.is_dir() {
        return Ok(());
    }
    for path in read_dir(folder)? {
        if path.is_dir() {
            collect_all(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(Source {
                path: relative(root, &path),
                lines: read(&path)?.lines().map(str::to_owned).collect(),
            });
        }
    }
    Ok(())
}

fn source(root: &Path, path: &Path) -> Result<Source, Failure> {
    Ok(Source {
        path: relative(root, path),
        lines: before_tests(&read(path)?),
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// The lines before an inline module of tests, which comes last.
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
        check_line(
            "crates/core/src/engine/ledger.rs",
            "SystemTime::now()",
            &[1],
        );
        check_line("crates/core/src/monitor/mod.rs", "SystemTime::now()", &[]);
        check_line("crates/capture/src/decode/ip.rs", "SystemTime::now()", &[1]);
        check_line("crates/attribution/src/policy/mod.rs", "at.elapsed()", &[1]);
        check_line(
            "crates/attribution/src/answer/matching.rs",
            "at.elapsed()",
            &[1],
        );
        let limit = "    pub(crate) const AGE: Duration = Duration::from_secs(1);";
        check_line("crates/attribution/src/tables/a.rs", limit, &[1]);
        check_line(FRESHNESS, limit, &[]);
        let budget = "const BUDGET: Duration = Duration::from_secs(1);";
        check_line("crates/attribution/src/tables/a.rs", budget, &[]);
        check_line(
            "crates/attribution/src/resolver/attributor.rs",
            "at.elapsed()",
            &[],
        );
        for word in ["todo!()", "unimplemented!()", "// FIXME", "a // XXX"] {
            check_line("crates/core/src/a.rs", word, &[1]);
        }
    }

    #[test]
    fn platforms_are_chosen_by_modules() {
        let path = "crates/core/src/a.rs";
        check_line(path, "    #[cfg(target_os = \"linux\")]", &[1]);
        check_line(path, "    #[cfg(not(unix))]", &[1]);
        check_line(path, "if cfg!(windows) {", &[1]);
        check_line(path, "#[cfg(target_os = \"linux\")]", &[]);
        check_line(path, "    #[cfg(feature = \"serde\")]", &[]);
    }

    #[test]
    fn manifests_name_no_sibling() {
        let flows = "crates/flows/Cargo.toml";
        let text = "[package]\nname = \"flowner-flows\"\n# as flowner-core\n[dependencies]\n";
        check_line(flows, text, &[]);
        check_line(flows, &format!("{text}flowner-core.workspace = true"), &[5]);
        check_line(
            flows,
            &format!("{text}[dependencies.flowner-capture]"),
            &[5],
        );
        check_line(
            "crates/core/Cargo.toml",
            "flowner-flows.workspace = true",
            &[],
        );
        check_line(
            "apps/cli/Cargo.toml",
            "flowner-flows.workspace = true",
            &[1],
        );
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
    fn hidden_skips_are_found() {
        let file = |text: &str| Source {
            path: "crates/core/tests/a.rs".to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
        };
        let found = skips(&file(
            "#[cfg(test)]\nmod tests {\n    eprintln!(\"SKIPPED: x\");\n}",
        ));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/core/tests/a.rs:3");
        let listed = "    flowner_testing::skipped!(\"x\");\n    // SKIPPED";
        assert_eq!(skips(&file(listed)), []);
    }

    #[test]
    fn long_files_are_found() {
        let path = "crates/flows/src/a.rs";
        check_line(path, &"a\n".repeat(MAX_LINES), &[]);
        check_line(path, &"a\n".repeat(MAX_LINES + 1), &[MAX_LINES + 1]);
    }

    #[test]
    fn crates_without_readme_are_found() {
        let root = std::env::temp_dir().join(format!("xtask-tidy-{}", std::process::id()));
        for folder in ["crates/with", "crates/without", "apps", "benches"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for folder in ["crates/with", "benches"] {
            fs::write(root.join(folder).join("README.md"), "").unwrap();
        }
        let found = without_readme(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let places: Vec<&str> = found.iter().map(|v| v.place.as_str()).collect();
        assert_eq!(places, ["crates/without"]);
    }
}

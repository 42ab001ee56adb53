//! What the tests of all crates share: [`skipped!`] tells that a test, or a part of it, cannot
//! run here. `cargo xtask test` reads what they told with [`read`]. [`namespace`] runs a test in a
//! network namespace of its own. [`wait_until`] and [`wait_for`] wait, with a deadline. [`mmdb`] writes
//! databases of countries, and [`resolver`] answers reverse lookups.

pub mod mmdb;
pub mod namespace;
pub mod resolver;
mod waiting;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

pub use waiting::{wait_for, wait_until};

/// The environment variable with the file to which each skip is appended. Child processes inherit
/// it, so that a test may run again in its own namespace and skip there.
pub const LIST: &str = "FLOWNER_SKIPPED_LIST";

/// What a test's message contains if it saw a wrong owner. `cargo xtask test` repeats other failures.
pub const WRONG_OWNER: &str = "wrong owner";

/// The prefix of a line that reports a skip.
const MARK: &str = "SKIPPED: ";

/// Reports that the test of this thread, or the rest of it, does not run here, and why. The
/// arguments are those of [`format!`]. It does not return from the test.
#[macro_export]
macro_rules! skipped {
    ($($reason:tt)+) => {
        $crate::note(::std::format_args!($($reason)+))
    };
}

/// A test that did not run, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Skipped {
    /// Why: one line.
    pub reason: String,
    /// The package, the file of tests, and the test, as `flowner-core owners::a_test`.
    pub test: String,
}

impl Skipped {
    /// A skip outside of the test harness.
    pub fn new(test: &str, reason: &str) -> Self {
        Self {
            reason: one_line(reason),
            test: one_line(test),
        }
    }

    fn line(&self) -> String {
        format!("{}\t{}\n", self.test, self.reason)
    }

    fn parse(line: &str) -> Option<Self> {
        let (test, reason) = line.split_once('\t')?;
        Some(Self::new(test, reason))
    }
}

/// [`skipped!`] calls this.
///
/// # Panics
///
/// If [`LIST`] names a file that cannot be written: a skip that no one can read is a failure.
pub fn note(reason: fmt::Arguments<'_>) {
    let skipped = Skipped::new(&current_test(), &reason.to_string());
    eprintln!("{MARK}{}", skipped.reason);
    let Some(path) = std::env::var_os(LIST) else {
        return;
    };
    if let Err(error) = append(Path::new(&path), &skipped) {
        panic!("{LIST}={}: {error}", path.display());
    }
}

/// Records the skips of a child process as skips of this thread's test. Start the child without
/// [`LIST`]; otherwise its skips are listed under its own name as well.
pub fn relay(output: &str) {
    for reason in output.lines().filter_map(|line| line.strip_prefix(MARK)) {
        note(format_args!("{reason}"));
    }
}

/// Appends a skip to a list.
///
/// # Errors
///
/// If the file cannot be opened or written.
pub fn append(list: &Path, skipped: &Skipped) -> io::Result<()> {
    // This opens an existing file without `O_CREAT`: Linux refuses that to root for another user's
    // file in a directory such as /tmp (fs.protected_regular).
    let mut options = OpenOptions::new();
    let opened = match options.append(true).open(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => options.create(true).open(list),
        opened => opened,
    };
    let mut file: File = opened?;
    // One write: tests of several threads and processes append at the same time.
    file.write_all(skipped.line().as_bytes())
}

/// The skips of a list, each once, sorted by reason. A missing file is an empty list.
///
/// # Errors
///
/// If the file exists and cannot be read.
pub fn read(list: &Path) -> io::Result<Vec<Skipped>> {
    let text = match fs::read_to_string(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let mut all: Vec<Skipped> = text.lines().filter_map(Skipped::parse).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The package from Cargo, the program without the hash in its name, and the test.
fn current_test() -> String {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    let program = without_hash(&program);
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main");
    // With a single thread (--test-threads=1), the harness runs a test on the first thread.
    let from_arguments = || {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--exact");
        arguments.nth(1).filter(|name| !name.starts_with('-'))
    };
    let name = name.map(str::to_owned).or_else(from_arguments);
    let name = name.unwrap_or_else(|| "(a test that has no thread of its own)".to_owned());
    format!("{package} {program}::{name}")
}

/// Cargo appends `-` and 16 hexadecimal digits to the names of test programs.
fn without_hash(program: &str) -> &str {
    match program.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|c| c.is_ascii_hexdigit()) => {
            name
        }
        _ => program,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::path::PathBuf;

    use super::*;

    struct TempFile(PathBuf);

    impl TempFile {
        fn new(name: &str) -> Self {
            let name = format!("flowner-testing-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            let _may_be_absent = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_list_has_each_skip_once_by_reason() {
        let list = TempFile::new("list");
        assert_eq!(read(&list.0).unwrap(), []);
        let [a, b] = [Skipped::new("a b::c", "z\n  z"), Skipped::new("d", "y\ty")];
        for skipped in [&a, &b, &a] {
            append(&list.0, skipped).unwrap();
        }
        assert_eq!(read(&list.0).unwrap(), [b, a.clone()]);
        assert_eq!((a.test.as_str(), a.reason.as_str()), ("a b::c", "z z"));
    }

    #[test]
    fn many_threads_append_whole_lines() {
        let list = TempFile::new("threads");
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let list = &list.0;
                scope.spawn(move || {
                    for number in 0..50 {
                        let skipped = Skipped::new(&format!("{thread}"), &format!("{number}"));
                        append(list, &skipped).unwrap();
                    }
                });
            }
        });
        assert_eq!(read(&list.0).unwrap().len(), 8 * 50);
    }

    #[test]
    fn a_test_is_named_by_its_thread() {
        let name = current_test();
        let expected = "flowner_testing::tests::a_test_is_named_by_its_thread";
        assert!(name.ends_with(expected), "{name}");
    }

    #[test]
    fn only_hashes_are_cut_off() {
        assert_eq!(without_hash("owners-0123456789abcdef"), "owners");
        assert_eq!(without_hash("owners"), "owners");
        assert_eq!(without_hash("flowner-gui"), "flowner-gui");
        assert_eq!(without_hash("a-0123456789abcdeg"), "a-0123456789abcdeg");
    }
}

//! The program that another one is replaced by: the same file under another name.

/// What is added to the pid of a process that has become the other program: its messages are
/// not those of the program before.
pub(crate) const OTHER_PROGRAM: u32 = 1_000_000_000;
/// How the file of the other program ends.
pub(crate) const OTHER_SUFFIX: &str = "-other";

//! What a person recognises: many processes, one program.

use std::fmt;
use std::path::PathBuf;

use flowner_attribution::{Ownership, Process, Unit, User, Verdict};

/// A program: everything that runs the same executable.
///
/// Where the executable is not known, everything of the same name. An executable
/// that was replaced on disk keeps its path, so an upgrade does not split it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Program {
    /// The file name of the executable, else the name of the process.
    pub name: String,
    /// The executable.
    pub path: Option<PathBuf>,
}

impl Program {
    /// The program that a process runs.
    pub fn of(process: &Process) -> Self {
        let file_name = process.path.as_deref().and_then(|path| path.file_name());
        Self {
            name: file_name.map_or_else(
                || process.name.clone(),
                |name| name.to_string_lossy().into_owned(),
            ),
            path: process.path.clone(),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// To whom bytes are credited in a breakdown by program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// One program.
    Program(Program),
    /// Programs that hold the same sockets; sorted.
    Several(Vec<Program>),
    /// A process that cannot be seen, in this service, container or sandbox.
    Unit(Unit),
    /// A process that cannot be seen, of this user.
    User(User),
    /// Nobody that is known.
    Unattributed,
}

impl Party {
    /// Whom an owner stands for.
    pub fn of(owner: Option<&Ownership>) -> Self {
        match owner.map(|owner| &owner.verdict) {
            None | Some(Verdict::Unknown(_)) => Self::Unattributed,
            Some(Verdict::Process(process)) => Self::Program(Program::of(process)),
            Some(Verdict::Shared(processes)) => {
                let mut programs: Vec<_> = processes.iter().map(|p| Program::of(p)).collect();
                programs.sort();
                programs.dedup();
                match <[Program; 1]>::try_from(programs) {
                    Ok([program]) => Self::Program(program),
                    Err(programs) => Self::Several(programs),
                }
            }
            Some(Verdict::Partial { user, unit }) => match (unit, user) {
                (Some(unit), _) => Self::Unit(unit.clone()),
                (None, Some(user)) => Self::User(user.clone()),
                (None, None) => Self::Unattributed,
            },
        }
    }

    /// The programs that are named.
    pub fn programs(&self) -> &[Program] {
        match self {
            Self::Program(program) => std::slice::from_ref(program),
            Self::Several(programs) => programs,
            Self::Unit(_) | Self::User(_) | Self::Unattributed => &[],
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => program.fmt(f),
            Self::Several(programs) => {
                for (place, program) in programs.iter().enumerate() {
                    let separator = if place == 0 { "" } else { ", " };
                    write!(f, "{separator}{program}")?;
                }
                Ok(())
            }
            Self::Unit(unit) => unit.fmt(f),
            Self::User(user) => write!(f, "user {user}"),
            Self::Unattributed => f.write_str("unattributed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::SystemTime;

    use flowner_attribution::{Evidence, Source};

    fn process(pid: u32, path: &str) -> Arc<Process> {
        Arc::new(Process {
            path: Some(path.into()),
            ..Process::new(pid, "p")
        })
    }

    #[track_caller]
    fn check(verdict: Verdict, expected: &str) {
        let evidence = Evidence {
            matched: None,
            observed_at: SystemTime::UNIX_EPOCH,
            source: Source::None,
            namespace: None,
        };
        let owner = Ownership { verdict, evidence };
        assert_eq!(Party::of(Some(&owner)).to_string(), expected);
    }

    #[test]
    fn parties() {
        let (a, a2, b) = (
            process(1, "/bin/a"),
            process(2, "/bin/a"),
            process(3, "/bin/b"),
        );
        check(Verdict::Process(Arc::clone(&a)), "a");
        check(Verdict::Shared(vec![Arc::clone(&a), a2]), "a");
        check(Verdict::Shared(vec![b, a]), "a, b");
        let user = Some(User { id: 7, name: None });
        check(Verdict::Partial { user, unit: None }, "user uid 7");
        let unknown = Verdict::Unknown(flowner_attribution::Reason::Gone);
        check(unknown, "unattributed");
        assert_eq!(Party::of(None), Party::Unattributed);
    }
}

//! To whom bytes are credited.

use std::fmt;
use std::sync::Arc;

use flowner_attribution::{Ownership, Process, Source, Unit, User, Verdict};

use crate::programs::Program;

/// To whom bytes are credited in a breakdown by program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Party {
    /// One program.
    Program(Arc<Program>),
    /// Programs that hold the same sockets; sorted.
    Several(Vec<Arc<Program>>),
    /// A process that cannot be seen, in this service, container or sandbox.
    Unit(Unit),
    /// A process that cannot be seen, of this user.
    User(User),
    /// Nobody that is known.
    #[default]
    Unattributed,
}

impl Party {
    /// Whom an owner stands for, as far as its processes themselves tell.
    /// [`Programs::party`](crate::Programs::party) knows more.
    pub fn of(owner: Option<&Ownership>) -> Self {
        if let Some(owner) = owner.filter(|owner| owner.evidence.source == Source::Recorded) {
            return Self::recorded(&owner.verdict, Arc::new);
        }
        let program = |process: &Process| Arc::new(Program::of(process));
        Self::with(owner.map(|owner| &owner.verdict), program, |_| None)
    }

    /// Whom a verdict stands for that a file tells: nothing of it is looked for on this host.
    pub(crate) fn recorded(verdict: &Verdict, shared: impl Fn(Program) -> Arc<Program>) -> Self {
        let program = |process: &Process| shared(Program::recorded(process));
        Self::with(Some(verdict), program, |_| None)
    }

    /// Whom a verdict stands for, given the program of each process, and of a unit if it
    /// is of one program.
    pub(crate) fn with(
        verdict: Option<&Verdict>,
        program: impl Fn(&Process) -> Arc<Program>,
        program_of_unit: impl Fn(&Unit) -> Option<Arc<Program>>,
    ) -> Self {
        match verdict {
            None | Some(Verdict::Unknown(_)) => Self::Unattributed,
            Some(Verdict::Process(process)) => Self::Program(program(process)),
            Some(Verdict::Shared(processes)) => {
                let mut programs: Vec<_> = processes.iter().map(|p| program(p)).collect();
                programs.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
                programs.dedup();
                match <[Arc<Program>; 1]>::try_from(programs) {
                    Ok([program]) => Self::Program(program),
                    Err(programs) => Self::Several(programs),
                }
            }
            Some(Verdict::Partial { user, unit }) => match (unit, user) {
                (Some(unit), _) => match program_of_unit(unit) {
                    Some(program) => Self::Program(program),
                    None => Self::Unit(unit.clone()),
                },
                (None, Some(user)) => Self::User(user.clone()),
                (None, None) => Self::Unattributed,
            },
        }
    }

    /// The programs that are named.
    pub fn programs(&self) -> &[Arc<Program>] {
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

/// An owner, and whom it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) ownership: Ownership,
    pub(crate) party: Party,
}

impl From<Ownership> for Owner {
    fn from(ownership: Ownership) -> Self {
        Self {
            party: Party::of(Some(&ownership)),
            ownership,
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
            socket: None,
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

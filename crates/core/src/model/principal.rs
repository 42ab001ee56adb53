//! To whom bytes are credited.

use std::fmt;
use std::sync::Arc;

use flowner_attribution::{Ownership, Process, Unit, User, Verdict};

use super::program::Program;

/// To whom bytes are credited in a breakdown by program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Principal {
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

impl Principal {
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

impl fmt::Display for Principal {
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
            Self::Unattributed => f.write_str("unknown"),
        }
    }
}

/// An owner, and whom it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) ownership: Ownership,
    pub(crate) principal: Principal,
}

impl Owner {
    /// Where nobody is known, for the reason that the answer tells.
    pub(crate) const fn nobody(ownership: Ownership) -> Self {
        Self {
            ownership,
            principal: Principal::Unattributed,
        }
    }
}

//! The principal to which bytes are credited.

use std::fmt;
use std::sync::Arc;

use flowner_attribution::{Ownership, Process, Unit, User, Verdict};

use super::program::Program;

/// The principal to which a breakdown by program credits bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Principal {
    /// One program.
    Program(Arc<Program>),
    /// Programs that hold the same sockets; sorted.
    Several(Vec<Arc<Program>>),
    /// An unknown process in this service, container or sandbox.
    Unit(Unit),
    /// An unknown process of this user.
    User(User),
    /// The owner is unknown.
    #[default]
    Unattributed,
}

impl Principal {
    /// The principal of a verdict, given the program of each process, and of a unit if it belongs
    /// to one program.
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

    /// The named programs.
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

/// An owner with its principal.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) ownership: Ownership,
    pub(crate) principal: Principal,
}

impl Owner {
    /// An unknown owner, with the reason in the answer.
    pub(crate) const fn nobody(ownership: Ownership) -> Self {
        Self {
            ownership,
            principal: Principal::Unattributed,
        }
    }
}

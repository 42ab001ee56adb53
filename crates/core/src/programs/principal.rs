//! The principal of an owner.

use std::sync::Arc;

use flowner_attribution::{Ownership, Process, Source, Verdict};

use crate::model::flow::FlowRecord;
use crate::model::principal::{Owner, Principal};
use crate::model::program::Program;

impl Principal {
    /// The principal of an owner, by the facts of its processes themselves.
    /// [`Programs::principal`](super::Programs::principal) knows more.
    pub fn of(owner: Option<&Ownership>) -> Self {
        if let Some(owner) = owner.filter(|owner| owner.evidence.source == Source::Recorded) {
            return Self::recorded(&owner.verdict, Arc::new);
        }
        let program = |process: &Process| Arc::new(Program::of(process));
        Self::with(owner.map(|owner| &owner.verdict), program, |_| None)
    }

    /// The principal of a recorded verdict: this searches nothing on this host.
    pub(super) fn recorded(verdict: &Verdict, shared: impl Fn(Program) -> Arc<Program>) -> Self {
        let program = |process: &Process| shared(Program::recorded(process));
        Self::with(Some(verdict), program, |_| None)
    }
}

impl From<Ownership> for Owner {
    fn from(ownership: Ownership) -> Self {
        Self {
            principal: Principal::of(Some(&ownership)),
            ownership,
        }
    }
}

impl FlowRecord {
    /// The same flow with these owners and the principals of their processes; for records that are
    /// constructed, not counted.
    #[must_use]
    pub fn with_owners(self, owner: Option<Ownership>, remote_owner: Option<Ownership>) -> Self {
        Self {
            principal: Principal::of(owner.as_ref()),
            remote_principal: Principal::of(remote_owner.as_ref()),
            owner,
            remote_owner,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::SystemTime;

    use flowner_attribution::{Evidence, User};

    fn process(pid: u32, path: &str) -> Arc<Process> {
        Arc::new({
            let mut process = Process::new(pid, "p");
            process.path = Some(path.into());
            process
        })
    }

    #[track_caller]
    fn check(verdict: Verdict, expected: &str) {
        let evidence = Evidence::new(None, SystemTime::UNIX_EPOCH, Source::None);
        let owner = Ownership::new(verdict, evidence);
        assert_eq!(Principal::of(Some(&owner)).to_string(), expected);
    }

    #[test]
    fn principals() {
        let (a, a2, b) = (
            process(1, "/bin/a"),
            process(2, "/bin/a"),
            process(3, "/bin/b"),
        );
        check(Verdict::Process(Arc::clone(&a)), "a");
        check(Verdict::Shared(vec![Arc::clone(&a), a2]), "a");
        check(Verdict::Shared(vec![b, a]), "a, b");
        let user = Some(User::new(7, None));
        check(Verdict::Partial { user, unit: None }, "user uid 7");
        let unknown = Verdict::Unknown(flowner_attribution::Reason::Gone);
        check(unknown, "unknown");
        assert_eq!(Principal::of(None), Principal::Unattributed);
    }
}

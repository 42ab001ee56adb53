//! Owners and their parts.

use std::borrow::Cow;
use std::sync::Arc;

use flowner_attribution::{Match, NetworkNamespace, Ownership, Pod, Process, Unit, User, Verdict};
use serde::{Serialize, Serializer};

use super::value::{ReasonName, Text, Time};
use crate::model::principal::Principal;
use crate::model::program::Claim;

/// The owner of a flow's end.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct FlowOwner<'a> {
    verdict: &'static str,
    r#match: Option<&'static str>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Text<&'a NetworkNamespace>>,
    #[serde(flatten)]
    known: VerdictFields<'a>,
    #[serde(flatten)]
    program: OwnProgram<'a>,
}

impl<'a> FlowOwner<'a> {
    pub(super) fn new(ownership: &'a Ownership) -> Self {
        Self {
            verdict: ownership.verdict.name(),
            r#match: ownership.evidence.matched.map(Match::name),
            source: ownership.evidence.source.name(),
            namespace: ownership.evidence.namespace.as_deref().map(Text),
            known: VerdictFields::new(&ownership.verdict),
            program: OwnProgram::default(),
        }
    }

    /// With its principal.
    pub(super) fn with(mut self, principal: &'a Principal) -> Self {
        self.program = OwnProgram::of(principal);
        self
    }
}

/// The owner of a socket: it was listed, not looked for, so there is no match.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SocketOwner<'a> {
    verdict: &'static str,
    #[serde(flatten)]
    known: VerdictFields<'a>,
    #[serde(flatten)]
    program: OwnProgram<'a>,
}

impl<'a> SocketOwner<'a> {
    pub(super) fn new(verdict: &'a Verdict) -> Self {
        Self {
            verdict: verdict.name(),
            known: VerdictFields::new(verdict),
            program: OwnProgram::default(),
        }
    }

    /// With its principal.
    pub(super) fn with(mut self, principal: &'a Principal) -> Self {
        self.program = OwnProgram::of(principal);
        self
    }
}

/// The one program that an owner is.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OwnProgram<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_claimed_by: Option<&'static str>,
}

impl<'a> OwnProgram<'a> {
    fn of(principal: &'a Principal) -> Self {
        match principal {
            Principal::Program(program) => Self {
                program: Some(&program.name),
                program_id: Some(&program.id),
                program_claimed_by: program.claim.map(Claim::name),
            },
            _ => Self::default(),
        }
    }
}

/// What a verdict tells.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VerdictFields<'a> {
    #[serde(serialize_with = "processes")]
    #[cfg_attr(test, schemars(with = "Vec<ProcessObject<'_>>"))]
    processes: &'a [Arc<Process>],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ReasonName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Text<UserName<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<UnitObject<'a>>,
}

impl<'a> VerdictFields<'a> {
    fn new(verdict: &'a Verdict) -> Self {
        let (reason, user, unit) = match verdict {
            Verdict::Process(_) | Verdict::Shared(_) => (None, None, None),
            Verdict::Partial { user, unit } => (None, user.as_ref(), unit.as_ref()),
            Verdict::Unknown(reason) => (Some(ReasonName(*reason)), None, None),
        };
        Self {
            processes: verdict.processes(),
            reason,
            user: user.map(|user| Text(UserName(user))),
            unit: unit.map(UnitObject::new),
        }
    }
}

fn processes<S: Serializer>(processes: &[Arc<Process>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(processes.iter().map(|process| ProcessObject::new(process)))
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ProcessObject<'a> {
    pid: u32,
    name: &'a str,
    path: Option<Cow<'a, str>>,
    user: Option<Text<UserName<'a>>>,
    started: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<UnitObject<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    path_deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_state: Option<&'static str>,
}

impl<'a> ProcessObject<'a> {
    fn new(process: &'a Process) -> Self {
        let arguments = process.arguments.as_deref();
        Self {
            pid: process.pid,
            name: &process.name,
            path: process.path.as_deref().map(|path| path.to_string_lossy()),
            user: process.user.as_ref().map(|user| Text(UserName(user))),
            started: process.started.map(Time::at),
            parent: process.parent,
            arguments: arguments.map(|all| all.iter().map(|one| one.to_string_lossy()).collect()),
            unit: process.unit.as_ref().map(UnitObject::new),
            path_deleted: process.path_deleted,
            path_state: process.exe_state.remark().map(|_| process.exe_state.name()),
        }
    }
}

/// The name of a user, else the number.
#[derive(Debug, Clone, Copy)]
pub(super) struct UserName<'a>(pub(super) &'a User);

impl std::fmt::Display for UserName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0.name {
            Some(name) => f.write_str(name),
            None => self.0.id.fmt(f),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct UnitObject<'a> {
    kind: &'static str,
    name: &'a str,
    /// The user who has it: one below the service manager of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    /// What people call it, of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<PodObject<'static>>,
}

/// A pod of Kubernetes.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PodObject<'a> {
    namespace: Cow<'a, str>,
    name: Cow<'a, str>,
}

impl<'a> PodObject<'a> {
    pub(super) fn new(pod: &'a Pod) -> Self {
        Self {
            namespace: Cow::Borrowed(&pod.namespace),
            name: Cow::Borrowed(&pod.name),
        }
    }

    fn owned(pod: &Pod) -> PodObject<'static> {
        PodObject {
            namespace: Cow::Owned(pod.namespace.clone()),
            name: Cow::Owned(pod.name.clone()),
        }
    }
}

impl<'a> UnitObject<'a> {
    pub(super) fn new(unit: &'a Unit) -> Self {
        let container = unit.container();
        let container = container.as_deref();
        Self {
            kind: unit.kind.name(),
            name: &unit.name,
            uid: unit.user,
            container: container.and_then(|it| it.name.clone()),
            image: container.and_then(|it| it.image.clone()),
            pod: container
                .and_then(|it| it.pod.as_ref())
                .map(PodObject::owned),
        }
    }
}

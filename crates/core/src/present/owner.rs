//! Owners in a few words, and the reasons why an owner is unknown.

use flowner_attribution::{Ownership, Process, Reason, Socket, Verdict};

use super::{NOT_LOOKED_UP, PENDING, printable, printable_path};
use crate::model::principal::Principal;
use crate::query::sockets::is_time_wait;

/// The text in place of the owner of a [connection in TIME-WAIT](crate::is_time_wait): its process
/// closed it, and may still run.
const CLOSED: &str = "unknown: connection closed";

/// The text for an unknown owner, with the reason: `unknown: process exited`.
pub fn unknown(reason: Reason) -> String {
    format!("unknown: {}", reason.words())
}

/// An owner in a few words: `curl[4242]`, `nginx[7,8,9]`, `user ada`, `unknown: process exited`; with
/// the network namespace of its socket, if that is another one: `nginx[7] in web`.
pub fn owner(owner: Option<&Ownership>) -> String {
    let Some(owner) = owner else {
        return NOT_LOOKED_UP.to_owned();
    };
    let place = owner.evidence.namespace.as_ref();
    let place = place.map(|place| format!(" in {}", printable(&place.to_string())));
    verdict(&owner.verdict) + &place.unwrap_or_default()
}

/// As [`owner`].
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Process(process) => format!("{}[{}]", printable(&process.name), process.pid),
        Verdict::Shared(processes) => shared(processes.iter().map(AsRef::as_ref)),
        Verdict::Partial { user, unit } => match (unit, user) {
            (Some(unit), _) => printable(&unit.to_string()),
            (None, Some(user)) => printable(&format!("user {user}")),
            (None, None) => unknown(Reason::Denied),
        },
        Verdict::Unknown(reason) => unknown(*reason),
    }
}

/// As [`owner`], of a socket in a list.
pub fn socket_owner(socket: &Socket) -> String {
    if is_time_wait(socket) && socket.owner.reason() == Some(Reason::Gone) {
        CLOSED.to_owned()
    } else {
        verdict(&socket.owner)
    }
}

/// The program of an owner, or why the owner is unknown.
///
/// `is_pending`: whether the lookup of the owner has no answer yet.
pub fn principal(principal: &Principal, owner: Option<&Verdict>, is_pending: bool) -> String {
    match (principal, owner) {
        (Principal::Unattributed, Some(verdict)) => {
            unknown(verdict.reason().unwrap_or(Reason::Denied))
        }
        (Principal::Unattributed, None) if is_pending => PENDING.to_owned(),
        (Principal::Unattributed, None) => NOT_LOOKED_UP.to_owned(),
        (principal, _) => printable(&principal.to_string()),
    }
}

/// The path of a process's executable, with a remark if the path alone would mislead.
pub fn path(process: &Process) -> Option<String> {
    let path = printable_path(process.path.as_ref()?);
    let deleted = process
        .path_deleted
        .then_some("deleted or replaced since it started");
    Some(match process.exe_state.remark().or(deleted) {
        Some(remark) => format!("{path} ({remark})"),
        None => path,
    })
}

/// The pid of an owner, and the number of other pids: `4242`, `7 +2`; nothing if no pid is known.
pub fn pids(verdict: &Verdict) -> Option<String> {
    match verdict.processes() {
        [] => None,
        [only] => Some(only.pid.to_string()),
        [first, rest @ ..] => Some(format!("{} +{}", first.pid, rest.len())),
    }
}

/// The user of an owner, if known: the name, else the number.
pub fn user(verdict: &Verdict) -> Option<String> {
    verdict.user().map(|user| printable(&user.to_string()))
}

/// The service, container or sandbox of an owner, if known.
pub fn unit(verdict: &Verdict) -> Option<String> {
    verdict.unit().map(|unit| printable(&unit.to_string()))
}

/// `a[1,2], b[3]`: each name once.
fn shared<'a>(processes: impl Iterator<Item = &'a Process>) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for process in processes {
        match groups.iter_mut().find(|(name, _)| *name == process.name) {
            Some((_, pids)) => pids.push(process.pid.to_string()),
            None => groups.push((&process.name, vec![process.pid.to_string()])),
        }
    }
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(name, pids)| format!("{}[{}]", printable(name), pids.join(",")))
        .collect();
    groups.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowner_attribution::{Protocol, SocketState, Unit, UnitKind, User};

    use super::*;

    #[test]
    fn pids_in_a_few_characters() {
        let process = |pid| Arc::new(Process::new(pid, "a"));
        let text = |verdict| pids(&verdict).unwrap_or_default();
        assert_eq!(text(Verdict::Process(process(42))), "42");
        assert_eq!(
            text(Verdict::Shared([7, 8, 9].map(process).to_vec())),
            "7 +2"
        );
        assert_eq!(text(partial(None, None)), "");
    }

    fn partial(user: Option<User>, unit: Option<Unit>) -> Verdict {
        Verdict::Partial { user, unit }
    }

    #[test]
    fn shared_names_once() {
        let processes = [
            Process::new(1, "a"),
            Process::new(2, "b"),
            Process::new(3, "a"),
        ];
        assert_eq!(shared(processes.iter()), "a[1,3], b[2]");
    }

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\x1b[31mb\\n");
        let odd = Verdict::Process(Arc::new(Process::new(7, "a\u{202e}b")));
        assert_eq!(verdict(&odd), "a\\u{202e}b[7]");
    }

    #[test]
    fn an_unknown_owner_has_a_reason() {
        let ada = User::new(7, Some("ada".to_owned()));
        let ssh = Unit::new(UnitKind::Service, "ssh.service");
        assert_eq!(verdict(&partial(Some(ada.clone()), None)), "user ada");
        assert_eq!(
            verdict(&partial(Some(ada), Some(ssh))),
            "service ssh.service"
        );
        assert_eq!(verdict(&partial(None, None)), "unknown: not permitted");
        for reason in Reason::ALL {
            let told = verdict(&Verdict::Unknown(reason));
            assert_eq!(told, format!("unknown: {}", reason.words()));
            let nobody = Principal::Unattributed;
            let verdict = Verdict::Unknown(reason);
            assert_eq!(principal(&nobody, Some(&verdict), false), told);
        }
        assert_eq!(owner(None), NOT_LOOKED_UP);
    }

    #[test]
    fn nobody_says_that_the_process_of_a_closed_connection_has_exited() {
        let mut socket = Socket::new(
            Protocol::Tcp,
            "10.0.0.1:80".parse().unwrap(),
            Verdict::Unknown(Reason::Gone),
        );
        assert_eq!(socket_owner(&socket), "unknown: process exited");
        socket.state = Some(SocketState::TimeWait);
        assert_eq!(socket_owner(&socket), "unknown: connection closed");
        socket.owner = Verdict::Process(Arc::new(Process::new(7, "nginx")));
        assert_eq!(socket_owner(&socket), "nginx[7]");
    }

    #[test]
    fn a_program_that_is_not_known_yet_may_still_come() {
        let nobody = Principal::Unattributed;
        assert_eq!(principal(&nobody, None, true), PENDING);
        assert_eq!(principal(&nobody, None, false), NOT_LOOKED_UP);
        let hidden = partial(None, None);
        assert_eq!(
            principal(&nobody, Some(&hidden), false),
            "unknown: not permitted"
        );
        let user = Principal::User(User::new(7, Some("ada".to_owned())));
        assert_eq!(principal(&user, Some(&hidden), false), "user ada");
    }
}

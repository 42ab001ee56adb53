//! The comments of ptcpdump (`internal/writer/pcapng.go` of its source): lines of `Key: value`,
//! with one comment for each kind of facts.

use std::path::PathBuf;
use std::sync::Arc;

use flowner_attribution::{Process, Unit, UnitKind, User, Verdict};

use super::{Refused, checked};

/// The suffix of a text that ptcpdump had to cut.
const CUT: &str = "...";
/// The number of digits of a container id.
const ID_DIGITS: usize = 12;

/// The first keys of comments. A line that begins with the key of another comment belongs to the
/// arguments or names in this one, which a process can choose.
const FIRST_KEYS: [&str; 6] = [
    "PID:",
    "ThreadId:",
    "UserId:",
    "ParentPID:",
    "ContainerName:",
    "PodName:",
];

/// Whether a comment may be one of these.
pub(in super::super) fn is_claim(comment: &str) -> bool {
    let comment = comment.trim_start();
    FIRST_KEYS.iter().any(|key| comment.starts_with(key))
}

/// The owner in the comments of a packet; `None` if they name none.
pub(in super::super) fn read(comments: &[&str]) -> Result<Option<Verdict>, Refused> {
    let of = |first: &'static str| {
        let mut all = comments.iter().map(|comment| comment.trim_start());
        all.find(|comment| comment.starts_with(first)).map(Lines)
    };
    let unit = unit(of("ContainerName:"), of("PodName:"));
    let user = of("UserId:").and_then(|lines| lines.number("UserId"));
    let user = user.map(|uid| User::new(uid, None));
    let Some(lines) = of("PID:") else {
        return Ok(unit.map(|unit| Verdict::Partial {
            user,
            unit: Some(unit),
        }));
    };
    // A pid that is not a number is invalid.
    let pid = lines.number("PID").unwrap_or(0);
    let mut process = Process::new(pid, "");
    let command = lines.value("Cmd").or_else(|| lines.value("Command"));
    match command {
        // Half a path is another path; a cut name shows that it is cut.
        Some(command) if command.ends_with(CUT) => {
            let name = command.rsplit('/').next().unwrap_or(command);
            name.clone_into(&mut process.name);
        }
        Some(command) if command.starts_with('/') => process.path = Some(PathBuf::from(command)),
        Some(command) => command.clone_into(&mut process.name),
        None => {}
    }
    // ptcpdump joins arguments with single spaces, so this splits them only that far.
    let arguments = lines.value("Args").filter(|all| !all.ends_with(CUT));
    process.arguments = arguments.map(|all| all.split(' ').map(Into::into).collect());
    process.parent = of("ParentPID:").and_then(|lines| lines.number("ParentPID"));
    process.user = user;
    process.unit = unit;
    Ok(Some(Verdict::Process(Arc::new(checked(process)?))))
}

/// The container; in a pod, its name includes the namespace and the pod.
fn unit(container: Option<Lines<'_>>, pod: Option<Lines<'_>>) -> Option<Unit> {
    let name = container.and_then(|lines| {
        let id = lines.value("ContainerId");
        let id = id.map(|id| id.get(..ID_DIGITS).unwrap_or(id));
        lines.value("ContainerName").or(id)
    });
    let pod = pod.and_then(|lines| Some((lines.value("PodNamespace"), lines.value("PodName")?)));
    let name = match (pod, name) {
        (Some((namespace, pod)), name) => {
            let parts = [namespace, Some(pod), name];
            parts.into_iter().flatten().collect::<Vec<_>>().join("/")
        }
        (None, name) => name?.to_owned(),
    };
    Some(Unit::new(UnitKind::Container, name))
}

/// A comment.
#[derive(Clone, Copy)]
struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    /// The value of a key. Of several, the first one: ptcpdump writes values that processes choose
    /// last.
    fn value(self, key: &str) -> Option<&'a str> {
        let value = |line: &'a str| line.trim_start().strip_prefix(key)?.strip_prefix(':');
        let value = self.0.lines().find_map(value)?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn number(self, key: &str) -> Option<u32> {
        self.value(key)?.parse().ok()
    }
}

//! The owners of sockets: processes, users, and the units in which they run.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use super::container::{Container, ContainerDetails};
use super::executable::{ExeFile, ExeState};
#[cfg(feature = "serde")]
use super::lossy;
use super::text::displayed;

/// A process as it was at the time of the lookup.
///
/// [`Process::id`] identifies a process by its pid *and* start time, because the system uses pids
/// again. What the socket table cannot know is `None`. [`new`](Self::new) sets pid and name; the
/// other fields are public.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// Wall-clock time at which it started. Linux gives hundredths of a second: this is at most 20
    /// ms earlier than the process started, and never later unless the clock is set. The portable
    /// table knows it only on Linux.
    pub started: Option<SystemTime>,
    /// The process that started it.
    pub parent: Option<u32>,
    /// The name, in full where the platform allows it. (The kernel of Linux keeps 15 bytes,
    /// `TASK_COMM_LEN` in `include/linux/sched.h`; the rest comes from the file or the arguments.)
    pub name: String,
    /// The path of the executable, without the mark that Linux appends to that of a deleted file. It
    /// may lead this process to another file: see [`exe_state`](Self::exe_state).
    #[cfg_attr(feature = "serde", serde(with = "lossy::path"))]
    pub path: Option<PathBuf>,
    /// Whether the executable was deleted or replaced since the process started.
    pub path_deleted: bool,
    /// The file that the process executes. Linux only.
    pub exe_file: Option<ExeFile>,
    /// Whether [`path`](Self::path) leads to that file.
    pub exe_state: ExeState,
    /// The arguments, the program's own name first.
    #[cfg_attr(feature = "serde", serde(with = "lossy::arguments"))]
    pub arguments: Option<Vec<OsString>>,
    /// The user it runs as.
    pub user: Option<User>,
    /// The service, container or sandbox it runs in.
    pub unit: Option<Unit>,
    /// A number that changes when the process executes another program (`execve(2)`), even if the
    /// same interpreter runs both. It has no other meaning. Linux only, if this process may read
    /// the memory map of the other one.
    pub image: Option<u64>,
    /// Whether it has executed a program since it was forked, instead of continuing that of its
    /// parent.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) has_executed: bool,
    /// Wall-clock time at which a lookup first observed the current program, if an earlier lookup
    /// observed another program in the same process. Either program may have sent packets up to
    /// that time.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) program_seen: Option<SystemTime>,
}

impl Process {
    /// A process with this pid and name; all else is unknown.
    pub fn new(pid: u32, name: impl Into<String>) -> Self {
        Self {
            pid,
            started: None,
            parent: None,
            name: name.into(),
            path: None,
            path_deleted: false,
            exe_file: None,
            exe_state: ExeState::Unchecked,
            arguments: None,
            user: None,
            unit: None,
            image: None,
            has_executed: false,
            program_seen: None,
        }
    }

    /// Whether this is the same process as another record of it, and executes the same
    /// program.
    pub fn is_same_program(&self, other: &Self) -> bool {
        let images = self.image.zip(other.image);
        self.id() == other.id()
            && self.path == other.path
            && images.is_none_or(|(image, other)| image == other)
    }

    /// The identity of this process, even after the system has reused its pid.
    pub const fn id(&self) -> ProcessId {
        ProcessId {
            pid: self.pid,
            started: self.started,
        }
    }
}

/// Name and pid, such as `curl (4242)`. A process chooses its name, so this escapes control
/// characters.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.name.chars() {
            match char {
                _ if char.is_control() => write!(f, "{}", char.escape_default())?,
                _ => f.write_char(char)?,
            }
        }
        write!(f, " ({})", self.pid)
    }
}

/// Identity of a process: pid and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// Wall-clock start time, where the table knows it.
    pub started: Option<SystemTime>,
}

impl ProcessId {
    /// A process by its pid and wall-clock start time.
    pub const fn new(pid: u32, started: Option<SystemTime>) -> Self {
        Self { pid, started }
    }
}

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct User {
    /// The number by which the system knows the user.
    pub id: UserId,
    /// The name, where the id has one.
    pub name: Option<String>,
}

impl User {
    /// A user by id, with the name if it is known.
    pub fn new(id: impl Into<UserId>, name: Option<String>) -> Self {
        let id = id.into();
        Self { id, name }
    }

    /// The numeric id, where the system has such.
    pub const fn uid(&self) -> Option<u32> {
        self.id.uid()
    }
}

/// The name, or else the id.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => match &self.id {
                UserId::Uid(uid) => write!(f, "uid {uid}"),
                UserId::Sid(sid) => f.write_str(sid),
            },
        }
    }
}

/// The number by which a system knows a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UserId {
    /// The user id of Unix.
    Uid(u32),
    /// The security identifier of Windows in its text form (MS-DTYP, 2.4.2.1), such as
    /// `S-1-5-18`.
    Sid(String),
}

impl UserId {
    /// The user id of Unix, if it is one.
    pub const fn uid(&self) -> Option<u32> {
        match self {
            Self::Uid(uid) => Some(*uid),
            Self::Sid(_) => None,
        }
    }
}

impl From<u32> for UserId {
    fn from(uid: u32) -> Self {
        Self::Uid(uid)
    }
}

/// As a number of Unix.
impl PartialEq<u32> for UserId {
    fn eq(&self, uid: &u32) -> bool {
        self.uid() == Some(*uid)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => uid.fmt(f),
            Self::Sid(sid) => f.pad(sid),
        }
    }
}

/// The error for text that is not a valid [`UserId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseUserIdError(String);

impl fmt::Display for ParseUserIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "`{text}` is not a valid user id; expected a number or `S-1-...`"
        )
    }
}

impl std::error::Error for ParseUserIdError {}

/// Reads the text that `Display` writes.
impl FromStr for UserId {
    type Err = ParseUserIdError;

    fn from_str(text: &str) -> Result<Self, ParseUserIdError> {
        let is_sid = |text: &str| {
            let rest = text.strip_prefix("S-1-");
            rest.is_some_and(|rest| rest.split('-').all(|part| part.parse::<u64>().is_ok()))
        };
        match text.parse() {
            Ok(uid) => Ok(Self::Uid(uid)),
            Err(_) if is_sid(text) => Ok(Self::Sid(text.to_owned())),
            Err(_) => Err(ParseUserIdError(text.to_owned())),
        }
    }
}

/// A number, or the text of a SID.
#[cfg(feature = "serde")]
impl serde::Serialize for UserId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uid(uid) => to.serialize_u32(*uid),
            Self::Sid(sid) => to.serialize_str(sid),
        }
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for UserId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Uid(u32),
            Text(String),
        }
        match Form::deserialize(from)? {
            Form::Uid(uid) => Ok(Self::Uid(uid)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A network namespace of this host, such as that of a container (`network_namespaces(7)`).
/// Linux only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NetworkNamespace {
    /// The inode of `/proc/PID/ns/net` of its processes.
    pub id: u64,
    /// Its name for `ip netns`, if it has one.
    pub name: Option<String>,
}

impl NetworkNamespace {
    /// A network namespace by its inode, with its name if it has one.
    pub const fn new(id: u64, name: Option<String>) -> Self {
        Self { id, name }
    }
}

impl fmt::Display for NetworkNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "net:[{}]", self.id),
        }
    }
}

/// Network namespaces that the table does not read, because it may open only so many at a time.
///
/// Any user can make as many as the kernel permits. The table opens an equal share of each user's
/// namespaces. The queries decide which ones it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SkippedNamespaces {
    /// How many namespaces the table does not read.
    pub skipped: usize,
    /// How many namespaces it has open.
    pub open: usize,
    /// Whether the table would open more if this process were allowed more open files
    /// (`RLIMIT_NOFILE`).
    pub is_file_limit_reached: bool,
}

impl fmt::Display for SkippedNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skipped, open, .. } = self;
        write!(
            f,
            "{skipped} of {} other network namespaces are skipped: their sockets are missing",
            skipped + open
        )?;
        if self.is_file_limit_reached {
            f.write_str("; allow more open files (`ulimit -n`)")?;
        }
        Ok(())
    }
}

/// The service, container or sandbox that a process runs in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Unit {
    /// What kind of unit it is.
    pub kind: UnitKind,
    /// Its name, such as `sshd.service`, a container id or an application id.
    pub name: String,
    /// The uid of the user whose service manager runs it (`user@UID.service`, systemd.special(7)). That
    /// user chooses its name. `None` for units of the system.
    pub user: Option<u32>,
    #[cfg_attr(feature = "serde", serde(default, rename = "container"))]
    details: ContainerDetails,
}

impl Unit {
    /// A unit of the system.
    pub fn new(kind: UnitKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            user: None,
            details: ContainerDetails::new(),
        }
    }

    /// The facts about the unit as a container: name, image and pod. Linux only, with the feature
    /// `containers`.
    ///
    /// The table reads them on a thread of its own, so they may become known later than the unit. A
    /// comparison of units ignores them.
    pub fn container(&self) -> Option<Arc<Container>> {
        self.details.get()
    }

    /// The same unit with facts about it as a container.
    #[must_use]
    pub fn with_container(self, container: Container) -> Self {
        let details = ContainerDetails::new();
        details.set(container);
        self.with_details(details)
    }

    /// The same unit with the slot that the reader thread fills.
    #[must_use]
    pub fn with_details(self, details: ContainerDetails) -> Self {
        Self { details, ..self }
    }

    /// The name for people: that of the container, if it is known, or the first 12 digits of its
    /// id.
    pub fn short_name(&self) -> Cow<'_, str> {
        const DIGITS: usize = 12;
        if self.kind != UnitKind::Container {
            return self.name.as_str().into();
        }
        if let Some(name) = self.container().and_then(|it| it.name.clone()) {
            return name.into();
        }
        let is_id = self.name.len() == 64 && self.name.bytes().all(|it| it.is_ascii_hexdigit());
        match self.name.get(..DIGITS) {
            Some(digits) if is_id => digits.into(),
            _ => self.name.as_str().into(),
        }
    }

    /// The same unit, run by the service manager of a user if `user` is given.
    #[must_use]
    pub fn of_user(self, user: Option<u32>) -> Self {
        Self { user, ..self }
    }
}

/// Kinds of [`Unit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnitKind {
    /// A unit of a service manager, such as a systemd service or scope.
    Service,
    /// A container.
    Container,
    /// A Flatpak application.
    Flatpak,
    /// A Snap application.
    Snap,
}

impl UnitKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Service, Self::Container, Self::Flatpak, Self::Snap];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Container => "container",
            Self::Flatpak => "flatpak",
            Self::Snap => "snap",
        }
    }
}

displayed!(UnitKind, "kind of unit");

/// With at most 12 digits of a container id: `container web of pod default/web-0`.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind, self.short_name());
        match (kind, self.user) {
            (_, None) => write!(f, "{} {name}", kind.name())?,
            (UnitKind::Service, Some(user)) => write!(f, "user unit {name} (uid {user})")?,
            (_, Some(user)) => write!(f, "{} {name} (uid {user})", kind.name())?,
        }
        match self.container().and_then(|it| it.pod.clone()) {
            Some(pod) => write!(f, " of pod {pod}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_escapes_control_characters_in_a_name() {
        let check = |name: &str, expected: &str| {
            assert_eq!(Process::new(7, name).to_string(), expected);
        };
        check("curl", "curl (7)");
        check(
            "Isolated Web Co\u{1b}[2J\n",
            r"Isolated Web Co\u{1b}[2J\n (7)",
        );
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let first = Process::new(7, "a");
        let second = Process {
            started: Some(SystemTime::UNIX_EPOCH),
            ..first.clone()
        };
        assert_ne!(first.id(), second.id());
        assert!(!first.is_same_program(&second));
    }

    #[test]
    fn another_image_is_another_program() {
        let of = |image| Process {
            image,
            ..Process::new(7, "sh")
        };
        assert!(of(Some(1)).is_same_program(&of(Some(1))));
        assert!(!of(Some(1)).is_same_program(&of(Some(2))));
        assert!(of(Some(1)).is_same_program(&of(None)));
    }
}

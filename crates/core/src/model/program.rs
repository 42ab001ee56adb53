//! What a person recognises: a program, not its processes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use flowner_icons::Request;

use super::grouping::Grouping;

/// A program, as people speak of it: a browser, not its forty processes.
///
/// Two are the same if their [`id`](Self::id) is: an upgrade on disk splits none. What is not the
/// file at its path here, and what is only claimed, has an id of its own kind.
#[derive(Debug, Clone)]
pub struct Program {
    /// What tells it from others, on this host and from one run to the next: its kind, a
    /// colon, and an application id, a path without versions, or a name, as in
    /// `app:org.mozilla.firefox`, `flatpak:org.x.Y` or `exe:/usr/bin/curl`. That of a desktop
    /// entry of one user ends with `@` and the id of the user.
    ///
    /// | before it | means |
    /// |---|---|
    /// | `container:ID` | it runs in this container, whose files are not this host's |
    /// | `elsewhere:DEVICE:INODE` | the path leads to another file here, or to none |
    /// | `memory:DEVICE:INODE` | it is executed from memory, under a name that it chose |
    /// | `unverified:DEVICE:INODE` | the path could not be compared with what is here |
    /// | `claimed:UID` | its arguments say so, of a process of this user |
    /// | `recorded:` | a file says so |
    pub id: String,
    /// What it is called: by its desktop entry in the user's language, else by the file,
    /// without version.
    pub name: String,
    /// The executable of the process by which it became known; of a script, that of the
    /// interpreter.
    pub path: Option<PathBuf>,
    /// The id of its desktop entry, Flatpak or Snap, by which its icon is found.
    pub application: Option<String>,
    /// The id of the user whose desktop entry that is; `None` for one of all users.
    pub application_user: Option<u32>,
    /// Who says so, where nothing proves it.
    pub claim: Option<Claim>,
    /// Why the process by which it became known is one of it. Others may be so for other
    /// reasons: see [`Programs::membership`](crate::Programs::membership).
    pub grouping: Grouping,
}

impl Program {
    /// What to ask [`Icons`](flowner_icons::Icons) for.
    ///
    /// ```
    /// use flowner_core::icons::{IconOptions, Icons};
    /// use flowner_core::{Program, attribution::Process};
    ///
    /// let program = Program::of(&Process::new(4242, "curl"));
    /// let icons = Icons::start(IconOptions::default(), |_| {})?;
    /// let letter = icons.icon(&program.icon_request());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn icon_request(&self) -> Request {
        let is_unknown_here = self.claim.is_some() || !self.grouping.is_of_this_host();
        Request {
            key: self.id.clone(),
            name: self.name.clone(),
            is_unknown_here,
            user: self.application_user,
            application_id: self.application.clone().filter(|_| !is_unknown_here),
            executable: self.path.clone().filter(|_| !is_unknown_here),
            arguments: Vec::new(),
        }
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl Ord for Program {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl PartialOrd for Program {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Who says what a program is, where nothing proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Claim {
    /// The process itself: by its arguments, which it may write over, or by the name that it
    /// gave to what it executes from memory.
    Process,
    /// The file that tells of it.
    File,
}

impl Claim {
    /// Everyone who may say so.
    pub const ALL: [Self; 2] = [Self::Process, Self::File];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::File => "file",
        }
    }
}

/// In words that go on after "claimed by".
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "the process itself",
            Self::File => "the file",
        })
    }
}

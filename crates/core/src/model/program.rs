//! What a person recognises: a program, not its processes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use flowner_icons::IconRequest;

use super::grouping::Grouping;

/// A program, as people speak of it: a browser, not its forty processes.
///
/// Two are the same if their [`id`](Self::id) is the same: an upgrade on disk does not split one. A
/// program whose file is not the one at its path here, or that is only claimed, has an id of
/// another kind.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its identity, the same from one run to the next on this host: its kind, a colon, and an
    /// application id, a path without versions, or a name, as in `app:org.mozilla.firefox`,
    /// `flatpak:org.x.Y` or `exe:/usr/bin/curl`. That of a desktop entry of one user ends with `@`
    /// and the id of the user.
    ///
    /// | prefix | meaning |
    /// |---|---|
    /// | `container:ID` | it runs in this container, whose files are not this host's |
    /// | `elsewhere:DEVICE:INODE` | the path leads to another file here, or to none |
    /// | `memory:DEVICE:INODE` | it executes from memory, with a name that it chose |
    /// | `unverified:DEVICE:INODE` | the path could not be compared with the file here |
    /// | `claimed:UID` | only the arguments of a process of this user claim it |
    /// | `recorded:` | a file claims it |
    pub id: String,
    /// Its name: from its desktop entry in the user's language, or else from the file, without
    /// version.
    pub name: String,
    /// The executable of the first process that was found; for a script, that of the interpreter.
    pub path: Option<PathBuf>,
    /// The id of its desktop entry, Flatpak or Snap, which identifies its icon.
    pub application: Option<String>,
    /// The id of the user with that desktop entry; `None` if it is one for all users.
    pub application_user: Option<u32>,
    /// The source of an unproven claim.
    pub claim: Option<Claim>,
    /// Why the first process that was found belongs to it. Others may belong to it for other
    /// reasons: see [`Programs::membership`](crate::Programs::membership).
    pub grouping: Grouping,
}

impl Program {
    /// The request to [`Icons`](flowner_icons::Icons).
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
    pub fn icon_request(&self) -> IconRequest {
        let is_unknown_here = self.claim.is_some() || !self.grouping.is_of_this_host();
        IconRequest {
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

/// The source of a claim about a program that nothing proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Claim {
    /// The process itself: its arguments, which it may overwrite, or the name that it gave to its
    /// program in memory.
    Process,
    /// The file with the recorded owner.
    File,
}

impl Claim {
    /// Every source.
    pub const ALL: [Self; 2] = [Self::Process, Self::File];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::File => "file",
        }
    }
}

/// In words that follow "claimed by".
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Process => "the process itself",
            Self::File => "the file",
        })
    }
}

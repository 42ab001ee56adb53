//! What a person recognises: many processes, one program.
//!
//! | file | about |
//! |---|---|
//! | `identity` | what a process is by itself; pure |
//! | `interpreted` | the same of what others execute: scripts, modules, applets; pure |
//! | `installed` | what a system says: bundles, packages, Snaps, scopes; pure |
//! | `versions`, `product` | paths: what an upgrade changes, what comes together; pure |
//! | `grouping` | why a process is one of its program |
//! | `all` | all programs of a host, each process resolved once |
//! | `claim` | what only a process itself, or a file, says of it |
//! | `facts` | who started a process, and which file it names: the part that asks the system |

mod all;
mod claim;
mod facts;
mod grouping;
mod identity;
mod installed;
mod interpreted;
mod product;
mod versions;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use flowner_attribution::Process;
use flowner_icons::{Catalog, Request};

pub use all::{Membership, Programs};
pub use claim::Claim;
pub use facts::Facts;
pub use grouping::Grouping;

use identity::Identity;

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
    /// reasons: see [`Programs::membership`].
    pub grouping: Grouping,
}

impl Program {
    /// The program that a process runs, as far as the process itself tells.
    /// [`Programs`] knows more: desktop entries, and who started it.
    pub fn of(process: &Process) -> Self {
        Identity::of(process, &Catalog::default(), &()).into_program(process)
    }

    /// The program of a process of which a file tells: nothing of it is looked for on this host.
    ///
    /// ```
    /// use flowner_core::{Claim, Program, attribution::Process};
    ///
    /// let program = Program::recorded(&Process::new(4242, "curl"));
    /// assert_eq!((program.id.as_str(), program.claim), ("recorded:name:curl", Some(Claim::File)));
    /// ```
    pub fn recorded(process: &Process) -> Self {
        let identity = Identity::of(process, &Catalog::default(), &());
        identity.recorded().into_program(process)
    }

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

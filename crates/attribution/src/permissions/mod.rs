//! What this process may see of the host, and what would let it see more.
//!
//! A platform owes:
//!
//! | item | what |
//! |---|---|
//! | `sights` | each [`Resource`] that can be tried on this system, by trying it |
//! | `system` | the name of the system and its version |

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use crate::answer::text::displayed;

/// One kind of thing that answers are made of, and how much of it may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visibility {
    /// What it is.
    pub subject: Resource,
    /// How much of it may be seen.
    pub extent: Level,
    /// What that means, in a sentence without an end mark.
    pub detail: String,
    /// What would let this process see all of it, if anything would.
    pub remedy: Option<Fix>,
}

/// What answers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Which sockets there are.
    Sockets,
    /// The processes that hold them.
    Processes,
    /// The sockets of containers.
    Networks,
    /// Whether threads may run before all others, so that those who send and exit are seen.
    Priority,
}

impl Resource {
    /// Every subject.
    pub const ALL: [Self; 4] = [
        Self::Sockets,
        Self::Processes,
        Self::Networks,
        Self::Priority,
    ];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Processes => "processes",
            Self::Networks => "networks",
            Self::Priority => "priority",
        }
    }
}

displayed!(Resource, "subject");

/// How much may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Nothing,
    /// A part, or all of it at a higher price.
    Limited,
    /// Everything.
    Full,
}

/// What lets a process see more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// Capabilities of Linux (`capabilities(7)`), in the spelling of `setcap`.
    Capabilities(&'static [&'static str]),
    /// A command, to be run as administrator.
    Command(String),
}

/// Looks at what may be seen here, by trying it.
///
/// Linux tells of each [`Resource`], and with which [`Fix`] more would be seen; others of
/// [`Resource::Sockets`] alone, by a look at all of them, which may take a tenth of a second.
pub fn access() -> Vec<Visibility> {
    platform::sights()
}

/// The operating system and its version, as far as it tells.
pub fn system() -> String {
    platform::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_read_by_its_name() {
        for subject in Resource::ALL {
            assert_eq!(subject.name().parse(), Ok(subject));
        }
    }
}

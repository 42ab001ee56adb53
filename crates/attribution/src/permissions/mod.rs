//! What this process may read about the host, and what would let it read more.
//!
//! ```
//! use flowner_attribution::permissions::{self, Fix};
//!
//! for part in permissions::check() {
//!     println!("{}: {}", part.resource, part.detail);
//!     match part.fix {
//!         Some(Fix::Capabilities(names)) => println!("  needs {}", names.join(", ")),
//!         Some(Fix::Command(command)) => println!("  run {command}"),
//!         Some(_) | None => {}
//!     }
//! }
//! ```
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `visibility` | the level for each [`Resource`] that this system can test |
//! | `system` | the name of the system and its version |

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use crate::answer::text::displayed;

/// How much of one [`Resource`] this process may see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Visibility {
    /// The part of an answer that this is about.
    pub resource: Resource,
    /// How much of it this process may see.
    pub level: Level,
    /// What that means, in a sentence without an end mark.
    pub detail: String,
    /// What would let this process see all of it; `None` if nothing would, or if it already does.
    pub fix: Option<Fix>,
}

/// A resource that the library reads for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// The sockets of the host.
    Sockets,
    /// The processes that hold them.
    Processes,
    /// The sockets of containers and other network namespaces.
    NetworkNamespaces,
    /// The ends of sockets whose packets this host translates (NAT), such as those of containers.
    Translations,
    /// Real-time scheduling of threads, which finds more senders that exit at once.
    Priority,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 5] = [
        Self::Sockets,
        Self::Processes,
        Self::NetworkNamespaces,
        Self::Translations,
        Self::Priority,
    ];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Processes => "processes",
            Self::NetworkNamespaces => "networks",
            Self::Translations => "translations",
            Self::Priority => "priority",
        }
    }
}

displayed!(Resource, "resource");

/// How much of a [`Resource`] a process may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Nothing,
    /// A part, or all of it at a higher price.
    Limited,
    /// Everything.
    Full,
}

impl Level {
    /// Every level, the lowest one first.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Limited, Self::Full];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

displayed!(Level, "level");

/// What would let this process see more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// Capabilities of Linux (`capabilities(7)`), in the spelling of `setcap`.
    Capabilities(&'static [&'static str]),
    /// A command to run as administrator.
    Command(String),
}

/// Tests what this process may read here.
///
/// On Linux, this covers each [`Resource`] and names the [`Fix`] that would show more. On other
/// systems it covers only [`Resource::Sockets`]: it lists all sockets, which may take a tenth of a
/// second.
pub fn check() -> Vec<Visibility> {
    platform::visibility()
}

/// The operating system, with its version on Linux, such as `Linux 6.18.5`.
pub fn system() -> String {
    platform::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_again() {
        for resource in Resource::ALL {
            assert_eq!(resource.name().parse(), Ok(resource));
        }
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
    }
}

//! Why a process counts as part of a program.

use std::fmt;

/// The reason why a process belongs to its [`Program`](crate::Program), in words for people.
///
/// ```
/// use flowner_core::Grouping;
///
/// let why = Grouping::Script("/usr/bin/terminator".to_owned());
/// assert_eq!(why.to_string(), "runs the script /usr/bin/terminator");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grouping {
    /// It runs in the Flatpak with this id.
    Flatpak(String),
    /// It runs in the Snap with this name.
    Snap(String),
    /// The desktop started it in the cgroup of the application with this entry.
    Scope(String),
    /// The desktop entry with this id matches its executable.
    Entry(String),
    /// Its file is in this application bundle of macOS.
    Bundle(String),
    /// It belongs to this package of Windows.
    Package(String),
    /// An interpreter runs this script or archive.
    Script(String),
    /// An interpreter runs this module or class.
    Module(String),
    /// It executes this file; the path has no versions.
    Executable(String),
    /// It executes another file than the one at this path here.
    Elsewhere(String),
    /// It executes a file that may not be the one at this path here.
    Unverified(String),
    /// It executes a program in memory, with this name.
    Memory(String),
    /// Only its name is known.
    Name(String),
    /// Only its own arguments claim it.
    Claimed(Box<Self>),
    /// It runs in the container with this id.
    Container {
        /// The id of the container.
        id: String,
        /// The reason within the container.
        inner: Box<Self>,
    },
    /// A file claims it.
    Recorded(Box<Self>),
    /// It is part of the program with this name, which started it.
    Part {
        /// The name of that program.
        of: String,
        /// The process that started it, perhaps indirectly.
        pid: u32,
    },
}

impl Grouping {
    /// The kind in lower case, as JSON writes it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Flatpak(_) => "flatpak",
            Self::Snap(_) => "snap",
            Self::Scope(_) => "scope",
            Self::Entry(_) => "desktop-entry",
            Self::Bundle(_) => "bundle",
            Self::Package(_) => "package",
            Self::Script(_) => "script",
            Self::Module(_) => "module",
            Self::Executable(_) => "executable",
            Self::Elsewhere(_) => "elsewhere",
            Self::Unverified(_) => "unverified",
            Self::Memory(_) => "memory",
            Self::Name(_) => "name",
            Self::Claimed(_) => "claimed",
            Self::Container { .. } => "container",
            Self::Recorded(_) => "recorded",
            Self::Part { .. } => "part",
        }
    }
}

impl Grouping {
    /// Whether this host has the file at its path: not so in a container, nor if the path leads to
    /// another file.
    pub(crate) const fn is_of_this_host(&self) -> bool {
        !matches!(
            self,
            Self::Elsewhere(_)
                | Self::Unverified(_)
                | Self::Memory(_)
                | Self::Claimed(_)
                | Self::Container { .. }
                | Self::Recorded(_)
        )
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flatpak(id) => write!(f, "runs in the Flatpak {id}"),
            Self::Snap(name) => write!(f, "runs in the Snap {name}"),
            Self::Scope(id) => write!(f, "was started by the desktop as {id}"),
            Self::Entry(id) => write!(f, "is what the desktop entry {id} starts"),
            Self::Bundle(path) => write!(f, "lies in the application {path}"),
            Self::Package(name) => write!(f, "is of the package {name}"),
            Self::Script(path) => write!(f, "runs the script {path}"),
            Self::Module(name) => write!(f, "runs the module {name}"),
            Self::Executable(path) => write!(f, "executes {path}"),
            Self::Elsewhere(path) => {
                write!(f, "executes a file that is not the one at {path} here")
            }
            Self::Unverified(path) => {
                write!(
                    f,
                    "executes {path}, which could not be compared with the file here"
                )
            }
            Self::Memory(name) => write!(f, "executes what is in memory, which it calls {name}"),
            Self::Name(name) => write!(f, "is called {name}"),
            Self::Claimed(what) => write!(f, "{what}, as claimed by its arguments"),
            Self::Container { id, inner } => write!(f, "{inner}, in the container {id}"),
            Self::Recorded(what) => write!(f, "{what}, as the file claims"),
            Self::Part { of, pid } => write!(f, "was started by {of} (process {pid})"),
        }
    }
}

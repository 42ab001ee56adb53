//! Linux: `sock_diag` for sockets, `/proc` for their holders.
//!
//! The kernel finds one socket by its five-tuple and gives its inode and user at once. The inode
//! leads to the processes that hold the socket. `sockets` is the first half, `fd_scanner` the second.

mod candidates;
#[cfg(feature = "portable")]
mod complement;
#[cfg_attr(not(feature = "containers"), path = "containers/none.rs")]
pub(crate) mod containers;
mod elsewhere;
pub(crate) mod fast;
mod fd_scanner;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub(crate) mod namespaces;
pub(crate) mod netlink;
pub(crate) mod options;
mod owner;
mod portless;
pub(crate) mod procfs;
#[cfg(test)]
mod scripted;
mod sockets;
mod source;
#[cfg_attr(test, path = "scripted/sys.rs")]
mod sys;
mod table;
pub(crate) mod user_names;
mod verdicts;

#[cfg(all(test, feature = "portable"))]
pub(crate) use complement::Held;
#[cfg(all(test, feature = "portable"))]
pub(crate) use complement::Known as KnownProcess;
#[cfg(feature = "portable")]
pub(crate) use complement::{Complement, Key as SocketKey, SocketHolders};
pub use options::LinuxOptions;
pub(crate) use procfs::process_reader::ProcessReader;
pub use table::LinuxTable;

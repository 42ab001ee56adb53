//! The names and indexes of network interfaces.
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `index` | the index of the interface with a name, if there is one |
//! | `name` | the name of the interface with an index, if there is one |

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// The index of the network interface with this name, in the network namespace of this
/// process; `None` where there is none.
///
/// Linux only: on other systems, no table knows the interface of a socket.
pub fn device_index(name: &str) -> Option<u32> {
    platform::index(name)
}

/// The name of the network interface with this index, in the network namespace of this
/// process; `None` where there is none.
///
/// Linux only: on other systems, no table knows the interface of a socket.
pub fn device_name(index: u32) -> Option<String> {
    platform::name(index)
}

//! The names of users.
//!
//! A platform owes:
//!
//! | item | content |
//! |---|---|
//! | `name` | the name of the user with an id, if it has one |

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// The name of the user with this id, such as that of a [`Socket::uid`](crate::Socket::uid); `None` if
/// it has none. The name comes from `/etc/passwd`, else from the name service of the system, for which
/// this waits 50 ms at most. If that takes longer, a later call has the name.
///
/// Linux only: on other systems, no table knows users.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// assert_eq!(flowner_attribution::user_name(0).as_deref(), Some("root"));
/// ```
pub fn user_name(uid: u32) -> Option<String> {
    platform::name(uid)
}

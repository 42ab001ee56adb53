//! Evidence that is pushed: what watches the system, and says what it has seen.
//!
//! | module | watches | where |
//! |---|---|---|
//! | `linux::send_watcher` | who sends the first packet of a flow | Linux |

#[cfg(target_os = "linux")]
pub(crate) mod linux;

//! Observers: they watch the system and push evidence.
//!
//! An observer is a type that implements [`Observer`]. A table with one returns it from
//! [`SocketTable::observer`](crate::SocketTable::observer). A program may add more
//! ([`CaptureResolver::add_observer`](crate::capture::CaptureResolver::add_observer)).
//!
//! | module | watches | where |
//! |---|---|---|
//! | `linux::send_watcher` | the sender of the first packet of a flow | Linux |

#[cfg(target_os = "linux")]
pub(crate) mod linux;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::{LookupRequest, Observation};

/// The function to which an [`Observer`] passes its evidence: from any thread, and as soon as it
/// has it. It only takes a lock that is held for moments. If the caller does not take observations
/// in time, newer ones displace older ones.
pub type OnObservation = Arc<dyn Fn(Observation) + Send + Sync>;

/// A source of evidence that reports by itself: threads that look up senders, or events of the
/// system.
///
/// An observation is evidence for packets from *before* it ([`Observation::at`]). The policy
/// applies the same rules to it as to a lookup; see
/// [`Policy::observe`](crate::capture::policy::Policy::observe).
pub trait Observer: Send + fmt::Debug {
    /// Starts observing. The capture thread calls this once, before the first packet. If the system
    /// does not permit it, no observation follows. Dropping the observer ends it.
    fn start(&mut self, on_observation: OnObservation);

    /// Records a request, and returns how much longer its observation may take: the caller makes no
    /// fast lookup meanwhile. `None` if none is on its way. The capture thread calls this for each
    /// request without an observation yet, so it takes microseconds at most. An observation that
    /// was pushed before this returns counts as having come.
    fn expect(&mut self, request: &LookupRequest) -> Option<Duration>;
}

//! Evidence that is pushed: what watches the system, and says what it has seen.
//!
//! A source of evidence owes one type that implements [`Observer`]. A table that has one says so in
//! [`SocketTable::observer`](crate::SocketTable::observer); a program may bring more
//! ([`CaptureResolver::add_observer`](crate::capture::CaptureResolver::add_observer)).
//!
//! | module | watches | where |
//! |---|---|---|
//! | `linux::send_watcher` | who sends the first packet of a flow | Linux |

#[cfg(target_os = "linux")]
pub(crate) mod linux;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::{LookupRequest, Observation};

/// Where an [`Observer`] hands what it has seen: from any thread, and as soon as it was seen. It
/// takes no longer than a lock that is held for moments. What nobody takes in time makes room for
/// what is newer.
pub type OnObservation = Arc<dyn Fn(Observation) + Send + Sync>;

/// A source of evidence that is not asked, but sees for itself: threads that look up who sends, or
/// what a system reports.
///
/// An observation is evidence for packets that were seen *before* it was made
/// ([`Observation::at`]). The policy judges it as it judges a lookup; see
/// [`Policy::observe`](crate::capture::policy::Policy::observe).
pub trait Observer: Send + fmt::Debug {
    /// Begins to watch. Called once, on the thread that captures, before the first packet. Where the
    /// system does not permit it, nothing is seen. Ends when the observer is dropped.
    fn start(&mut self, on_observation: OnObservation);

    /// Takes note of a request, and says how much longer an observation of its end may be
    /// waited for: no fast lookup is made meanwhile. `None` if none is on its way. Called on the
    /// thread that captures, for each request that no observation has answered yet, so it takes
    /// microseconds at most. What was handed over before it returns counts as having come.
    fn expect(&mut self, request: &LookupRequest) -> Option<Duration>;
}

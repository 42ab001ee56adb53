//! Windows: Npcap waits, and returns when the timeout has passed.

use std::sync::Arc;
use std::time::Duration;

use pcap::{Active, BreakLoop, Capture};

pub(crate) struct Waiter;

#[derive(Clone)]
pub(crate) struct Bell(Arc<BreakLoop>);

pub(crate) fn prepare(capture: Capture<Active>) -> Result<(Capture<Active>, Waiter, Bell), String> {
    // Immediate mode: this is how Npcap has it, and only once the device is open.
    let mut capture = capture.min_to_copy(0);
    let bell = Bell(Arc::new(capture.breakloop_handle()));
    Ok((capture, Waiter, bell))
}

impl Waiter {
    /// Nothing is left to wait for.
    #[allow(
        clippy::unused_self,
        reason = "elsewhere there is something to wait with"
    )]
    pub(crate) fn wait(&self, _patience: Duration) -> bool {
        false
    }
}

impl Bell {
    /// Ends the wait.
    pub(crate) fn ring(&self) {
        self.0.breakloop();
    }
}

//! Other systems: libpcap waits, and returns after the timeout.

use std::sync::Arc;
use std::time::Duration;

use pcap::{Active, BreakLoop, Capture};

use super::Ready;
use crate::origin::Teller;

pub(crate) struct Waiter;

#[derive(Clone)]
pub(crate) struct Waker(Arc<BreakLoop>);

/// There is one capture, from `origin`.
pub(crate) fn prepare(
    captures: Vec<Capture<Active>>,
) -> Result<(Vec<Capture<Active>>, Waiter, Waker), String> {
    let mut captures: Vec<_> = captures.into_iter().map(immediate).collect();
    let first = captures.first_mut().ok_or("nothing is captured from")?;
    let bell = Waker(Arc::new(first.breakloop_handle()));
    Ok((captures, Waiter, bell))
}

/// Npcap needs this for immediate mode, after the device is open.
#[cfg(windows)]
fn immediate(capture: Capture<Active>) -> Capture<Active> {
    capture.min_to_copy(0)
}

/// The device is in immediate mode since it was opened.
#[cfg(not(windows))]
const fn immediate(capture: Capture<Active>) -> Capture<Active> {
    capture
}

impl Waiter {
    /// Nothing is left to wait for: libpcap has waited, and will again.
    #[allow(
        clippy::unused_self,
        reason = "elsewhere there is something to wait with"
    )]
    pub(crate) fn wait(&self, _patience: Duration, _teller: &Teller, ready: &mut Ready) -> bool {
        ready.captures.fill(true);
        false
    }
}

impl Waker {
    /// Ends the wait with Npcap. With libpcap it prevents the next wait, while one in another
    /// thread continues (`pcap_breakloop(3PCAP)`).
    pub(crate) fn ring(&self) {
        self.0.breakloop();
    }
}

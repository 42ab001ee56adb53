//! News, for whoever wants them as they happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvError, RecvTimeoutError, SyncSender, TrySendError, sync_channel,
};
use std::time::Duration;

use crate::program::Program;
use crate::record::FlowRecord;
use crate::report::Ending;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A flow's first packet was seen.
    FlowOpened(FlowRecord),
    /// A process is named for one end of a flow for the first time.
    OwnerResolved(FlowRecord),
    /// A closer match replaced the owner of one end of a flow.
    OwnerUpgraded(FlowRecord),
    /// A flow is over and its owners are settled. Flows that are open when the
    /// monitor stops are in its last report only.
    FlowClosed(FlowRecord),
    /// A program is named for the first time since the monitor started.
    ProgramFirstSeen(Arc<Program>),
    /// No more packets will come: the input ended, failed, or was stopped.
    InputEnded(Ending),
    /// Something is not as it should be, but the monitor goes on.
    Warning(String),
    /// The reader was too slow: so many events were dropped before this one.
    Missed(u64),
}

/// The reading end of a monitor's events.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
}

impl Events {
    /// Waits for the next event; `None` when the monitor has ended and all events
    /// were read.
    pub fn next(&self) -> Option<Event> {
        self.receiver.recv().map_err(|RecvError| ()).ok()
    }

    /// As [`next`](Self::next), but gives up after `timeout`.
    ///
    /// # Errors
    /// [`NoEvent::Yet`] after the timeout, [`NoEvent::Ended`] at the end.
    pub fn next_within(&self, timeout: Duration) -> Result<Event, NoEvent> {
        self.receiver
            .recv_timeout(timeout)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => NoEvent::Yet,
                RecvTimeoutError::Disconnected => NoEvent::Ended,
            })
    }
}

/// Why there is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// Nothing happened in time.
    #[error("nothing happened yet")]
    Yet,
    /// The monitor has ended.
    #[error("the monitor has ended")]
    Ended,
}

/// The writing end, bounded.
#[derive(Debug)]
pub(crate) struct EventSender {
    sender: SyncSender<Event>,
    missed: AtomicU64,
}

/// A queue of at most `max` events.
pub(crate) fn queue(max: usize) -> (EventSender, Events) {
    let (sender, receiver) = sync_channel(max);
    let sender = EventSender {
        sender,
        missed: AtomicU64::new(0),
    };
    (sender, Events { receiver })
}

impl EventSender {
    /// Hands an event over without waiting; a reader that is gone misses nothing.
    pub(crate) fn send(&self, event: Event) {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 && self.is_full(Event::Missed(missed)) {
            self.missed.fetch_add(missed + 1, Ordering::Relaxed);
        } else if self.is_full(event) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_full(&self, event: Event) -> bool {
        matches!(self.sender.try_send(event), Err(TrySendError::Full(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Event {
        Event::Warning(text.to_owned())
    }

    #[test]
    fn a_slow_reader_is_told_what_it_missed() {
        let (sender, events) = queue(2);
        for text in ["a", "b", "c", "d"] {
            sender.send(warning(text));
        }
        assert_eq!(events.next(), Some(warning("a")));
        assert_eq!(events.next(), Some(warning("b")));
        sender.send(warning("e"));
        drop(sender);
        assert_eq!(events.next(), Some(Event::Missed(2)));
        assert_eq!(events.next(), Some(warning("e")));
        assert_eq!(events.next(), None);
    }
}

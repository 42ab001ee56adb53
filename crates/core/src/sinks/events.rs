//! News, for whoever wants them as they happen.

use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::event::Event;

/// The reading end of a monitor's events.
///
/// They end with the monitor itself, when [`Monitor::stop`] or [`Monitor::wait`] has returned
/// or it was dropped: who reads on the thread that holds the monitor leaves at
/// [`Event::InputEnded`], or would wait for ever.
///
/// ```no_run
/// use flowner_core::{Config, Event, Monitor};
///
/// let (monitor, events) = Monitor::start_watched(&Config::default())?;
/// let stop = monitor.stop_handle(); // for another thread
/// while let Some(event) = events.next() {
///     match event {
///         Event::FlowClosed(flow) => println!("{} -> {}: {}", flow.local, flow.remote, flow.party),
///         Event::InputEnded(_) => break,
///         _ => {}
///     }
/// }
/// for flow in &monitor.wait().flows {
///     println!("{} -> {}: {}", flow.local, flow.remote, flow.party);
/// }
/// # drop(stop);
/// # Ok::<(), flowner_core::Error>(())
/// ```
///
/// [`Monitor::stop`]: crate::Monitor::stop
/// [`Monitor::wait`]: crate::Monitor::wait
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
    tail: Arc<Mutex<Tail>>,
}

/// What found no place in the queue.
#[derive(Debug, Default)]
struct Tail {
    missed: u64,
    /// That the input has ended is told to the slowest reader, too: it waits for that.
    ended: Option<Event>,
}

impl Tail {
    /// What comes after the last event of the queue; nothing while there may be more.
    fn next(&mut self, is_over: bool) -> Option<Event> {
        if self.missed > 0 && (is_over || self.ended.is_some()) {
            return Some(Event::Missed(std::mem::take(&mut self.missed)));
        }
        self.ended.take()
    }

    fn put(&mut self, event: Event) {
        match event {
            Event::InputEnded(_) => self.ended = Some(event),
            _ => self.missed += 1,
        }
    }
}

impl Events {
    /// Waits for the next event; `None` when the monitor has ended (not only its input) and
    /// all events were read.
    pub fn next(&self) -> Option<Event> {
        match self.at_once() {
            // Whoever ends the input from now on finds a place in the queue.
            Err(NoEvent::Yet) => match self.receiver.recv() {
                Ok(event) => Some(event),
                Err(_) => self.rest(true),
            },
            event => event.ok(),
        }
    }

    /// As [`next`](Self::next), but gives up after `timeout`.
    ///
    /// # Errors
    /// [`NoEvent::Yet`] after the timeout, [`NoEvent::Ended`] at the end.
    pub fn next_within(&self, timeout: Duration) -> Result<Event, NoEvent> {
        match self.at_once() {
            Err(NoEvent::Yet) => match self.receiver.recv_timeout(timeout) {
                Ok(event) => Ok(event),
                Err(RecvTimeoutError::Timeout) => Err(NoEvent::Yet),
                Err(RecvTimeoutError::Disconnected) => self.rest(true).ok_or(NoEvent::Ended),
            },
            event => event,
        }
    }

    fn at_once(&self) -> Result<Event, NoEvent> {
        match self.receiver.try_recv() {
            Ok(event) => Ok(event),
            Err(TryRecvError::Empty) => self.rest(false).ok_or(NoEvent::Yet),
            Err(TryRecvError::Disconnected) => self.rest(true).ok_or(NoEvent::Ended),
        }
    }

    fn rest(&self, is_over: bool) -> Option<Event> {
        let tail = self.tail.lock();
        tail.unwrap_or_else(PoisonError::into_inner).next(is_over)
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
    tail: Arc<Mutex<Tail>>,
}

/// A queue of at most `max` events.
pub(crate) fn queue(max: usize) -> (EventSender, Events) {
    let (sender, receiver) = sync_channel(max);
    let tail = Arc::new(Mutex::new(Tail::default()));
    let sender = EventSender {
        sender,
        tail: Arc::clone(&tail),
    };
    (sender, Events { receiver, tail })
}

impl EventSender {
    /// Hands an event over without waiting; a reader that is gone misses nothing.
    pub(crate) fn send(&self, event: Event) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.missed > 0 {
            if self.try_send(Event::Missed(tail.missed)).is_some() {
                tail.put(event);
                return;
            }
            tail.missed = 0;
        }
        if let Some(event) = self.try_send(event) {
            tail.put(event);
        }
    }

    /// The event, if the queue is full.
    fn try_send(&self, event: Event) -> Option<Event> {
        match self.sender.try_send(event) {
            Err(TrySendError::Full(event)) => Some(event),
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::Ending;

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

    #[test]
    fn the_end_is_told_though_the_queue_is_full() {
        let (sender, events) = queue(1);
        sender.send(warning("a"));
        sender.send(warning("b"));
        sender.send(Event::InputEnded(Ending::Stopped));
        // Whoever waits for it holds the monitor, and so the sender.
        assert_eq!(events.next(), Some(warning("a")));
        assert_eq!(events.next(), Some(Event::Missed(1)));
        let ended = events.next_within(Duration::ZERO);
        assert_eq!(ended, Ok(Event::InputEnded(Ending::Stopped)));
        assert_eq!(events.next_within(Duration::ZERO), Err(NoEvent::Yet));
        // What comes late, and is missed, is told at the very end.
        sender.send(warning("c"));
        sender.send(warning("d"));
        drop(sender);
        assert_eq!(events.next(), Some(warning("c")));
        assert_eq!(events.next(), Some(Event::Missed(1)));
        assert_eq!(events.next(), None);
    }
}

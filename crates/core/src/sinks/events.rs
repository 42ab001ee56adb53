//! Events as they happen, for readers.

use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::event::Event;
use crate::model::report::Report;

/// The reading end of a monitor's events.
///
/// They end with the monitor itself, when [`Monitor::stop`] or [`Monitor::wait`] has returned or it
/// was dropped. A reader on the thread that owns the monitor must leave at [`Event::InputEnded`],
/// or it would wait for ever.
///
/// ```no_run
/// use flowner_core::{Config, Event, Events, Monitor};
///
/// let config = Config::default();
/// let (queue, events) = Events::queue(config.limits.events);
/// let monitor = Monitor::builder(&config).events(queue).start()?;
/// let stop = monitor.stop_handle(); // for another thread
/// while let Some(event) = events.next() {
///     match event {
///         Event::FlowClosed(flow) => println!("{} -> {}: {}", flow.local, flow.remote, flow.principal),
///         Event::InputEnded(_) => break,
///         _ => {}
///     }
/// }
/// for flow in &monitor.wait().flows {
///     println!("{} -> {}: {}", flow.local, flow.remote, flow.principal);
/// }
/// # drop(stop);
/// # Ok::<(), flowner_core::Error>(())
/// ```
///
/// [`Monitor::stop`]: crate::Monitor::stop
/// [`Monitor::wait`]: crate::Monitor::wait
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Item>,
    tail: Arc<Mutex<Tail>>,
}

/// An event; or a signal to check the data beside the queue: a report, or the end.
type Item = Option<Arc<Event>>;

/// The next thing for a sink.
#[derive(Debug)]
pub(crate) enum News {
    Event(Arc<Event>),
    Report(Arc<Report>),
}

/// Data that found no room in the queue, or needs none.
#[derive(Debug, Default)]
struct Tail {
    missed: u64,
    /// Even the slowest reader gets the end of the input, for which it waits.
    ended: Option<Arc<Event>>,
    /// The newest report that the reader has not taken yet.
    report: Option<Arc<Report>>,
    /// The queue was full when a report came, so it has no signal for it.
    owes_signal: bool,
    /// Nothing follows.
    is_closed: bool,
}

impl Tail {
    /// What follows the last event of the queue; nothing while there may be more.
    fn next(&mut self, is_over: bool) -> Option<Arc<Event>> {
        if self.missed > 0 && (is_over || self.ended.is_some()) {
            return Some(Arc::new(Event::Missed(std::mem::take(&mut self.missed))));
        }
        self.ended.take()
    }

    fn put(&mut self, event: Arc<Event>) {
        match &*event {
            Event::InputEnded(_) => self.ended = Some(event),
            _ => self.missed += 1,
        }
    }
}

impl Events {
    /// A queue of at most `max` events, and its reading end: the queue is for
    /// [`Builder::events`](crate::Builder::events).
    pub fn queue(max: usize) -> (EventQueue, Self) {
        let (sender, receiver) = sync_channel(max);
        let tail = Arc::new(Mutex::new(Tail::default()));
        let queue = EventQueue {
            sender,
            tail: Arc::clone(&tail),
        };
        (queue, Self { receiver, tail })
    }

    /// Waits for the next event; `None` when the monitor has ended (not only its input) and all
    /// events were read.
    pub fn next(&self) -> Option<Event> {
        loop {
            match self.at_once() {
                // The end of the input finds room in the queue from now on.
                Err(NoEvent::Yet) => match self.receiver.recv() {
                    Ok(None) => {}
                    Ok(Some(event)) => return Some(own(event)),
                    Err(_) => return self.rest(true).map(own),
                },
                event => return event.ok().map(own),
            }
        }
    }

    /// As [`next`](Self::next), but gives up after `timeout`.
    ///
    /// # Errors
    /// [`NoEvent::Yet`] after the timeout, [`NoEvent::Ended`] at the end.
    pub fn next_within(&self, timeout: Duration) -> Result<Event, NoEvent> {
        let event = match self.at_once() {
            Err(NoEvent::Yet) => match self.receiver.recv_timeout(timeout) {
                Ok(event) => event.ok_or(NoEvent::Yet),
                Err(RecvTimeoutError::Timeout) => Err(NoEvent::Yet),
                Err(RecvTimeoutError::Disconnected) => self.rest(true).ok_or(NoEvent::Ended),
            },
            event => event,
        };
        event.map(own)
    }

    fn at_once(&self) -> Result<Arc<Event>, NoEvent> {
        match self.receiver.try_recv() {
            Ok(event) => event.ok_or(NoEvent::Yet),
            Err(TryRecvError::Empty) => self.rest(false).ok_or(NoEvent::Yet),
            Err(TryRecvError::Disconnected) => self.rest(true).ok_or(NoEvent::Ended),
        }
    }

    fn rest(&self, is_over: bool) -> Option<Arc<Event>> {
        lock(&self.tail).next(is_over)
    }

    /// Waits for the next thing for a sink: events in order, and the newest report after the events
    /// that came before it. `None` at the end.
    pub(crate) fn news(&self) -> Option<News> {
        loop {
            let (item, is_over) = match self.receiver.try_recv() {
                Ok(item) => (item, false),
                Err(TryRecvError::Empty) => {
                    let is_closed = lock(&self.tail).is_closed;
                    if let Some(news) = self.beside(is_closed) {
                        return Some(news);
                    }
                    if is_closed {
                        return None;
                    }
                    match self.receiver.recv() {
                        Ok(item) => (item, false),
                        Err(_) => (None, true),
                    }
                }
                Err(TryRecvError::Disconnected) => (None, true),
            };
            if let Some(event) = item {
                return Some(News::Event(event));
            }
            if is_over {
                return self.beside(true);
            }
            let mut tail = lock(&self.tail);
            // The last report comes after the number of missed events.
            if !tail.is_closed
                && let Some(report) = tail.report.take()
            {
                return Some(News::Report(report));
            }
        }
    }

    /// The data beside an empty queue.
    fn beside(&self, is_over: bool) -> Option<News> {
        let mut tail = lock(&self.tail);
        let event = tail.next(is_over).map(News::Event);
        event.or_else(|| tail.report.take().map(News::Report))
    }
}

/// An event that its reader owns. The reader copies it, not the capture thread, and only if other
/// readers have it, too.
fn own(event: Arc<Event>) -> Event {
    Arc::unwrap_or_clone(event)
}

fn lock(tail: &Mutex<Tail>) -> MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why there is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEvent {
    /// No event came in time.
    #[error("nothing happened yet")]
    Yet,
    /// The monitor has ended.
    #[error("the monitor has ended")]
    Ended,
}

/// The writing end of [`Events`], bounded, for [`Builder::events`](crate::Builder::events).
#[derive(Debug)]
pub struct EventQueue {
    sender: SyncSender<Item>,
    tail: Arc<Mutex<Tail>>,
}

impl EventQueue {
    /// Sends an event without waiting. A reader that is gone misses nothing.
    pub(crate) fn send(&self, event: Arc<Event>) {
        let mut tail = lock(&self.tail);
        if tail.owes_signal {
            tail.owes_signal = !self.try_send(None);
        }
        if tail.missed > 0 {
            if !self.try_send(Some(Arc::new(Event::Missed(tail.missed)))) {
                tail.put(event);
                return;
            }
            tail.missed = 0;
        }
        match self.sender.try_send(Some(event)) {
            Err(TrySendError::Full(Some(event))) => tail.put(event),
            Ok(()) | Err(TrySendError::Full(None) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Puts a report beside the queue, in place of one that was not taken yet.
    pub(crate) fn report(&self, report: Arc<Report>) {
        let mut tail = lock(&self.tail);
        tail.report = Some(report);
        tail.owes_signal = !self.try_send(None);
    }

    /// Ends the queue with the last report, without waiting.
    pub(crate) fn close(&self, last: Arc<Report>) {
        {
            let mut tail = lock(&self.tail);
            tail.report = Some(last);
            tail.is_closed = true;
        }
        // If there is no room, the reader checks after it has taken the rest.
        self.try_send(None);
    }

    /// Whether there was room for it, or the reader is gone.
    fn try_send(&self, item: Item) -> bool {
        !matches!(self.sender.try_send(item), Err(TrySendError::Full(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::EndState;

    fn warning(text: &str) -> Event {
        Event::Warning(text.to_owned())
    }

    fn send(queue: &EventQueue, event: Event) {
        queue.send(Arc::new(event));
    }

    #[test]
    fn a_slow_reader_gets_the_number_of_missed_events() {
        let (sender, events) = Events::queue(2);
        for text in ["a", "b", "c", "d"] {
            send(&sender, warning(text));
        }
        assert_eq!(events.next(), Some(warning("a")));
        assert_eq!(events.next(), Some(warning("b")));
        send(&sender, warning("e"));
        drop(sender);
        assert_eq!(events.next(), Some(Event::Missed(2)));
        assert_eq!(events.next(), Some(warning("e")));
        assert_eq!(events.next(), None);
    }

    #[test]
    fn the_end_is_sent_though_the_queue_is_full() {
        let (sender, events) = Events::queue(1);
        send(&sender, warning("a"));
        send(&sender, warning("b"));
        send(&sender, Event::InputEnded(EndState::Stopped));
        // A thread that waits for it owns the monitor, and so the sender.
        assert_eq!(events.next(), Some(warning("a")));
        assert_eq!(events.next(), Some(Event::Missed(1)));
        let ended = events.next_within(Duration::ZERO);
        assert_eq!(ended, Ok(Event::InputEnded(EndState::Stopped)));
        assert_eq!(events.next_within(Duration::ZERO), Err(NoEvent::Yet));
        // Late events that are missed count at the very end.
        send(&sender, warning("c"));
        send(&sender, warning("d"));
        drop(sender);
        assert_eq!(events.next(), Some(warning("c")));
        assert_eq!(events.next(), Some(Event::Missed(1)));
        assert_eq!(events.next(), None);
    }
}

//! Sinks on their threads, and the queues of those who read events themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Sink;
use super::events::{EventQueue, Events, News};
use crate::model::event::Event;
use crate::model::report::Report;

/// The queues that a monitor writes into.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// Of readers that take events alone.
    pub(crate) events: Vec<EventQueue>,
    /// Of sinks.
    pub(crate) sinks: Vec<EventQueue>,
}

impl Queues {
    /// Whether nobody wants events.
    pub(crate) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.sinks.is_empty()
    }

    /// Hands an event to all; waits for none.
    pub(crate) fn tell(&self, event: Event) {
        let mut all = self.events.iter().chain(&self.sinks);
        let Some(first) = all.next() else {
            return;
        };
        for queue in all {
            queue.send(event.clone());
        }
        first.send(event);
    }

    /// Hands a report to all sinks; waits for none.
    pub(crate) fn report(&self, report: &Arc<Report>) {
        for queue in &self.sinks {
            queue.report(Arc::clone(report));
        }
    }

    /// Tells all sinks that this report is the last thing that comes; waits until each has a place
    /// in its queue for that.
    pub(crate) fn close(&self, last: &Arc<Report>) {
        for queue in &self.sinks {
            queue.close(Arc::clone(last));
        }
    }
}

/// Starts the thread of a sink, which ends with its queue. If the sink panics, `failed` takes a
/// warning.
///
/// # Errors
/// When the system has no more threads.
pub(crate) fn spawn(
    mut sink: Box<dyn Sink>,
    news: Events,
    failed: impl FnOnce(String) + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let name = sink.name().to_owned();
    let follow = move || {
        while let Some(news) = news.news() {
            match news {
                News::Event(event) => sink.event(event),
                News::Report(report) => sink.report(report),
            }
        }
    };
    let run = move || {
        // Nothing of the sink is used after it has panicked.
        if catch_unwind(AssertUnwindSafe(follow)).is_err() {
            failed(format!("the sink `{name}` failed, and gets nothing more"));
        }
    };
    let thread = std::thread::Builder::new().name("flowner-sink".to_owned());
    thread.spawn(run)
}

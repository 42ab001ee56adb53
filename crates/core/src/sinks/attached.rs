//! Sinks on their threads, and the queues of readers of events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Sink;
use super::events::{EventQueue, Events, News};
use crate::model::event::Event;
use crate::model::report::{InputInfo, Report};
use crate::model::stop_handle::StopHandle;

/// The queues to which a monitor sends.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// The queues of readers of events.
    pub(crate) events: Vec<EventQueue>,
    /// The queues of sinks.
    pub(crate) sinks: Vec<EventQueue>,
}

impl Queues {
    /// Whether there are no queues.
    pub(crate) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.sinks.is_empty()
    }

    /// Sends an event to all queues, which share it, without waiting.
    pub(crate) fn tell(&self, event: Event) {
        if self.is_empty() {
            return;
        }
        let event = Arc::new(event);
        for queue in self.events.iter().chain(&self.sinks) {
            queue.send(Arc::clone(&event));
        }
    }

    /// Sends a report to all sinks, without waiting.
    pub(crate) fn report(&self, report: &Arc<Report>) {
        for queue in &self.sinks {
            queue.report(Arc::clone(report));
        }
    }

    /// Sends the last report to all sinks, without waiting.
    pub(crate) fn close(&self, last: &Arc<Report>) {
        for queue in &self.sinks {
            queue.close(Arc::clone(last));
        }
    }
}

/// A sink on its thread.
#[derive(Debug)]
pub(crate) struct Attached {
    name: String,
    patience: Duration,
    thread: JoinHandle<()>,
    /// Closed when the sink has finished.
    done: Receiver<()>,
}

impl Attached {
    /// Starts the thread of a sink, which ends with its queue. If the sink panics, `failed` gets a
    /// warning.
    ///
    /// # Errors
    ///
    /// If the system has no more threads.
    pub(crate) fn spawn(
        mut sink: Box<dyn Sink>,
        news: Events,
        (input, stop): (InputInfo, StopHandle),
        failed: impl FnOnce(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (name, patience) = (sink.name().to_owned(), sink.patience());
        let (until_done, done) = channel::<()>();
        let follow = move || {
            sink.started(&input, &stop);
            while let Some(news) = news.news() {
                match news {
                    News::Event(event) => sink.event(&event),
                    News::Report(report) => sink.report(report),
                }
            }
        };
        let called = name.clone();
        let run = move || {
            // The sink is not used after a panic.
            if catch_unwind(AssertUnwindSafe(follow)).is_err() {
                failed(format!("the sink `{called}` failed, and gets nothing more"));
            }
            drop(until_done);
        };
        let thread = std::thread::Builder::new().name("flowner-sink".to_owned());
        Ok(Self {
            name,
            patience,
            thread: thread.spawn(run)?,
            done,
        })
    }

    /// Waits for a sink whose queue was closed `closed_for` ago, for as long as its patience lasts.
    /// Returns a warning if the sink is left behind.
    pub(crate) fn finish(self, closed_for: Duration) -> Result<(), String> {
        let left = self.patience.saturating_sub(closed_for);
        match self.done.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "the sink `{}` did not take what was left within {} s, and was left behind",
                self.name,
                self.patience.as_secs_f64()
            )),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                // The thread catches panics of the sink.
                let _ended = self.thread.join();
                Ok(())
            }
        }
    }
}

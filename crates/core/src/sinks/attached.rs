//! Sinks on their threads, and the queues of those who read events themselves.

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

    /// Hands an event to all, which share it; waits for none.
    pub(crate) fn tell(&self, event: Event) {
        if self.is_empty() {
            return;
        }
        let event = Arc::new(event);
        for queue in self.events.iter().chain(&self.sinks) {
            queue.send(Arc::clone(&event));
        }
    }

    /// Hands a report to all sinks; waits for none.
    pub(crate) fn report(&self, report: &Arc<Report>) {
        for queue in &self.sinks {
            queue.report(Arc::clone(report));
        }
    }

    /// Tells all sinks that this report is the last thing that comes; waits for none.
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
    /// Closed when the sink has taken all that it will.
    done: Receiver<()>,
}

impl Attached {
    /// Starts the thread of a sink, which ends with its queue. If the sink panics, `failed` takes a
    /// warning.
    ///
    /// # Errors
    /// When the system has no more threads.
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
            // Nothing of the sink is used after it has panicked.
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

    /// Waits for a sink whose queue was closed so long ago, for as long as its patience lasts; a
    /// warning if it is left behind.
    pub(crate) fn finish(self, closed_for: Duration) -> Result<(), String> {
        let left = self.patience.saturating_sub(closed_for);
        match self.done.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "the sink `{}` did not take what was left within {} s, and was left behind",
                self.name,
                self.patience.as_secs_f64()
            )),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                // The thread catches the panics of the sink.
                let _ended = self.thread.join();
                Ok(())
            }
        }
    }
}

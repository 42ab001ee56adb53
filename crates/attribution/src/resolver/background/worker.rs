//! What the thread of a resolver does: it asks, tells answers, and survives what fails.
//!
//! A panic in the table or in a closure is caught. What was under way has failed then, and the
//! table, which may be in disorder, is dropped: another one is opened after a while.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::shared::{Shared, Step};
use crate::answer::{Error, Reason, Source};
use crate::policy::{Event, Facts, Key, Request};
use crate::resolver::attributor::{Parts, Reopen};
use crate::tables::SocketTable;

/// How long after a panic another table is opened, at first and at last.
const FIRST_REOPEN: Duration = Duration::from_secs(1);
const LAST_REOPEN: Duration = Duration::from_secs(60);

pub(super) struct Worker<K, F, N> {
    shared: Arc<Shared<K>>,
    /// `None` after a panic, until another one is opened.
    table: Option<Box<dyn SocketTable>>,
    /// The only kind of table that the policy was made for.
    source: Source,
    reopen: Option<Reopen>,
    /// Why it is a lesser table than this system has, until a notice has said it.
    lesser_because: Option<Error>,
    reopen_at: Instant,
    /// How long it waits after the next panic.
    reopen_after: Duration,
    on_event: F,
    on_notice: N,
    is_resting: bool,
    /// In which ways lookups have failed since they worked: the system's kinds of errors.
    failing: Vec<Option<io::ErrorKind>>,
    has_noted_skipped: bool,
}

impl<K: Key, F: FnMut(Event<K>), N: FnMut(Notice)> Worker<K, F, N> {
    pub(super) fn new(shared: Arc<Shared<K>>, parts: Parts, on_event: F, on_notice: N) -> Self {
        let Parts {
            table,
            reopen,
            lesser_because,
        } = parts;
        Self {
            shared,
            source: table.source(),
            table: Some(table),
            reopen,
            lesser_because,
            reopen_at: Instant::now(),
            reopen_after: FIRST_REOPEN,
            on_event,
            on_notice,
            is_resting: false,
            failing: Vec::new(),
            has_noted_skipped: false,
        }
    }

    pub(super) fn run(mut self) {
        if let Some(error) = self.lesser_because.take() {
            self.notice(Notice::LesserTable(error));
        }
        self.observe();
        self.note_skipped();
        loop {
            match self.shared.next_step(self.is_resting) {
                Step::Tell(events) => events.into_iter().for_each(|event| self.tell(event)),
                Step::Ask(request) => {
                    self.is_resting = false;
                    let facts = self.ask(&request);
                    let now = Instant::now();
                    let mut state = self.shared.lock();
                    state.policy.handle_answer(request.id, facts, now);
                }
                Step::Rest => {
                    self.with_table(|table| table.release_idle());
                    self.is_resting = true;
                }
                Step::Stop => return,
            }
        }
    }

    fn tell(&mut self, event: Event<K>) {
        let told = catch_unwind(AssertUnwindSafe(|| (self.on_event)(event)));
        if let Err(panic) = told {
            let message = message_of(&*panic);
            self.notice(Notice::Panicked {
                message,
                reopens_in: None,
            });
        }
    }

    /// Reads all sockets before the first question, where the policy can tell only by that
    /// which of them are new.
    fn observe(&mut self) {
        let observed = self.with_table(|table| {
            let is_enough = table.capabilities().remote_addresses;
            (!is_enough).then(|| table.snapshot())
        });
        match observed.flatten() {
            None => {}
            Some(Ok(snapshot)) => {
                let mut state = self.shared.lock();
                state.policy.observe_snapshot(Arc::new(snapshot));
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the sockets of before could not be read");
                self.note(Some(error));
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Facts {
        self.reopen_if_due();
        let mut failed = Vec::new();
        let mut reason = |error: Error| {
            let reason = error.reason();
            tracing::debug!(%error, "an owner could not be looked up");
            failed.push(error);
            reason
        };
        let facts = self.with_table(|table| {
            if table.capabilities().point_lookup {
                let answers = table.find_each(&request.queries).into_iter();
                Facts::Answers(answers.map(|answer| answer.map_err(&mut reason)).collect())
            } else {
                match table.snapshot() {
                    Ok(snapshot) => Facts::Snapshot(Arc::new(snapshot)),
                    Err(error) => Facts::Failed(reason(error)),
                }
            }
        });
        let Some(facts) = facts else {
            return Facts::Failed(Reason::Failed);
        };
        self.note_skipped();
        let is_all_well = failed.is_empty();
        for error in failed {
            self.note(Some(error));
        }
        if is_all_well {
            self.note(None);
        }
        facts
    }

    /// Does something with the table, if there is one, and it does not panic.
    fn with_table<T>(&mut self, act: impl FnOnce(&mut dyn SocketTable) -> T) -> Option<T> {
        let table = self.table.as_mut()?;
        let acted = catch_unwind(AssertUnwindSafe(|| act(&mut **table)));
        acted.map_err(|panic| self.give_up_table(&*panic)).ok()
    }

    fn give_up_table(&mut self, panic: &(dyn Any + Send)) {
        if let Some(table) = self.table.take() {
            // What is in disorder may panic once more.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(table)));
            if dropped.is_err() {
                tracing::error!("a socket table panicked when it was dropped");
            }
        }
        self.reopen_at = Instant::now() + self.reopen_after;
        let reopens_in = self.reopen.as_ref().map(|_| self.reopen_after);
        self.reopen_after = (2 * self.reopen_after).min(LAST_REOPEN);
        // The next failure gets a notice again.
        self.failing.push(None);
        self.notice(Notice::Panicked {
            message: message_of(panic),
            reopens_in,
        });
    }

    fn reopen_if_due(&mut self) {
        let (None, Some(reopen)) = (&self.table, &self.reopen) else {
            return;
        };
        if Instant::now() < self.reopen_at {
            return;
        }
        match catch_unwind(AssertUnwindSafe(reopen)) {
            Ok(Ok(table)) if table.source() == self.source => self.table = Some(table),
            Ok(opened) => {
                let error = opened.err().unwrap_or_else(|| Error::Sockets {
                    asked: "another socket table".to_owned(),
                    source: io::Error::other("only a lesser one can be opened"),
                });
                self.reopen_at = Instant::now() + self.reopen_after;
                self.reopen_after = (2 * self.reopen_after).min(LAST_REOPEN);
                self.note(Some(error));
            }
            Err(panic) => self.give_up_table(&*panic),
        }
    }

    /// Reports once that there is more than can be looked into.
    fn note_skipped(&mut self) {
        if self.has_noted_skipped {
            return;
        }
        let skipped = self.with_table(|table| table.skipped_namespaces());
        if let Some(skipped) = skipped.flatten() {
            self.has_noted_skipped = true;
            self.notice(Notice::NamespacesSkipped(skipped));
        }
    }

    /// Notes how a lookup went: each kind of failure is reported once, until one works.
    fn note(&mut self, failed: Option<Error>) {
        let Some(error) = failed else {
            if !self.failing.is_empty() {
                self.failing.clear();
                self.notice(Notice::LookupsWork);
            }
            return;
        };
        // That a system is not supported is known from the start, and said of each flow.
        let Some(source) = error.io_error() else {
            return;
        };
        let kind = Some(source.kind());
        if !self.failing.contains(&kind) {
            self.failing.push(kind);
            self.notice(Notice::LookupsFail(error));
        }
    }

    fn notice(&mut self, notice: Notice) {
        tracing::warn!("{notice}");
        if catch_unwind(AssertUnwindSafe(|| (self.on_notice)(notice))).is_err() {
            tracing::error!("the closure that takes notices panicked");
        }
    }
}

/// What a panic said.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic".to_owned())
}

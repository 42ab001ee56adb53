//! The thread of a resolver: it queries the table, delivers answers, and survives failures.
//!
//! The thread catches a panic in the table or in a closure. The work under way has failed then. The
//! thread drops the table, which may be inconsistent, and opens another one after a while.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::notice::Notice;
use super::shared::{Shared, Step};
use crate::answer::{Error, Reason, Source};
use crate::policy::{Event, Key, TableAnswer, TableRequest};
use crate::resolver::attributor::{Parts, Reopen};
use crate::tables::SocketTable;

/// How long after a panic the thread opens another table: the first wait and the longest one.
const FIRST_REOPEN: Duration = Duration::from_secs(1);
const LAST_REOPEN: Duration = Duration::from_secs(60);

pub(super) struct Worker<K, F, N> {
    shared: Arc<Shared<K>>,
    /// `None` after a panic, until the thread opens another one.
    table: Option<Box<dyn SocketTable>>,
    /// The kind of table that the policy was made for. No other kind replaces it.
    source: Source,
    reopen: Option<Reopen>,
    /// The error of the better table if this one is only a replacement, until a notice has reported
    /// it.
    fallback_reason: Option<Error>,
    reopen_at: Instant,
    /// The wait after the next panic.
    reopen_after: Duration,
    on_event: F,
    on_notice: N,
    is_resting: bool,
    /// The kinds of errors with which lookups have failed since the last one that worked.
    failing: Vec<Option<io::ErrorKind>>,
    has_noted_skipped: bool,
}

impl<K: Key, F: FnMut(Event<K>), N: FnMut(Notice)> Worker<K, F, N> {
    pub(super) fn new(shared: Arc<Shared<K>>, parts: Parts, on_event: F, on_notice: N) -> Self {
        let Parts {
            table,
            reopen,
            fallback_reason,
        } = parts;
        Self {
            shared,
            source: table.source(),
            table: Some(table),
            reopen,
            fallback_reason,
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
        if let Some(error) = self.fallback_reason.take() {
            self.notice(Notice::FallbackTable(error));
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
        let delivered = catch_unwind(AssertUnwindSafe(|| (self.on_event)(event)));
        if let Err(panic) = delivered {
            let message = message_of(&*panic);
            self.notice(Notice::Panicked {
                message,
                reopens_in: None,
            });
        }
    }

    /// Reads all sockets before the first request if the policy needs this to distinguish new
    /// sockets from older ones.
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

    fn ask(&mut self, request: &TableRequest) -> TableAnswer {
        self.reopen_if_due();
        let mut failed = Vec::new();
        let mut reason = |error: Error| {
            let reason = error.reason();
            tracing::debug!(%error, "could not look up an owner");
            failed.push(error);
            reason
        };
        let facts = self.with_table(|table| {
            if table.capabilities().point_lookup {
                let answers = table.find_each(&request.queries).into_iter();
                TableAnswer::Answers(answers.map(|answer| answer.map_err(&mut reason)).collect())
            } else {
                match table.snapshot() {
                    Ok(snapshot) => TableAnswer::Snapshot(Arc::new(snapshot)),
                    Err(error) => TableAnswer::Failed(reason(error)),
                }
            }
        });
        let Some(facts) = facts else {
            return TableAnswer::Failed(Reason::Failed);
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

    /// Does something with the table. `None` if there is no table, or it panics.
    fn with_table<T>(&mut self, act: impl FnOnce(&mut dyn SocketTable) -> T) -> Option<T> {
        let table = self.table.as_mut()?;
        let acted = catch_unwind(AssertUnwindSafe(|| act(&mut **table)));
        acted.map_err(|panic| self.give_up_table(&*panic)).ok()
    }

    fn give_up_table(&mut self, panic: &(dyn Any + Send)) {
        if let Some(table) = self.table.take() {
            // A table in an inconsistent state may panic again.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(table)));
            if dropped.is_err() {
                tracing::error!("a socket table panicked when it was dropped");
            }
        }
        self.reopen_at = Instant::now() + self.reopen_after;
        let reopens_in = self.reopen.as_ref().map(|_| self.reopen_after);
        self.reopen_after = (2 * self.reopen_after).min(LAST_REOPEN);
        // The next failure causes a notice again.
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
                    request: "another socket table".to_owned(),
                    source: io::Error::other("only a fallback table can be opened"),
                });
                self.reopen_at = Instant::now() + self.reopen_after;
                self.reopen_after = (2 * self.reopen_after).min(LAST_REOPEN);
                self.note(Some(error));
            }
            Err(panic) => self.give_up_table(&*panic),
        }
    }

    /// Reports once that there are more namespaces than the table may open.
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

    /// Records the result of a lookup: reports each kind of failure once, until a lookup works.
    fn note(&mut self, failed: Option<Error>) {
        let Some(error) = failed else {
            if !self.failing.is_empty() {
                self.failing.clear();
                self.notice(Notice::LookupsWork);
            }
            return;
        };
        // The resolver knows from the start that a system is not supported, and each answer says
        // so.
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

/// The message of a panic.
fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic".to_owned())
}

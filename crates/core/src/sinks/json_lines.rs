//! JSON lines as a sink.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Sink;
use crate::export::json::{FlowLine, HeadLine, MissedLine, WarningLine, write_line};
use crate::model::event::Event;
use crate::model::report::InputInfo;
use crate::model::selection::Selection;
use crate::model::stop_handle::StopHandle;
use crate::query::filter::Filter;

/// A sink that writes a [JSON line](crate::json) for each flow that ends, for each warning and for
/// missed events, with the head line before them. It flushes each line at once.
///
/// When it can write no more, it stops the monitor; [`JsonLinesAccount::failure`] says why.
///
/// ```no_run
/// use flowner_core::{Config, Filter, JsonLines, Monitor};
///
/// let lines = JsonLines::new(std::fs::File::create("flows.jsonl")?);
/// let lines = lines.filtered(&"program:curl".parse()?);
/// let account = lines.account();
/// let monitor = Monitor::builder(&Config::default()).sink(lines).start()?;
/// monitor.wait();
/// if let Some(error) = account.failure() {
///     eprintln!("flows.jsonl is not complete: {error}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JsonLines<W> {
    output: W,
    /// The buffer of a line: each is written in one piece.
    made: Vec<u8>,
    wanted: Selection,
    stop: Option<StopHandle>,
    account: JsonLinesAccount,
    patience: Duration,
}

/// The result of [`JsonLines`].
#[derive(Debug, Clone, Default)]
pub struct JsonLinesAccount(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    missed: u64,
    failure: Option<io::Error>,
}

impl JsonLinesAccount {
    /// The number of events, and so perhaps of lines, that it missed because it was too slow.
    pub fn missed(&self) -> u64 {
        self.state().missed
    }

    /// Why it can write no more, once: the next call returns `None`.
    pub fn failure(&self) -> Option<io::Error> {
        self.state().failure.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send + 'static> JsonLines<W> {
    /// Lines of all flows.
    pub fn new(output: W) -> Self {
        Self {
            output,
            made: Vec::new(),
            wanted: Selection::default(),
            stop: None,
            account: JsonLinesAccount::default(),
            patience: Duration::from_secs(10),
        }
    }

    /// Writes lines only for flows that pass the filter.
    #[must_use]
    pub fn filtered(self, filter: &Filter) -> Self {
        let wanted = Selection::from(filter);
        Self { wanted, ..self }
    }

    /// How long the end of the monitor waits for the last lines; see [`Sink::patience`].
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The account of the lines: keep it, and read it after the monitor has ended.
    pub fn account(&self) -> JsonLinesAccount {
        self.account.clone()
    }

    fn line(&mut self, line: &impl Serialize) {
        // A line that was written in part would be the beginning of the next one.
        if self.account.state().failure.is_some() {
            return;
        }
        self.made.clear();
        let written = write_line(&mut self.made, line)
            .and_then(|()| self.output.write_all(&self.made))
            .and_then(|()| self.output.flush());
        if let Err(error) = written {
            self.account.state().failure = Some(error);
            if let Some(stop) = &self.stop {
                stop.stop();
            }
        }
    }
}

impl<W: Write + Send + 'static> Sink for JsonLines<W> {
    fn name(&self) -> &'static str {
        "JSON lines"
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn started(&mut self, input: &InputInfo, stop: &StopHandle) {
        self.stop = Some(stop.clone());
        self.line(&HeadLine::watch(input));
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::FlowClosed(flow) if self.wanted.matches(flow) => {
                self.line(&FlowLine::new(flow));
            }
            Event::Warning(text) => self.line(&WarningLine::new(text)),
            Event::Missed(count) => {
                self.account.state().missed += count;
                self.line(&MissedLine::new(*count));
            }
            _ => {}
        }
    }
}

//! Builds a monitor.

use std::time::Duration;

use flowner_attribution::Attributor;

use super::Monitor;
use super::config::Config;
use super::input::OpenInput;
use super::names::NameFiles;
use super::recording::OpenRecording;
use crate::model::error::Error;
use crate::sinks::Sink;
use crate::sinks::events::EventQueue;

/// How often sinks get a report, unless [`Builder::tick`] says otherwise.
const TICK: Duration = Duration::from_secs(1);

/// The shortest tick: making reports takes CPU time that others need, too.
const MIN_TICK: Duration = Duration::from_millis(10);

/// Builds a [`Monitor`]; [`Monitor::builder`] returns one.
#[must_use = "it does nothing until it is started"]
pub struct Builder {
    pub(super) config: Config,
    pub(super) attributor: Option<Attributor>,
    pub(super) events: Vec<EventQueue>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) tick: Duration,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sinks: Vec<_> = self.sinks.iter().map(|sink| sink.name()).collect();
        let mut builder = f.debug_struct("Builder");
        builder.field("config", &self.config).field("sinks", &sinks);
        builder.finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            attributor: None,
            events: Vec::new(),
            sinks: Vec::new(),
            tick: TICK,
        }
    }

    /// Looks up owners with this, instead of the best table of this system.
    pub fn attributor(mut self, attributor: Attributor) -> Self {
        self.attributor = Some(attributor);
        self
    }

    /// Sends events and reports to a sink, or the packets if it [records](Sink::packets), on a
    /// thread of its own. There may be several sinks.
    pub fn sink(mut self, sink: impl Sink) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Sends events to a [queue](crate::Events::queue) that the caller reads. There may be several.
    pub fn events(mut self, queue: EventQueue) -> Self {
        self.events.push(queue);
        self
    }

    /// How often sinks get a report: once a second by default, and at most every 10 ms.
    pub fn tick(mut self, tick: Duration) -> Self {
        self.tick = tick.max(MIN_TICK);
        self
    }

    /// Opens the input, the databases of countries and networks, and the files of sinks that [record](Sink::packets), and starts no thread: a
    /// program can give up privileges before it [starts](OpenMonitor::start), and so before it
    /// reads a packet. It reads nothing of a capture file, if no sink records.
    ///
    /// # Errors
    /// If the input cannot be opened, or such a file cannot be created.
    pub fn open(self) -> Result<OpenMonitor, Error> {
        let mut input = OpenInput::new(&self.config)?;
        let names = NameFiles::open(&self.config);
        let mut recordings = Vec::new();
        if self.sinks.iter().any(|sink| sink.packets().is_some()) {
            let opened = input.read(&self.config)?;
            for recording in self.sinks.iter().filter_map(|sink| sink.packets()) {
                recordings.push(OpenRecording::new(recording, &opened, &self.config)?);
            }
            input = OpenInput::Ready(Box::new(opened));
        }
        Ok(OpenMonitor {
            builder: self,
            input,
            names,
            recordings,
        })
    }

    /// Opens the input and starts. When this returns, the capture of a device runs, and new flows
    /// get their owners.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); or owners are wanted and this system offers no lookup;
    /// or it has no more threads.
    pub fn start(self) -> Result<Monitor, Error> {
        self.open()?.start()
    }
}

/// A monitor with an open input and without threads.
pub struct OpenMonitor {
    builder: Builder,
    input: OpenInput,
    names: NameFiles,
    recordings: Vec<OpenRecording>,
}

impl std::fmt::Debug for OpenMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut open = f.debug_struct("OpenMonitor");
        open.field("builder", &self.builder).finish_non_exhaustive()
    }
}

impl OpenMonitor {
    /// Reads the header of a capture file, and starts.
    ///
    /// # Errors
    /// If the input is not a capture file; if owners are wanted and this system offers no lookup; or if
    /// it has no more threads.
    pub fn start(self) -> Result<Monitor, Error> {
        let opened = self.input.read(&self.builder.config)?;
        Monitor::launch(self.builder, opened, self.names, self.recordings)
    }
}

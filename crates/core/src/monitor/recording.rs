//! A monitor whose packets are recorded: what joins it and the thread that writes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flowner_capture::pcapng::{Interface, Section};
use flowner_capture::{Device, Statistics};

use super::builder::Builder;
use super::config::Config;
use super::input::{Opened, Stopper};
use super::{Monitor, Shared};
use crate::model::error::Error;
use crate::model::packet_ref::{PacketRef, ResolvedOwner};
use crate::model::report::{InputInfo, Report};
use crate::model::selection::Selection;
use crate::model::stop_handle::StopHandle;
use crate::sinks::record::{
    self, Books, Files, Job, Origin, Recorder, RecordingConfig, RecordingStats,
};
use crate::system::privileges::without_capabilities;

impl Builder {
    /// Writes the packets into files, too. Packets are held until their owners are known, so
    /// this loses none for being slow, as a [`Sink`](crate::Sink) would lose events: what cannot be held is
    /// [counted](crate::recording::RecordingStats).
    pub fn recording(self, recording: &RecordingConfig) -> RecordingBuilder {
        RecordingBuilder {
            builder: self,
            recording: recording.clone(),
        }
    }
}

/// A [`Recording`] that was not started yet; [`Builder::recording`] makes it.
#[derive(Debug)]
#[must_use = "it does nothing until it is started"]
pub struct RecordingBuilder {
    builder: Builder,
    recording: RecordingConfig,
}

impl RecordingBuilder {
    /// Opens the input and the output, and starts.
    ///
    /// # Errors
    /// Those of [`Builder::start`], and [`Error::Exists`], [`Error::NoFolder`] and
    /// [`Error::Unwritable`].
    pub fn start(self) -> Result<Recording, Error> {
        Recording::start(self.builder, &self.recording)
    }
}

/// A monitor whose packets are recorded; [`Builder::recording`](crate::Builder::recording) begins it.
#[derive(Debug)]
pub struct Recording {
    monitor: Monitor,
    recorder: Arc<Recorder>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Recording {
    fn start(builder: Builder, recording: &RecordingConfig) -> Result<Self, Error> {
        let (monitor, (recorder, thread)) = Monitor::start_recorded(builder, recording)?;
        Ok(Self {
            monitor,
            recorder,
            thread: Some(thread),
        })
    }

    /// Where the packets come from.
    pub const fn input(&self) -> &InputInfo {
        self.monitor.input()
    }

    /// What happened so far.
    pub fn tally(&self) -> RecordingStats {
        self.recorder.tally()
    }

    /// What is known now.
    pub fn report(&self) -> Arc<Report> {
        self.monitor.report()
    }

    /// What stops it from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.monitor.stop_handle()
    }

    /// Waits until the input has ended, at most for `timeout`; whether it has. It ends when the
    /// output fails, too.
    pub fn wait_ended(&self, timeout: Duration) -> bool {
        self.monitor.wait_ended(timeout)
    }

    /// As [`wait_ended`](Self::wait_ended), but waits no longer than until the
    /// [interruption](Report::interruption) is another one than this, which is then replaced.
    pub fn wait_interrupted(&self, known: &mut Option<String>, timeout: Duration) -> bool {
        self.monitor.wait_interrupted(known, timeout)
    }

    /// After the input has ended: writes the packets that still wait for their owners, and
    /// closes the file.
    pub fn finish(mut self) -> Recorded {
        self.monitor.join();
        self.recorder.end();
        let output = match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => {
                let message = "the recording thread failed; this is a defect of flowner";
                Err(Error::Recording(message.to_owned()))
            }
            None => Ok(()),
        };
        Recorded {
            report: self.monitor.wait(),
            tally: self.recorder.tally(),
            output,
        }
    }
}

/// What came of a recording.
#[derive(Debug)]
pub struct Recorded {
    /// What was captured.
    pub report: Arc<Report>,
    /// What happened to the packets.
    pub tally: RecordingStats,
    /// [`Error::Unwritable`] or [`Error::Removed`], or what a next file met, where that has ended
    /// the recording. What was written before can be read, up to the last whole packet.
    pub output: Result<(), Error>,
}

/// The thread that writes, and what it is given packets through.
type Writing = (Arc<Recorder>, JoinHandle<Result<(), Error>>);

impl Monitor {
    /// Starts, with a thread that writes what is captured.
    fn start_recorded(
        builder: Builder,
        recording: &RecordingConfig,
    ) -> Result<(Self, Writing), Error> {
        let opened = Opened::new(&builder.config)?;
        let origin = opened.origin(&builder.config);
        let begin = || Files::begin(recording, origin, record::wall_clock());
        // What looks at processes of others would let its user reach what they hide.
        let files = without_capabilities(begin)?;
        let recorder = Arc::new(Recorder::new());
        let for_capture = Some(Arc::clone(&recorder));
        let monitor = Self::launch(builder, opened, for_capture)?;
        let job = Job {
            recorder: Arc::clone(&recorder),
            books: Handle {
                shared: Arc::clone(&monitor.shared),
                stopper: monitor.stopper.clone(),
            },
            wanted: Selection::from(&recording.filter),
            files,
        };
        let thread = std::thread::Builder::new()
            .name("flowner-record".to_owned())
            // It opens the files that follow.
            .spawn(move || without_capabilities(|| job.run()))
            .map_err(Error::Thread)?;
        Ok((monitor, (recorder, thread)))
    }
}

/// What the writing thread knows of the monitor.
struct Handle {
    shared: Arc<Shared>,
    stopper: Stopper,
}

impl Books for Handle {
    fn flows(&self, flows: &[Option<PacketRef>], wanted: &Selection) -> Vec<Option<ResolvedOwner>> {
        let ledger = self.shared.ledger();
        let known = flows.iter().map(|flow| ledger.known((*flow)?, wanted));
        known.collect()
    }

    fn statistics(&self) -> Option<Statistics> {
        self.shared.status().capture
    }

    fn stop(&self) {
        self.stopper.stop();
    }
}

impl Opened {
    /// What a file begins with that records this input.
    fn origin(&self, config: &Config) -> Origin {
        Origin {
            section: Section {
                hardware: Some(std::env::consts::ARCH.to_owned()),
                os: Some(std::env::consts::OS.to_owned()),
                application: Some(format!("flowner {}", env!("CARGO_PKG_VERSION"))),
                comment: None,
            },
            interface: Interface {
                snap_length: config.live.snap_length,
                name: Some(self.info.name.clone()),
                filter: config.capture_filter.clone(),
                addresses: addresses(&self.devices, &self.info.name),
                ..Interface::new(self.link_type)
            },
        }
    }
}

/// The addresses of a device; of one that has none, such as `any`, those of all.
fn addresses(devices: &[Device], name: &str) -> Vec<std::net::IpAddr> {
    let of = |device: &Device| device.addresses.iter().map(|address| address.ip).collect();
    let own: Vec<_> = devices
        .iter()
        .find(|device| device.name == name)
        .map_or_else(Vec::new, of);
    if !own.is_empty() {
        return own;
    }
    devices.iter().flat_map(of).collect()
}

//! Recording: what a monitor captures, in pcapng files that tell who owns each packet.
//!
//! # The comments
//!
//! A packet has a comment for each of its ends whose owner was looked for: one, or two where
//! both ends are on this host. Wireshark shows them; `flowner read` reads them again.
//!
//! ```text
//! flowner: program=curl pid=4242 user=ada uid=1000 started=2026-01-01T00:00:00.000000000Z
//!          path=/usr/bin/curl verdict=process match=five-tuple end=source
//! ```
//!
//! (In one line.) After `flowner:` come keys and values, each pair after a space. A value is in
//! double quotes where it is empty or has a space, a character that [`text`](crate::text) masks,
//! `"`, `\` or `=` in it;
//! `\"`, `\\`, `\n`, `\r`, `\t` and `\u{HEX}` stand for single characters there. What is no
//! UTF-8 has U+FFFD in its place. Keys are never renamed; readers skip those that they do not
//! know.
//!
//! | key | value |
//! |---|---|
//! | `verdict` | `process`, `shared`, `partial` or `unknown` |
//! | `end` | whose owner it is: that of the packet's `source` or `destination` |
//! | `reason` | why nobody is known, where that is so: `not-found`, `gone`, `denied` … |
//! | `match` | how closely the socket fits: `five-tuple`, `local-endpoint` … |
//! | `namespace`, `namespace-name` | the network namespace of the socket, where it is another |
//!
//! Before these are the keys of the process, of each where several share the socket (at most
//! eight; `more` counts the others, of which a reader knows nothing), beginning with its `program`, as a person calls it, and
//! `pid`; then, as far as they are known, `process` (its name, where that is not the
//! program's), `user`, `uid`, `started` (RFC 3339), `path`, `path-deleted` (`yes`), and one of
//! `service`, `container`, `flatpak` and `snap`. Where only the user or such a unit is known,
//! those keys stand alone.
//!
//! # What a file claims
//!
//! Anybody can write such comments. Owners that are read again have the source
//! [`Recorded`](flowner_attribution::Source::Recorded), which all outputs show, and nothing that
//! they name is looked up on this host. A comment is refused, and its packet kept, if it has not
//! this form, contradicts itself (as `verdict=process` with two, or with `more`), has a pid of 0 or above
//! 4,194,304, or more than 64 processes; a report counts those (`refused_claims`).
//!
//! # Files
//!
//! Packets are in the order in which they were captured. Each waits until its owners are
//! settled, for half a second at most. A file ends with what the kernel and the device have
//! dropped. Whole blocks are handed to the operating system, at least once a second, so that
//! what was recorded can be read after a crash.

mod files;
mod pending;
mod recorder;
mod writer;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use files::{Files, Origin};
pub(crate) use recorder::{Belonging, Recorder};
pub(crate) use writer::{Books, Job, Known, now, wall_clock};

use crate::model::config::Config;
use crate::model::error::Error;
use crate::model::report::{InputInfo, Report};
use crate::monitor::{Monitor, StopHandle};
use crate::query::filter::Filter;

/// What is recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Where the packets go.
    pub output: Output,
    /// Whether files that exist are written over.
    pub overwrite: bool,
    /// When another file is begun.
    pub rotation: Rotation,
    /// Packets are recorded of the flows that match, as these are known when the packet is
    /// written. What cannot be decoded is of no flow.
    pub filter: Filter,
}

/// Where packets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// This file; with rotation, files beside it that have a number and the time at which they
    /// were begun in their name, as in `trace_00001_20260101T000000Z.pcapng`.
    File(PathBuf),
    /// Standard output.
    StandardOutput,
}

/// When another file is begun. By default never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// Before one is larger than so many bytes.
    pub size: Option<u64>,
    /// After one has been written for so long.
    pub time: Option<Duration>,
    /// So many files are kept; before there is one more, the oldest is removed.
    pub files: Option<NonZeroUsize>,
}

impl Rotation {
    const fn is_on(&self) -> bool {
        self.size.is_some() || self.time.is_some()
    }
}

/// What happened to the packets. Each that was captured is in exactly one of the first four,
/// or still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Packets that were written. Until the end these may still wait to be handed to the
    /// operating system; if that fails, they become [`failed`](Self::failed).
    pub written: u64,
    /// Packets that do not match the filter.
    pub left_out: u64,
    /// Packets that were dropped because the output was too slow.
    pub too_slow: u64,
    /// Packets that were dropped because the output failed.
    pub failed: u64,
    /// Bytes of all files so far.
    pub bytes: u64,
    /// Packets that were written and name a process.
    pub named: u64,
    /// Files that were begun.
    pub files: u64,
}

/// A monitor whose packets are recorded.
#[derive(Debug)]
pub struct Recording {
    monitor: Monitor,
    recorder: Arc<Recorder>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Recording {
    /// Opens the input and the output, and starts.
    ///
    /// # Errors
    /// Those of [`Monitor::start`], and [`Error::Exists`], [`Error::NoFolder`] and
    /// [`Error::Unwritable`].
    pub fn start(config: &Config, recording: &RecordingConfig) -> Result<Self, Error> {
        let (monitor, (recorder, thread)) = Monitor::start_recorded(config, recording)?;
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
    pub fn tally(&self) -> Tally {
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
    pub tally: Tally,
    /// [`Error::Unwritable`] or [`Error::Removed`], or what a next file met, where that has ended
    /// the recording. What was written before can be read, up to the last whole packet.
    pub output: Result<(), Error>,
}

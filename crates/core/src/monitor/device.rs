//! A captured device, which this opens again after it went down or disappeared.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowner_capture::{self as capture, LinkType, LiveOptions, OtherLinkType, Source, Statistics};

use super::config::Config;
use super::stop::Stop;
use crate::model::error::Error;

/// How often this tries to open a device that is down or gone. Each system has its own way to
/// report its return; until then there is nothing to capture.
const AGAIN: Duration = Duration::from_millis(500);

/// The name of all devices for people.
const ALL: &str = "all devices";

/// The devices to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    One(String),
    Several(Vec<String>),
    All,
}

impl Which {
    /// Opens them with the configuration.
    pub(super) fn open(&self, config: &Config) -> Result<Source, Error> {
        let mut options = LiveOptions {
            snap_length: config.live.snap_length,
            promiscuous: config.live.promiscuous,
            filter: config.capture_filter.clone(),
            buffer_bytes: buffer_bytes(config.live.snap_length),
            device: String::new(),
        };
        Ok(match self {
            Self::All => Source::all(&options)?,
            Self::Several(names) => Source::several(names, &options)?,
            Self::One(name) => {
                options.device.clone_from(name);
                Source::live(&options)?
            }
        })
    }

    /// Their name for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::All => ALL.to_owned(),
            Self::Several(names) => names.join(", "),
            Self::One(name) => name.clone(),
        }
    }
}

/// The size of the kernel's buffer for this many bytes of each packet. On Linux each packet takes
/// as much room as the longest one; the buffer must hold a burst of a tenth of a second.
fn buffer_bytes(snap_length: u32) -> u32 {
    const PACKETS: u32 = 16_384;
    const LEAST: u32 = 8 << 20;
    const MOST: u32 = 64 << 20;
    snap_length.saturating_mul(PACKETS).clamp(LEAST, MOST)
}

/// A device as one input from the first packet to the last, even if it goes down meanwhile.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) source: Source,
    which: Which,
    name: String,
    config: Config,
    stop: Arc<DeviceStop>,
    /// The kernel's counters of earlier captures.
    before: Statistics,
    /// The kernel's counters of this capture, from the last read.
    counted: Statistics,
    is_down: bool,
}

/// Stops a device, even while this waits for it.
#[derive(Debug)]
pub(super) struct DeviceStop {
    requested: Stop,
    current: Mutex<capture::Stopper>,
}

impl DeviceStop {
    pub(super) fn stop(&self) {
        self.requested.request();
        self.current().stop();
    }

    fn current(&self) -> MutexGuard<'_, capture::Stopper> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of waiting for a device.
pub(super) enum Waited {
    /// The capture runs again.
    Back,
    /// The device is not there yet.
    NotYet,
    /// The monitor was stopped.
    Stopped,
    /// The device does not come back as it was.
    Failed(String),
}

impl Device {
    pub(super) fn new(source: Source, which: &Which, config: &Config) -> Self {
        Self {
            stop: Arc::new(DeviceStop {
                requested: Stop::default(),
                current: Mutex::new(source.stopper()),
            }),
            source,
            name: which.name(),
            which: which.clone(),
            config: config.clone(),
            before: Statistics::default(),
            counted: Statistics::default(),
            is_down: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the device is down now, if that has changed.
    pub(super) fn went_down_or_up(&mut self) -> Option<bool> {
        let Which::One(name) = &self.which else {
            return None;
        };
        let is_down = !capture::is_up(name)?;
        (std::mem::replace(&mut self.is_down, is_down) != is_down).then_some(is_down)
    }

    /// The name of the device, if it is a single one. `any` of Linux stands for others.
    pub(super) fn only(&self) -> Option<&str> {
        match &self.which {
            Which::One(name) if name != "any" => Some(name),
            _ => None,
        }
    }

    /// Captures from the devices that now have the wanted names.
    pub(super) fn follow(&mut self) -> Result<(), capture::Error> {
        self.source.follow()
    }

    pub(super) fn stopper(&self) -> Arc<DeviceStop> {
        Arc::clone(&self.stop)
    }

    /// The kernel's counters for all captures from this device together.
    pub(super) fn statistics(&mut self) -> Result<Statistics, capture::Error> {
        self.counted = self.source.statistics()?;
        Ok(self.sum())
    }

    fn sum(&self) -> Statistics {
        let Self {
            before, counted, ..
        } = self;
        let mut sum = *before;
        sum.received = sum.received.saturating_add(counted.received);
        sum.dropped_by_kernel = sum
            .dropped_by_kernel
            .saturating_add(counted.dropped_by_kernel);
        sum.dropped_by_interface = sum
            .dropped_by_interface
            .saturating_add(counted.dropped_by_interface);
        sum
    }

    /// Waits a moment, and tries to open the device again.
    pub(super) fn wait(&mut self) -> Waited {
        if self.stop.requested.is_requested_within(AGAIN) {
            return Waited::Stopped;
        }
        match self.which.open(&self.config) {
            Ok(source) => self.go_on(source),
            Err(Error::Capture(
                capture::Error::NoSuchDevice { .. }
                | capture::Error::DeviceDown { .. }
                | capture::Error::DeviceGone { .. },
            )) => Waited::NotYet,
            Err(error) => Waited::Failed(error.to_string()),
        }
    }

    fn go_on(&mut self, source: Source) -> Waited {
        let (old, new) = (self.source.link_type(), source.link_type());
        if old != new {
            return Waited::Failed(other_frames(&self.name, old, new));
        }
        self.before = self.sum();
        self.counted = Statistics::default();
        *self.stop.current() = source.stopper();
        self.source = source;
        self.is_down = false;
        // A stop request may have stopped only the old source.
        if self.stop.requested.is_requested_within(Duration::ZERO) {
            return Waited::Stopped;
        }
        Waited::Back
    }
}

type Frames = Result<LinkType, OtherLinkType>;

fn other_frames(name: &str, old: Frames, new: Frames) -> String {
    let [old, new] = [old, new].map(|it| it.map_or_else(OtherLinkType::name, LinkType::name));
    format!("the device {name} is back with other frames: {new} in place of {old}")
}

/// Whether a device with this error may come back.
pub(super) const fn may_come_back(error: &capture::Error) -> bool {
    matches!(
        error,
        capture::Error::DeviceGone { .. } | capture::Error::DeviceDown { .. }
    )
}

//! A device that is captured from, and is opened again after it went down or away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowner_capture::{self as capture, LinkType, LiveOptions, OtherLinkType, Source, Statistics};

use super::config::Config;
use super::stop::Stop;
use crate::model::error::Error;

/// How often a device is looked for that is down or gone. Systems that tell when one comes back
/// tell it in ways of their own, to those who listen for nothing else; until then there is
/// nothing to capture.
const AGAIN: Duration = Duration::from_millis(500);

/// What people call all devices.
pub(super) const ALL: &str = "all devices";

/// Which devices are captured from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    One(String),
    Several(Vec<String>),
    All,
}

impl Which {
    /// Opens them as they are configured.
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

    /// What people call them.
    pub(super) fn name(&self) -> String {
        match self {
            Self::All => ALL.to_owned(),
            Self::Several(names) => names.join(", "),
            Self::One(name) => name.clone(),
        }
    }
}

/// The kernel's buffer for so many bytes of each packet. On Linux each takes as much room as the
/// longest one; what a burst of a tenth of a second brings must find a place.
fn buffer_bytes(snap_length: u32) -> u32 {
    const PACKETS: u32 = 16_384;
    const LEAST: u32 = 8 << 20;
    const MOST: u32 = 64 << 20;
    snap_length.saturating_mul(PACKETS).clamp(LEAST, MOST)
}

/// A device, as one input from the first packet to the last, whatever happens to it meanwhile.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) source: Source,
    which: Which,
    name: String,
    config: Config,
    stop: Arc<DeviceStop>,
    /// What the kernel counted for captures that are over.
    before: Statistics,
    /// What it counted for this one, when it was asked last.
    counted: Statistics,
    is_down: bool,
}

/// Stops a device, also while it is waited for.
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

/// What became of a device that was waited for.
pub(super) enum Waited {
    /// It is captured from again.
    Back,
    /// It is not there yet.
    NotYet,
    /// Nobody wants it any more.
    Stopped,
    /// It will not be back as it was.
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

    /// Whether it is down now, if that is another answer than the last.
    pub(super) fn went_down_or_up(&mut self) -> Option<bool> {
        let Which::One(name) = &self.which else {
            return None;
        };
        let is_down = !capture::is_up(name)?;
        (std::mem::replace(&mut self.is_down, is_down) != is_down).then_some(is_down)
    }

    /// The name of the device, where there is one alone. `any` of Linux stands for others.
    pub(super) fn only(&self) -> Option<&str> {
        match &self.which {
            Which::One(name) if name != "any" => Some(name),
            _ => None,
        }
    }

    /// Captures from those that have the names now that are wanted.
    pub(super) fn follow(&mut self) -> Result<(), capture::Error> {
        self.source.follow()
    }

    pub(super) fn stopper(&self) -> Arc<DeviceStop> {
        Arc::clone(&self.stop)
    }

    /// What the kernel counted, for all captures from this device together.
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
        // A request to stop it meanwhile may have stopped the old one.
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

/// Whether a device that fails so may come back.
pub(super) const fn may_come_back(error: &capture::Error) -> bool {
    matches!(
        error,
        capture::Error::DeviceGone { .. } | capture::Error::DeviceDown { .. }
    )
}

//! The source of packets: a device, a file, or the demo, behind one type.

use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::Attributor;
use flowner_capture::{
    self as capture, LinkType, Next, OpenFile, OtherLinkType, Progress, Source, Statistics,
};
use flowner_flows::LocalAddresses;

use super::addresses;
use super::config::Config;
use super::device::{Device, DeviceStop, Which};
use super::player::{Clock, Made, Player};
use super::stop::Stop;
use crate::model::config::Input;
use crate::model::demo::Demo;
use crate::model::error::Error;
use crate::model::report::{InputInfo, LocalAddressSource};
use crate::model::stop_handle::StopHandle;

/// An input that is open.
pub(super) enum OpenInput {
    /// A file of which nothing was read.
    Unread(OpenFile),
    Ready(Box<Opened>),
}

impl OpenInput {
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        Ok(match &config.input {
            Input::File(path) => Self::Unread(OpenFile::open(path)?),
            Input::StandardInput => Self::Unread(OpenFile::stdin()),
            _ => Self::Ready(Box::new(Opened::of_devices(config)?)),
        })
    }

    /// Reads what a file says of all its packets.
    pub(super) fn read(self, config: &Config) -> Result<Opened, Error> {
        match self {
            Self::Unread(file) => Opened::of_file(file, config),
            Self::Ready(opened) => Ok(*opened),
        }
    }
}

/// An open input, with the facts about it.
pub(super) struct Opened {
    pub(super) source: PacketSource,
    pub(super) info: InputInfo,
    /// The host's addresses, if known.
    pub(super) local: Option<LocalAddresses>,
    pub(super) local_addresses: LocalAddressSource,
    /// The link type of the frames; for a file, of the first ones.
    pub(super) link_type: Result<LinkType, OtherLinkType>,
    /// The devices of this host, if the packets come from one.
    pub(super) devices: Vec<capture::Device>,
    /// Whether packets come from several devices.
    pub(super) is_several: bool,
    /// The source of owners, if it is not the system.
    pub(super) attributor: Option<Attributor>,
    /// The clock of the demo's host; its processes are not those of this system either.
    pub(super) clock: Option<Clock>,
}

impl Opened {
    #[cfg(test)]
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        OpenInput::new(config)?.read(config)
    }

    fn of_file(file: OpenFile, config: &Config) -> Result<Self, Error> {
        let source = Source::open_file(file, config.capture_filter.as_deref())?;
        let name = match &config.input {
            Input::File(path) => path.display().to_string(),
            _ => "-".to_owned(),
        };
        let recorded = if config.read.infer_local_addresses {
            source.addresses()
        } else {
            Vec::new()
        };
        let given = !config.local_addresses.is_empty() || !config.local_networks.is_empty();
        let (local, local_addresses) = if given {
            (
                Some(addresses::of_devices(&[], config)),
                LocalAddressSource::Given,
            )
        } else if recorded.is_empty() {
            (None, LocalAddressSource::Unknown)
        } else {
            (
                Some(recorded.iter().copied().collect()),
                LocalAddressSource::Recorded(recorded),
            )
        };
        Ok(Self {
            local,
            local_addresses,
            ..Self::of(PacketSource::File(source), name, false)
        })
    }

    fn of_devices(config: &Config) -> Result<Self, Error> {
        let devices = match &config.input {
            Input::Demo(pace) => return Ok(Self::demo(*pace)),
            _ => flowner_capture::devices()?,
        };
        let which = match &config.input {
            Input::Devices(names) => Which::Several(names.clone()),
            Input::Device(name) => Which::One(name.clone()),
            Input::DefaultDevice => {
                let device = flowner_capture::default_device(&devices).ok_or(Error::NoDevice)?;
                Which::One(device.name.clone())
            }
            _ => Which::All,
        };
        let source = PacketSource::devices(&which, config)?;
        Ok(Self {
            local: Some(addresses::of_this_host(&devices, config)),
            local_addresses: LocalAddressSource::Given,
            devices,
            is_several: !matches!(which, Which::One(_)),
            ..Self::of(source, which.name(), true)
        })
    }

    /// An input of which nothing else is known.
    fn of(source: PacketSource, name: String, is_live: bool) -> Self {
        let link_type = source.link_type();
        Self {
            info: InputInfo {
                name,
                link_type: link_type.map_or_else(OtherLinkType::name, LinkType::name),
                is_live,
            },
            source,
            local: None,
            local_addresses: LocalAddressSource::Unknown,
            link_type,
            devices: Vec::new(),
            is_several: false,
            attributor: None,
            clock: None,
        }
    }

    fn demo(pace: Demo) -> Self {
        let Made {
            player,
            clock,
            attributor,
            local,
            is_live,
        } = Made::new(pace);
        Self {
            info: InputInfo {
                name: "demo".to_owned(),
                link_type: LinkType::Ethernet.name(),
                is_live,
            },
            source: PacketSource::Demo(player),
            local: Some(local),
            local_addresses: LocalAddressSource::Given,
            link_type: Ok(LinkType::Ethernet),
            devices: Vec::new(),
            is_several: false,
            attributor: Some(attributor),
            clock: Some(clock),
        }
    }
}

/// A source of packets.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(super) enum PacketSource {
    Device(Box<Device>),
    /// A file, or standard input.
    File(Source),
    Demo(Player),
}

impl PacketSource {
    fn devices(which: &Which, config: &Config) -> Result<Self, Error> {
        let source = which.open(config)?;
        Ok(Self::Device(Box::new(Device::new(source, which, config))))
    }

    fn link_type(&self) -> Result<LinkType, OtherLinkType> {
        match self {
            Self::Device(device) => device.source.link_type(),
            Self::File(source) => source.link_type(),
            Self::Demo(_) => Ok(LinkType::Ethernet),
        }
    }

    /// See [`Source::next_within`].
    pub(super) fn next_within(&mut self, patience: Duration) -> Result<Next<'_>, capture::Error> {
        match self {
            Self::Device(device) => device.source.next_within(patience),
            Self::File(source) => source.next_within(patience),
            Self::Demo(player) => Ok(player.next()),
        }
    }

    /// See [`Source::remarks`].
    pub(super) fn remarks(&self) -> Option<String> {
        match self {
            Self::File(source) => source.remarks(),
            Self::Device(_) | Self::Demo(_) => None,
        }
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        match self {
            Self::File(source) => source.progress(),
            Self::Device(_) | Self::Demo(_) => None,
        }
    }

    pub(super) fn statistics(&mut self) -> Result<Statistics, capture::Error> {
        match self {
            Self::Device(device) => device.statistics(),
            Self::File(_) | Self::Demo(_) => Ok(Statistics::default()),
        }
    }

    pub(super) fn stopper(&self) -> Stopper {
        match self {
            Self::Device(device) => Stopper::Device(device.stopper()),
            Self::File(source) => Stopper::File(source.stopper()),
            Self::Demo(player) => Stopper::Demo(player.stopper()),
        }
    }
}

/// Stops a [`PacketSource`] from another thread.
#[derive(Debug, Clone)]
pub(super) enum Stopper {
    Device(Arc<DeviceStop>),
    File(capture::Stopper),
    Demo(Arc<Stop>),
}

impl Stopper {
    /// The same, for callers outside of the monitor.
    pub(super) fn handle(&self) -> StopHandle {
        let stopper = self.clone();
        StopHandle::new(move || stopper.stop())
    }

    pub(super) fn stop(&self) {
        match self {
            Self::Device(stop) => stop.stop(),
            Self::File(stopper) => stopper.stop(),
            Self::Demo(stop) => stop.request(),
        }
    }
}

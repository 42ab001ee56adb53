//! Where packets come from: devices or one file.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::device;
use crate::error::Error;
use crate::link_type::{LinkType, OtherLinkType};
use crate::live::Live;
use crate::live_options::LiveOptions;
use crate::offline::Offline;
use crate::raw_packet::{Next, Progress};
use crate::several::Several;
use crate::statistics::Statistics;
use crate::stopper::Stopper;
use crate::system;
use crate::wait;

/// A device or file that gives its packets one after the other.
///
/// Can be moved to the thread that reads it; a [`Stopper`] stops it from any other.
pub struct Source {
    origin: Origin,
}

enum Origin {
    Device(Box<Live>),
    /// Devices where none stands for all.
    Devices(Box<Several>),
    File(Box<Offline>),
}

impl Source {
    /// Captures from a device, in immediate mode: packets are given as they come, not
    /// when a buffer is full.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`], [`Error::Permission`], [`Error::DeviceDown`],
    /// [`Error::LinkType`], [`Error::Filter`]; [`Error::Device`] for all else.
    pub fn live(options: &LiveOptions) -> Result<Self, Error> {
        let origin = Origin::Device(Box::new(Live::open(options)?));
        Ok(Self { origin })
    }

    /// As [`live`](Self::live), from all devices at once, whatever [`LiveOptions::device`] says.
    /// Devices that come later are captured from, too.
    ///
    /// On Linux this is one capture of the device `any`, whose packets keep their order and say
    /// which device they are of. Elsewhere each device is captured from on a thread of its own;
    /// packets of different devices may then change their order by moments.
    ///
    /// # Errors
    ///
    /// As [`live`](Self::live); where each device is captured from by itself, those of the first
    /// device, if none of them can be.
    pub fn all(options: &LiveOptions) -> Result<Self, Error> {
        match system::ALL {
            Some(all) => Self::live(&LiveOptions {
                device: all.to_owned(),
                ..options.clone()
            }),
            None => Ok(Self {
                origin: Origin::Devices(Box::new(Several::all(options)?)),
            }),
        }
    }

    /// As [`all`](Self::all), from these devices. On Linux, one that goes away and comes back is
    /// captured from again once [`follow`](Self::follow) was called.
    ///
    /// # Errors
    ///
    /// As [`live`](Self::live), of any of them.
    pub fn several(devices: &[String], options: &LiveOptions) -> Result<Self, Error> {
        if devices
            .iter()
            .any(|name| Some(name.as_str()) == system::ALL)
        {
            return Self::all(options);
        }
        if let [device] = devices {
            return Self::live(&LiveOptions {
                device: device.clone(),
                ..options.clone()
            });
        }
        let origin = match system::ALL {
            Some(all) => {
                device::check(devices)?;
                Origin::Device(Box::new(Live::open_several(all, devices, options)?))
            }
            None => Origin::Devices(Box::new(Several::named(devices, options)?)),
        };
        Ok(Self { origin })
    }

    /// Has the kernel look for the devices of [`several`](Self::several) again: after a device was
    /// added or renamed.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] where that fails; the devices from before are captured from.
    pub fn follow(&mut self) -> Result<(), Error> {
        match &mut self.origin {
            Origin::Device(device) => device.follow(),
            Origin::Devices(_) | Origin::File(_) => Ok(()),
        }
    }

    /// Reads a pcap or pcapng file.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchFile`], [`Error::IsDirectory`], [`Error::Unreadable`],
    /// [`Error::Empty`], [`Error::NotACapture`], [`Error::Truncated`] inside the file's
    /// header, [`Error::Filter`].
    pub fn file(path: impl AsRef<Path>, filter: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::File(Box::new(Offline::open(path.as_ref(), filter)?));
        Ok(Self { origin })
    }

    /// Reads a pcap or pcapng file from standard input.
    ///
    /// # Errors
    ///
    /// As [`Source::file`].
    pub fn stdin(filter: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::File(Box::new(Offline::stdin(filter)?));
        Ok(Self { origin })
    }

    /// What the frames begin with, for [`decode()`](crate::decode()); in a file of several
    /// devices, those of the first whose frames can be decoded. (Each packet has its own link
    /// type.)
    ///
    /// # Errors
    ///
    /// Of a file: the first link type that it names, where it names none that can be decoded
    /// before its first packet; one with the name `none` where it names none at all.
    pub fn link_type(&self) -> Result<LinkType, OtherLinkType> {
        match &self.origin {
            Origin::Device(device) => Ok(device.link_type()),
            Origin::Devices(devices) => Ok(devices.link_type()),
            Origin::File(file) => file.link_type(),
        }
    }

    /// The addresses that a file tells of the devices it was captured from. Few do; of a
    /// device, see [`devices`](crate::devices()).
    pub fn addresses(&self) -> Vec<IpAddr> {
        match &self.origin {
            Origin::Device(_) | Origin::Devices(_) => Vec::new(),
            Origin::File(file) => file.addresses().collect(),
        }
    }

    /// The next packet; waits for it.
    ///
    /// # Errors
    ///
    /// Of a file [`Error::Truncated`], [`Error::Growing`] and [`Error::Corrupt`], after all
    /// packets before the damage. Of a device [`Error::DeviceGone`], [`Error::DeviceDown`] and
    /// [`Error::Device`]. Nothing is to be had after an error.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Next<'_>, Error> {
        self.next_within(wait::PATIENCE)
    }

    /// As [`next`](Self::next), but a device is [`Idle`](Next::Idle) after that time already,
    /// if it is shorter. Linux only.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_within(&mut self, patience: Duration) -> Result<Next<'_>, Error> {
        match &mut self.origin {
            Origin::Device(device) => device.next(patience.min(wait::PATIENCE)),
            Origin::Devices(devices) => devices.next(patience.min(wait::PATIENCE)),
            Origin::File(file) => file.next(),
        }
    }

    /// What the kernel counted so far. All zero for a file: no kernel is between.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceGone`], [`Error::DeviceDown`] and [`Error::Device`].
    pub fn statistics(&mut self) -> Result<Statistics, Error> {
        match &mut self.origin {
            Origin::Device(device) => device.statistics(),
            Origin::Devices(devices) => Ok(devices.statistics()),
            Origin::File(_) => Ok(Statistics::default()),
        }
    }

    /// What is odd about a file though it can be read, as far as it was read, in words; see
    /// [`Oddities`](crate::Oddities). `None` where nothing is, and for a device.
    pub fn remarks(&self) -> Option<String> {
        match &self.origin {
            Origin::Device(_) | Origin::Devices(_) => None,
            Origin::File(file) => file.remarks(),
        }
    }

    /// How far the file was read, for a progress bar. `None` for a device, standard input
    /// and a pipe.
    pub fn progress(&self) -> Option<Progress> {
        match &self.origin {
            Origin::Device(_) | Origin::Devices(_) => None,
            Origin::File(file) => file.progress(),
        }
    }

    /// A handle with which any thread can stop this source.
    pub fn stopper(&self) -> Stopper {
        match &self.origin {
            Origin::Device(device) => device.stopper(),
            Origin::Devices(devices) => devices.stopper(),
            Origin::File(file) => file.stopper(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Device(device) => device.name(),
            Origin::Devices(devices) => devices.name(),
            Origin::File(file) => file.input(),
        };
        f.debug_struct("Source")
            .field("origin", &origin)
            .field("link_type", &self.link_type())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_can_move_to_a_thread_and_its_stopper_be_shared() {
        fn is_send<T: Send>() {}
        fn is_shareable<T: Send + Sync + Clone + 'static>() {}
        is_send::<Source>();
        is_shareable::<Stopper>();
    }
}

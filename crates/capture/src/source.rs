//! The sources of packets: devices or one file.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::device;
use crate::error::Error;
use crate::link_type::{LinkType, OtherLinkType};
use crate::live::Live;
use crate::live_options::LiveOptions;
use crate::offline::{Offline, OpenFile};
use crate::raw_packet::{Next, Progress};
use crate::several::Several;
use crate::statistics::Statistics;
use crate::stopper::Stopper;
use crate::system;
use crate::wait;

/// A device or file that returns its packets one after the other.
///
/// It can move to the thread that reads it; a [`Stopper`] stops it from any other.
pub struct Source {
    origin: Origin,
}

enum Origin {
    Device(Box<Live>),
    /// Several devices, without one that stands for all.
    Devices(Box<Several>),
    File(Box<Offline>),
}

impl Source {
    /// Captures from a device in immediate mode: packets come as they arrive, not when a buffer is
    /// full.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDevice`], [`Error::Permission`], [`Error::DeviceDown`],
    /// [`Error::LinkType`], [`Error::Filter`]; [`Error::Device`] for all else.
    pub fn live(options: &LiveOptions) -> Result<Self, Error> {
        let origin = Origin::Device(Box::new(Live::open(options)?));
        Ok(Self { origin })
    }

    /// As [`live`](Self::live), from all devices at once, whatever [`LiveOptions::device`] says,
    /// including devices that appear later.
    ///
    /// On Linux this is one capture of the device `any`, whose packets keep their order and have
    /// the index of their device. Elsewhere each device has its own thread, and packets of
    /// different devices may be slightly out of order.
    ///
    /// # Errors
    ///
    /// As [`live`](Self::live). If each device has its own capture, the error of the first device
    /// if none of them works.
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

    /// As [`all`](Self::all), from these devices. On Linux, a device that disappears and comes back
    /// is captured again after a call of [`follow`](Self::follow).
    ///
    /// # Errors
    ///
    /// As [`live`](Self::live), for any of them.
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

    /// Makes the kernel search again for the devices of [`several`](Self::several), after a device
    /// was added or renamed.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if that fails; the capture continues with the earlier devices.
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
        Self::open_file(OpenFile::open(path)?, filter)
    }

    /// Reads a pcap or pcapng file from standard input.
    ///
    /// # Errors
    ///
    /// As [`Source::file`].
    pub fn stdin(filter: Option<&str>) -> Result<Self, Error> {
        Self::open_file(OpenFile::stdin(), filter)
    }

    /// Reads the header of a file that is open, and then its packets.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`], [`Error::Empty`], [`Error::NotACapture`], [`Error::Truncated`] inside the
    /// header, [`Error::Filter`].
    pub fn open_file(file: OpenFile, filter: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::File(Box::new(Offline::new(file, filter)?));
        Ok(Self { origin })
    }

    /// The link type of the frames, for [`decode()`](crate::decode()). In a file of several
    /// devices, that of the first one that the decoder knows. (Each packet has its own link type.)
    ///
    /// # Errors
    ///
    /// For a file: the first link type that it names, if the decoder knows none before the first
    /// packet; one with the name `none` if it names none at all.
    pub fn link_type(&self) -> Result<LinkType, OtherLinkType> {
        match &self.origin {
            Origin::Device(device) => Ok(device.link_type()),
            Origin::Devices(devices) => Ok(devices.link_type()),
            Origin::File(file) => file.link_type(),
        }
    }

    /// The addresses of the capturing devices in a file. Few files have them. For a device, see
    /// [`devices`](crate::devices()).
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
    /// For a file [`Error::Truncated`], [`Error::Growing`] and [`Error::Corrupt`], after all
    /// packets before the damage. For a device [`Error::DeviceGone`], [`Error::DeviceDown`] and
    /// [`Error::Device`]. After an error there are no more packets.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Result<Next<'_>, Error> {
        self.next_within(wait::PATIENCE)
    }

    /// As [`next`](Self::next), but returns [`Idle`](Next::Idle) for a device after `patience` if
    /// that is shorter. Linux only.
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

    /// The counters of the kernel so far. All zero for a file.
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

    /// The oddities of a file so far, in words; see [`Oddities`](crate::Oddities). `None` if there
    /// are none, and for a device.
    pub fn remarks(&self) -> Option<String> {
        match &self.origin {
            Origin::Device(_) | Origin::Devices(_) => None,
            Origin::File(file) => file.remarks(),
        }
    }

    /// How far the file has been read, for a progress bar. `None` for a device, standard input and
    /// a pipe.
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

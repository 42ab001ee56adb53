//! The threads that record a monitor's packets, and their access to the monitor.

use std::sync::Arc;
use std::thread::JoinHandle;

use flowner_capture::pcapng::{Interface, Section};
use flowner_capture::{Device, LinkType, OtherLinkType, Statistics};

use super::config::Config;
use super::input::{Opened, Stopper};
use super::{Monitor, Shared};
use crate::model::error::Error;
use crate::model::packet_ref::{PacketRef, ResolvedOwner};
use crate::model::selection::Selection;
use crate::sinks::record::{self, Account, Files, Job, LedgerAccess, Origin, Recorder, Recording};
use crate::system::privileges::without_capabilities;

/// A recording whose first file is open, and that has no thread yet.
#[derive(Debug)]
pub(super) struct OpenRecording {
    account: Account,
    files: Files,
    wanted: Selection,
}

impl OpenRecording {
    pub(super) fn new(
        recording: &Recording,
        opened: &Opened,
        config: &Config,
    ) -> Result<Self, Error> {
        if !opened.begins_alike() {
            let message = "frames of different devices begin differently here, and one file cannot \
                           have them all; name one device";
            return Err(Error::Recording(message.to_owned()));
        }
        let origin = opened.origin(config);
        let begin = || Files::begin(&recording.config, origin, record::wall_clock());
        // The capability to inspect other users' processes must not open files that those hide.
        let files = without_capabilities(begin)?;
        Ok(Self {
            account: recording.account(),
            files,
            wanted: Selection::from(&recording.config.filter),
        })
    }

    /// The recorder that takes the packets.
    pub(super) fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.account.recorder)
    }

    /// Starts the thread that writes.
    pub(super) fn spawn(self, monitor: &Monitor) -> Result<Writing, Error> {
        let job = Job {
            recorder: self.recorder(),
            ledger: Handle {
                shared: Arc::clone(&monitor.shared),
                stopper: monitor.stopper.clone(),
            },
            wanted: self.wanted,
            files: self.files,
        };
        let thread = std::thread::Builder::new()
            .name("flowner-record".to_owned())
            // It opens the later files.
            .spawn(move || without_capabilities(|| job.run()))
            .map_err(Error::Thread)?;
        Ok(Writing {
            account: self.account,
            thread,
        })
    }
}

/// A recording with its thread.
#[derive(Debug)]
pub(super) struct Writing {
    account: Account,
    thread: JoinHandle<Result<(), Error>>,
}

impl Writing {
    /// Waits after the last packet until all packets with pending owners are written and the file
    /// is closed.
    pub(super) fn finish(self) {
        self.account.recorder.end();
        self.account.ended(self.thread.join().unwrap_or_else(|_| {
            let message = "the recording thread failed; this is a defect of flowner";
            Err(Error::Recording(message.to_owned()))
        }));
    }
}

/// The access of the writing thread to the monitor.
struct Handle {
    shared: Arc<Shared>,
    stopper: Stopper,
}

impl LedgerAccess for Handle {
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
    /// Whether all frames have one link type, which the frames of a file must have.
    const fn begins_alike(&self) -> bool {
        !self.is_several || flowner_capture::all_begin_alike()
    }

    /// The header of a file that records this input.
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
                link_type: (self.link_type).map_or_else(OtherLinkType::number, LinkType::number),
            },
        }
    }
}

/// The addresses of a device. For one without addresses, such as `any`, those of all devices.
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

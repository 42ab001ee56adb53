//! A monitor whose packets are recorded: what joins it and the thread that writes.

use std::sync::Arc;
use std::thread::JoinHandle;

use flowner_capture::pcapng::{Interface, Section};
use flowner_capture::{Device, Statistics};

use super::input::{Opened, Stopper};
use super::{Monitor, Shared, attributor};
use crate::model::config::Config;
use crate::model::error::Error;
use crate::query::filter::Filter;
use crate::sinks::record::RecordingConfig;
use crate::sinks::record::{self, Belonging, Books, Files, Job, Known, Origin, Recorder};
use crate::system::privileges::without_capabilities;

/// The thread that writes, and what it is given packets through.
pub(crate) type Writing = (Arc<Recorder>, JoinHandle<Result<(), Error>>);

impl Monitor {
    /// As [`start`](Self::start), with a thread that writes what is captured.
    pub(crate) fn start_recorded(
        config: &Config,
        recording: &RecordingConfig,
    ) -> Result<(Self, Writing), Error> {
        let opened = Opened::new(config)?;
        let origin = opened.origin(config);
        let begin = || Files::begin(recording, origin, record::wall_clock());
        // What looks at processes of others would let its user reach what they hide.
        let files = without_capabilities(begin)?;
        let recorder = Arc::new(Recorder::new());
        let for_capture = Some(Arc::clone(&recorder));
        let monitor = Self::launch(config, opened, None, for_capture, || attributor(config))?;
        let job = Job {
            recorder: Arc::clone(&recorder),
            books: Handle {
                shared: Arc::clone(&monitor.shared),
                stopper: monitor.stopper.clone(),
            },
            filter: recording.filter.clone(),
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
    fn flows(&self, flows: &[Option<Belonging>], filter: &Filter) -> Vec<Option<Known>> {
        let ledger = self.shared.ledger();
        let known = flows.iter().map(|flow| ledger.known((*flow)?, filter));
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

//! The devices of this host, for the ledger. A thread reads them when the kernel reports a change.
//! The capture thread reads them when a packet has the index of an unknown device.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowner_capture::{Link, Links, LinksStopper};

use super::Shared;
use super::packet_input::Batch;

/// How often, at most, the capture thread reads them.
const AGAIN: Duration = Duration::from_millis(100);
/// The number of device indices that are remembered; past that, this forgets all.
const MAX: usize = 4_096;

/// The thread that receives changes.
#[derive(Debug)]
pub(super) struct LinksThread {
    stopper: LinksStopper,
    thread: Option<JoinHandle<()>>,
}

impl LinksThread {
    /// Gives the ledger the devices now, and after each change. `None` if the system does not
    /// report them.
    pub(super) fn spawn(shared: &Arc<Shared>) -> Option<Self> {
        let mut links = Links::watch()
            .inspect_err(|error| tracing::debug!(%error, "devices have no names"))
            .ok()?;
        tell(shared, &mut links);
        let stopper = links.stopper();
        let shared = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("flowner-links".to_owned())
            .spawn(move || run(&mut links, &shared))
            .inspect_err(|error| tracing::debug!(%error, "new devices have no names"))
            .ok()?;
        Some(Self {
            stopper,
            thread: Some(thread),
        })
    }
}

impl Drop for LinksThread {
    fn drop(&mut self) {
        self.stopper.stop();
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that hears of devices failed");
        }
    }
}

fn run(links: &mut Links, shared: &Weak<Shared>) {
    while links.wait() {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        tell(&shared, links);
    }
}

/// If this fails, the known devices stay.
fn tell(shared: &Shared, links: &mut Links) {
    match links.list() {
        Ok(all) => shared.set_links(&all),
        Err(error) => tracing::debug!(%error, "devices could not be listed"),
    }
}

impl Shared {
    fn set_links(&self, all: &[Link]) {
        let captured = self.ledger().captured_devices();
        let topology = captured.map(|captured| captured.topology(all));
        self.ledger().set_devices(all, topology);
        self.links_changed
            .store(true, std::sync::atomic::Ordering::Release);
    }
}

/// The device indices that the capture thread knows.
#[derive(Debug)]
pub(super) struct SeenDevices {
    links: Option<Links>,
    newest: Option<NonZeroU32>,
    known: HashSet<NonZeroU32>,
    asked: Option<Instant>,
}

impl SeenDevices {
    pub(super) fn new() -> Self {
        Self {
            links: Links::watch().ok(),
            newest: None,
            known: HashSet::new(),
            asked: None,
        }
    }

    /// Before packets are counted: reads the devices if the index of one is new and the other
    /// thread has not read it yet.
    pub(super) fn find(&mut self, batch: &Batch, shared: &Shared) {
        for packet in batch.packets() {
            let Some(index) = packet.device else {
                continue;
            };
            if self.newest == Some(index) {
                continue;
            }
            self.newest = Some(index);
            if self.known.contains(&index) {
                continue;
            }
            if !shared.ledger().knows_device(index) {
                let now = Instant::now();
                let is_too_soon = |asked: Instant| now.duration_since(asked) < AGAIN;
                if self.asked.is_some_and(is_too_soon) {
                    self.newest = None;
                    continue;
                }
                self.asked = Some(now);
                if let Some(links) = &mut self.links {
                    tell(shared, links);
                }
            }
            if self.known.len() == MAX {
                self.known.clear();
            }
            self.known.insert(index);
        }
    }
}

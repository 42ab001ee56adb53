//! Which devices this host has, for the ledger: told by a thread that the kernel wakes when some
//! have changed, and asked for by the thread that captures when a packet is of a device that
//! nobody has told of yet.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowner_capture::{Link, Links, LinksStopper};

use super::Shared;
use super::packet_input::Batch;

/// How often the thread that captures asks, at most.
const AGAIN: Duration = Duration::from_millis(100);
/// Indices of packets that are remembered; past that, all are forgotten.
const MAX: usize = 4_096;

/// The thread that hears of changes.
#[derive(Debug)]
pub(super) struct LinksThread {
    stopper: LinksStopper,
    thread: Option<JoinHandle<()>>,
}

impl LinksThread {
    /// Tells the ledger of the devices now, and from now on. `None` where the system does not
    /// tell.
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

/// What was known stays where this fails.
fn tell(shared: &Shared, links: &mut Links) {
    match links.list() {
        Ok(all) => shared.set_links(&all),
        Err(error) => tracing::debug!(%error, "devices could not be listed"),
    }
}

impl Shared {
    fn set_links(&self, all: &[Link]) {
        self.ledger().set_devices(all);
        self.links_changed
            .store(true, std::sync::atomic::Ordering::Release);
    }
}

/// What the thread that captures knows of devices.
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

    /// Before packets are counted: asks for the devices if one of them is new, and the other
    /// thread has not told of it yet.
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

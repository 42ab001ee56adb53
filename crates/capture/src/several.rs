//! Reads several devices, on systems without a device that stands for all: one thread each.
//!
//! Each thread captures from one device, and passes its packets through a bounded queue. While that
//! is full, packets wait in the buffers of the kernel, which counts those that it drops. The thread
//! opens a device again that went down or disappeared.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::device::{self, Device};
use crate::error::Error;
use crate::link_type::{LinkType, OtherLinkType};
use crate::live::Live;
use crate::live_options::LiveOptions;
use crate::packet_origin::PacketOrigin;
use crate::pcapng::Comments;
use crate::raw_packet::{Next, RawPacket};
use crate::statistics::Statistics;
use crate::stopper::Stopper;

/// The number of packets that may wait.
const QUEUE: usize = 4_096;
/// How often this lists the devices to find new ones: each system has its own way to report them.
const LIST: Duration = Duration::from_secs(2);
/// How often a thread tries to open a device that is down or gone.
const AGAIN: Duration = Duration::from_millis(500);

/// Several devices with open captures.
pub(crate) struct Several {
    name: String,
    link_type: LinkType,
    queue: Receiver<Message>,
    sender: SyncSender<Message>,
    options: LiveOptions,
    /// By the names of the devices.
    threads: HashMap<String, JoinHandle<()>>,
    shared: Arc<Shared>,
    stopper: Stopper,
    newest: Option<Captured>,
    /// Whether all devices are wanted, and when they were last listed.
    all: Option<Instant>,
    stopped: usize,
}

/// The state that the threads share.
struct Shared {
    stopper: Stopper,
    counted: Mutex<HashMap<String, Statistics>>,
    /// The stoppers of the open captures.
    stoppers: Mutex<HashMap<String, Stopper>>,
}

/// A packet, copied from the capture buffer.
struct Captured {
    time: Duration,
    wire_len: u32,
    link_type: Result<LinkType, OtherLinkType>,
    data: Vec<u8>,
    origin: PacketOrigin,
    device: Option<u32>,
}

enum Message {
    Packet(Captured),
    /// A thread has ended.
    Ended,
}

impl Several {
    /// All devices that can be captured, now and later.
    pub(crate) fn all(options: &LiveOptions) -> Result<Self, Error> {
        let devices = device::devices()?;
        let mut opened = Vec::new();
        let mut failed = None;
        for device in devices.iter().filter(|device| is_wanted(device)) {
            match open(&device.name, options) {
                Ok(live) => opened.push(live),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if opened.is_empty() {
            return Err(failed.unwrap_or(Error::Devices {
                message: "none of them is up".to_owned(),
            }));
        }
        Self::start("all devices".to_owned(), opened, options, true)
    }

    /// These devices, which must exist.
    pub(crate) fn named(names: &[String], options: &LiveOptions) -> Result<Self, Error> {
        let opened: Vec<Live> = names
            .iter()
            .map(|name| open(name, options))
            .collect::<Result<_, _>>()?;
        Self::start(names.join(", "), opened, options, false)
    }

    fn start(
        name: String,
        opened: Vec<Live>,
        options: &LiveOptions,
        is_all: bool,
    ) -> Result<Self, Error> {
        let (sender, queue) = sync_channel(QUEUE);
        let stopper = Stopper::new(None);
        let mut several = Self {
            link_type: opened.first().map_or(LinkType::Ethernet, Live::link_type),
            queue,
            sender,
            options: options.clone(),
            threads: HashMap::new(),
            shared: Arc::new(Shared {
                stopper: stopper.clone(),
                counted: Mutex::default(),
                stoppers: Mutex::default(),
            }),
            stopper,
            newest: None,
            all: is_all.then(Instant::now),
            stopped: 0,
            name,
        };
        for live in opened {
            several.spawn(live)?;
        }
        Ok(several)
    }

    fn spawn(&mut self, live: Live) -> Result<(), Error> {
        let name = live.name().to_owned();
        let tap = Tap {
            name: name.clone(),
            options: self.options.clone(),
            shared: Arc::clone(&self.shared),
            sender: self.sender.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("flowner-device".to_owned())
            .spawn(move || tap.run(live))
            .map_err(|error| Error::Device {
                device: name.clone(),
                message: error.to_string(),
            })?;
        self.threads.insert(name, thread);
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn link_type(&self) -> LinkType {
        self.link_type
    }

    pub(crate) fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut sum = Statistics::default();
        for counted in self.shared.counted().values() {
            sum.received += counted.received;
            sum.dropped_by_kernel += counted.dropped_by_kernel;
            sum.dropped_by_interface += counted.dropped_by_interface;
        }
        sum
    }

    pub(crate) fn next(&mut self, patience: Duration) -> Result<Next<'_>, Error> {
        self.find_new()?;
        loop {
            if self.stopper.is_requested() {
                self.shared.stop_all();
            }
            match self.queue.recv_timeout(patience) {
                Ok(Message::Packet(packet)) => {
                    let packet = self.newest.insert(packet);
                    return Ok(Next::Packet(packet.borrow()));
                }
                Ok(Message::Ended) => {
                    self.stopped += 1;
                    if self.stopped == self.threads.len() {
                        return Ok(Next::Stopped);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Ok(Next::Idle);
                }
            }
        }
    }

    /// Starts captures from new devices, if all are wanted.
    fn find_new(&mut self) -> Result<(), Error> {
        let is_due = self.all.is_some_and(|listed| listed.elapsed() >= LIST);
        if !is_due || self.stopper.is_requested() {
            return Ok(());
        }
        self.all = Some(Instant::now());
        for device in device::devices()? {
            if !is_wanted(&device) || self.threads.contains_key(&device.name) {
                continue;
            }
            match open(&device.name, &self.options) {
                Ok(live) => self.spawn(live)?,
                Err(error) => tracing::debug!(%error, "a device that has come is left out"),
            }
        }
        Ok(())
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        self.stopper.stop();
        self.shared.stop_all();
        // Threads that wait for room in the queue continue.
        while let Ok(message) = self.queue.try_recv() {
            drop(message);
        }
        let (_, closed) = sync_channel(0);
        self.queue = closed;
        for (_, thread) in self.threads.drain() {
            if thread.join().is_err() {
                tracing::error!("a thread that captured from a device failed");
            }
        }
    }
}

/// Devices that stand for others would give every packet again.
fn is_wanted(device: &Device) -> bool {
    device.is_up() && !device.is_pseudo()
}

fn open(name: &str, options: &LiveOptions) -> Result<Live, Error> {
    Live::open(&LiveOptions {
        device: name.to_owned(),
        ..options.clone()
    })
}

impl Shared {
    fn counted(&self) -> MutexGuard<'_, HashMap<String, Statistics>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stoppers(&self) -> MutexGuard<'_, HashMap<String, Stopper>> {
        self.stoppers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_all(&self) {
        for stopper in self.stoppers().values() {
            stopper.stop();
        }
    }
}

/// The thread of one device.
struct Tap {
    name: String,
    options: LiveOptions,
    shared: Arc<Shared>,
    sender: SyncSender<Message>,
}

impl Tap {
    fn run(self, first: Live) {
        let mut before = Statistics::default();
        let mut current = Some(first);
        while !self.shared.stopper.is_requested() {
            let Some(mut live) = current.take() else {
                std::thread::sleep(AGAIN);
                current = open(&self.name, &self.options).ok();
                continue;
            };
            let stopper = live.stopper();
            self.shared.stoppers().insert(self.name.clone(), stopper);
            let index = crate::system::index(&self.name);
            if self.capture(&mut live, index, before) {
                break;
            }
            before = self
                .shared
                .counted()
                .get(&self.name)
                .copied()
                .unwrap_or_default();
        }
        // The source may be gone, so that no one receives this.
        let _ended = self.sender.send(Message::Ended);
    }

    /// Captures until the device fails or the source is stopped. Returns whether it was stopped.
    fn capture(&self, live: &mut Live, index: Option<u32>, before: Statistics) -> bool {
        let mut counted_at = Instant::now();
        loop {
            match live.next(crate::wait::PATIENCE) {
                Ok(Next::Packet(packet)) => {
                    let captured = Captured::new(&packet, index);
                    if self.sender.send(Message::Packet(captured)).is_err() {
                        return true;
                    }
                }
                Ok(Next::Idle) if self.shared.stopper.is_requested() => return true,
                Ok(Next::Idle) => {}
                Ok(Next::Stopped | Next::End) => {
                    self.count(live, before);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "it is captured from again when it is back");
                    return false;
                }
            }
            if counted_at.elapsed() >= Duration::from_secs(1) {
                counted_at = Instant::now();
                self.count(live, before);
            }
        }
    }

    fn count(&self, live: &mut Live, before: Statistics) {
        if let Ok(now) = live.statistics() {
            let mut sum = before;
            sum.received += now.received;
            sum.dropped_by_kernel += now.dropped_by_kernel;
            sum.dropped_by_interface += now.dropped_by_interface;
            self.shared.counted().insert(self.name.clone(), sum);
        }
    }
}

impl Captured {
    fn new(packet: &RawPacket<'_>, device: Option<u32>) -> Self {
        Self {
            time: packet.time,
            wire_len: packet.wire_len,
            link_type: packet.link_type,
            data: packet.data.to_vec(),
            origin: packet.origin,
            device: packet.device.or(device),
        }
    }

    fn borrow(&self) -> RawPacket<'_> {
        RawPacket {
            time: self.time,
            wire_len: self.wire_len,
            link_type: self.link_type,
            data: &self.data,
            comments: Comments::default(),
            origin: self.origin,
            device: self.device,
        }
    }
}

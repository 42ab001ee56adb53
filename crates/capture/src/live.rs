//! Reads packets from a device.

mod merge;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, PacketHeader};

use crate::classify;
use crate::error::Error;
use crate::link_type::LinkType;
use crate::live::merge::{Merge, Step};
use crate::live_options::LiveOptions;
use crate::origin::{self, Opened, Teller};
use crate::pcapng::Comments;
use crate::raw_packet::{Next, RawPacket, time};
use crate::statistics::{Statistics, Totals};
use crate::stopper::Stopper;
use crate::system;
use crate::wait::{self, Ready, Waiter};

/// A device with an open capture.
pub(crate) struct Live {
    name: String,
    /// For the device that stands for all: the wanted devices.
    only: Option<Only>,
    link_type: LinkType,
    taps: Vec<Tap>,
    merge: Merge,
    teller: Teller,
    waiter: Waiter,
    ready: Ready,
    stopper: Stopper,
    stopped_at: Option<Duration>,
}

/// One capture of the device.
struct Tap {
    capture: Capture<Active>,
    totals: Totals,
    /// The time of the last packet, and its length on the wire.
    time: Duration,
    wire_len: u32,
    /// Its captured bytes. A copy, because a loop that waits cannot lend the kernel's buffer.
    data: Vec<u8>,
}

/// The wanted ones of all devices.
struct Only {
    names: Vec<String>,
    filter: Option<String>,
    /// The current filter.
    expression: String,
}

impl Only {
    /// The filter for packets of the devices that exist now (`ifindex` of pcap-filter(7)).
    fn expression(&self) -> String {
        let indices = self.names.iter().filter_map(|name| system::index(name));
        let terms: Vec<_> = indices.map(|index| format!("ifindex {index}")).collect();
        let devices = match &terms[..] {
            // No device has this index: the kernel numbers them from 1.
            [] => "ifindex 0".to_owned(),
            terms => terms.join(" or "),
        };
        let filter = self.filter.as_deref().map(str::trim);
        match filter.filter(|filter| !filter.is_empty()) {
            None => devices,
            Some(filter) => format!("({devices}) and ({filter})"),
        }
    }
}

/// Live captures give microseconds.
const TICKS_PER_SECOND: u32 = 1_000_000;

impl Live {
    /// Opens a device and prepares it for waiting.
    pub(crate) fn open(options: &LiveOptions) -> Result<Self, Error> {
        let name = options.device.clone();
        let Opened {
            captures,
            link_type,
            teller,
        } = origin::open(options)?;
        let (captures, waiter, bell) =
            wait::prepare(captures).map_err(|message| Error::Device {
                device: name.clone(),
                message,
            })?;
        let taps: Vec<_> = captures.into_iter().map(Tap::new).collect();
        if options.promiscuous && system::ALL == Some(&options.device) {
            for tap in &taps {
                origin::take_all_frames(&tap.capture, None);
            }
        }
        Ok(Self {
            name,
            only: None,
            link_type,
            merge: Merge::new(taps.len()),
            ready: Ready::new(taps.len()),
            taps,
            teller,
            waiter,
            stopper: Stopper::new(Some(bell)),
            stopped_at: None,
        })
    }

    /// Opens the device that stands for all, for the packets of these devices.
    pub(crate) fn open_several(
        all: &str,
        names: &[String],
        options: &LiveOptions,
    ) -> Result<Self, Error> {
        let mut only = Only {
            names: names.to_vec(),
            filter: options.filter.clone(),
            expression: String::new(),
        };
        only.expression = only.expression();
        let mut live = Self::open(&LiveOptions {
            device: all.to_owned(),
            // The error for a wrong filter has it as the caller gave it.
            filter: None,
            promiscuous: false,
            ..options.clone()
        })?;
        if let Some(filter) = &options.filter {
            live.filter(filter)?;
        }
        live.filter(&only.expression)?;
        if options.promiscuous {
            live.take_all_frames(Some(names));
        }
        live.name = names.join(", ");
        live.only = Some(only);
        Ok(live)
    }

    /// Updates the filter to the devices that now have the wanted names.
    pub(crate) fn follow(&mut self) -> Result<(), Error> {
        let Some(only) = &self.only else {
            return Ok(());
        };
        let expression = only.expression();
        if expression == only.expression {
            return Ok(());
        }
        self.filter(&expression)?;
        if let Some(only) = &mut self.only {
            only.expression = expression;
        }
        Ok(())
    }

    fn take_all_frames(&self, names: Option<&[String]>) {
        for tap in &self.taps {
            origin::take_all_frames(&tap.capture, names);
        }
    }

    fn filter(&mut self, expression: &str) -> Result<(), Error> {
        let mut taps = self.taps.iter_mut();
        taps.try_for_each(|tap| origin::set_filter(&mut tap.capture, expression))
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

    pub(crate) fn next(&mut self, patience: Duration) -> Result<Next<'_>, Error> {
        loop {
            let until = self.stop_time();
            match self.merge.step() {
                Step::Read(number) => match self.read(number) {
                    Ok(()) => {}
                    // The waker is `pcap_breakloop` there.
                    Err(pcap::Error::NoMorePackets) => return Ok(Next::Stopped),
                    Err(error) => return Err(classify::reading_device(&self.name, error)),
                },
                Step::Poll => _ = self.wait(Duration::ZERO),
                Step::Give(number) => {
                    if until.is_some_and(|until| self.taps[number].time > until) {
                        return Ok(Next::Stopped);
                    }
                    self.merge.given(number);
                    return Ok(Next::Packet(self.packet(number)));
                }
                Step::Wait if until.is_some() => return Ok(Next::Stopped),
                Step::Wait if self.wait(patience) => {}
                Step::Wait => return Ok(Next::Idle),
            }
        }
    }

    /// Reads one packet of a capture, if it has one.
    fn read(&mut self, number: usize) -> Result<(), pcap::Error> {
        let read_time = self.read_time();
        let time = self.taps[number].read()?;
        self.merge.read(number, time, read_time);
        Ok(())
    }

    /// Waits until there may be packets. Returns whether anything happened.
    fn wait(&mut self, patience: Duration) -> bool {
        // Before the wait: a missing packet may come during it.
        let read_time = self.read_time();
        let has_happened = self.waiter.wait(patience, &self.teller, &mut self.ready);
        if self.ready.notices {
            self.teller.catch_up();
        }
        self.merge.polled(&self.ready.captures, read_time);
        has_happened
    }

    /// The time at which a capture is read. It orders the packets of several captures; a single one
    /// is in order.
    fn read_time(&self) -> Duration {
        if self.taps.len() > 1 {
            now()
        } else {
            Duration::ZERO
        }
    }

    fn packet(&mut self, number: usize) -> RawPacket<'_> {
        let tap = &mut self.taps[number];
        let origin = self.teller.tell(number, tap.time, &mut tap.data);
        RawPacket {
            time: tap.time,
            wire_len: tap.wire_len.saturating_sub(origin.taken),
            link_type: Ok(self.link_type),
            data: &tap.data,
            comments: Comments::default(),
            origin: origin.origin,
            device: origin.device,
        }
    }

    /// The time at which this noticed the request to stop. The source still returns packets that
    /// wait in the kernel's buffer from before.
    fn stop_time(&mut self) -> Option<Duration> {
        if self.stopper.is_requested() && self.stopped_at.is_none() {
            self.stopped_at = Some(now());
            self.merge.forget_empty();
        }
        self.stopped_at
    }

    pub(crate) fn statistics(&mut self) -> Result<Statistics, Error> {
        let mut sum = Statistics::default();
        for tap in &mut self.taps {
            let now = match tap.capture.stats() {
                Ok(now) => tap.totals.advance(now),
                Err(error) => return Err(classify::reading_device(&self.name, error)),
            };
            sum.received += now.received;
            sum.dropped_by_kernel += now.dropped_by_kernel;
            // Every capture counts all packets that the device dropped.
            sum.dropped_by_interface = sum.dropped_by_interface.max(now.dropped_by_interface);
        }
        Ok(sum)
    }
}

impl Tap {
    fn new(capture: Capture<Active>) -> Self {
        Self {
            capture,
            totals: Totals::new(),
            time: Duration::ZERO,
            wire_len: 0,
            data: Vec::new(),
        }
    }

    /// Reads a packet; returns its time, if there was one.
    fn read(&mut self) -> Result<Option<Duration>, pcap::Error> {
        match self.capture.next_packet() {
            Ok(packet) => {
                self.time = time_of(packet.header);
                self.wire_len = packet.header.len;
                self.data.clear();
                self.data.extend_from_slice(packet.data);
                Ok(Some(self.time))
            }
            Err(error) if classify::is_nothing_yet(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

fn time_of(header: &PacketHeader) -> Duration {
    time(header.ts.tv_sec, header.ts.tv_usec, TICKS_PER_SECOND)
}

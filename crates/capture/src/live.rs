//! Reading a device.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, PacketHeader};

use crate::classify;
use crate::error::Error;
use crate::link_type::LinkType;
use crate::pcapng::Comments;
use crate::source::{Next, PacketOrigin, RawPacket, time};
use crate::statistics::{Statistics, Totals};
use crate::stopper::Stopper;
use crate::wait::{self, Waiter};

/// How a device is captured from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The [name](crate::Device::name) of the device. Empty by default, which is the
    /// name of none.
    pub device: String,
    /// The bytes of each frame that are copied. The default, 256, has room for the
    /// longest headers that are usual: two VLAN tags, IPv6 with extension headers, TCP
    /// with options. With fewer bytes each, the buffer holds more packets.
    pub snap_length: u32,
    /// Whether frames for other hosts are taken too. Off by default. Devices that
    /// cannot do it are captured from without.
    pub promiscuous: bool,
    /// Which packets are taken, in the language of pcap-filter(7). All by default.
    pub filter: Option<String>,
    /// The size of the kernel's buffer. The default is 8 MiB: some 20,000 packets of
    /// the default snap length on Linux.
    pub buffer_bytes: u32,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            device: String::new(),
            snap_length: 256,
            promiscuous: false,
            filter: None,
            buffer_bytes: 8 << 20,
        }
    }
}

/// A device that is captured from.
pub(crate) struct Live {
    name: String,
    link_type: LinkType,
    capture: Capture<Active>,
    waiter: Waiter,
    totals: Totals,
    stopper: Stopper,
    stopped_at: Option<Duration>,
    /// The packet that was given last. A copy, because the kernel's bytes cannot be
    /// lent out of a loop that waits for them.
    data: Vec<u8>,
}

/// Live captures give microseconds.
const TICKS_PER_SECOND: u32 = 1_000_000;

impl Live {
    /// Makes a capture ready to be waited for.
    pub(crate) fn new(
        name: String,
        link_type: LinkType,
        capture: Capture<Active>,
    ) -> Result<Self, Error> {
        let (capture, waiter, bell) = wait::prepare(capture).map_err(|message| Error::Device {
            device: name.clone(),
            message,
        })?;
        Ok(Self {
            name,
            link_type,
            capture,
            waiter,
            totals: Totals::new(),
            stopper: Stopper::new(Some(bell)),
            stopped_at: None,
            data: Vec::new(),
        })
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
        let header = loop {
            let until = self.stop_time();
            match self.capture.next_packet() {
                Ok(packet) if until.is_some_and(|until| time_of(packet.header) > until) => {
                    return Ok(Next::Stopped);
                }
                Ok(packet) => {
                    self.data.clear();
                    self.data.extend_from_slice(packet.data);
                    break *packet.header;
                }
                Err(pcap::Error::TimeoutExpired) if until.is_some() => return Ok(Next::Stopped),
                Err(pcap::Error::TimeoutExpired) if self.waiter.wait(patience) => {}
                Err(pcap::Error::TimeoutExpired) => return Ok(Next::Idle),
                // Where the bell is `pcap_breakloop`.
                Err(pcap::Error::NoMorePackets) => return Ok(Next::Stopped),
                Err(error) => return Err(classify::reading_device(&self.name, error)),
            }
        };
        Ok(Next::Packet(RawPacket {
            time: time_of(&header),
            wire_len: header.len,
            link_type: Some(self.link_type),
            data: &self.data,
            comments: Comments::default(),
            origin: PacketOrigin::Unknown,
            device: None,
        }))
    }

    /// Once it was asked to stop: when that was noticed. What was captured before
    /// waits in the kernel's buffer, and is still given.
    fn stop_time(&mut self) -> Option<Duration> {
        if self.stopper.is_requested() && self.stopped_at.is_none() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            self.stopped_at = Some(now.unwrap_or_default());
        }
        self.stopped_at
    }

    pub(crate) fn statistics(&mut self) -> Result<Statistics, Error> {
        match self.capture.stats() {
            Ok(now) => Ok(self.totals.advance(now)),
            Err(error) => Err(classify::reading_device(&self.name, error)),
        }
    }
}

fn time_of(header: &PacketHeader) -> Duration {
    time(header.ts.tv_sec, header.ts.tv_usec, TICKS_PER_SECOND)
}

/// The device, in immediate mode, and nothing of it read yet.
pub(crate) fn activate(options: &LiveOptions) -> Result<Capture<Active>, Error> {
    let device = &options.device;
    let result = match activate_as(options, options.promiscuous) {
        Err(error) if options.promiscuous && is_about_promiscuous_mode(&error) => {
            tracing::debug!(device, %error, "capturing without promiscuous mode");
            activate_as(options, false)
        }
        result => result,
    };
    result.map_err(|error| classify::opening_device(device, error))
}

fn activate_as(options: &LiveOptions, promiscuous: bool) -> Result<Capture<Active>, pcap::Error> {
    Capture::from_device(options.device.as_str())?
        .snaplen(saturating(options.snap_length))
        .buffer_size(saturating(options.buffer_bytes))
        .promisc(promiscuous)
        .timeout(wait::MILLISECONDS)
        .immediate_mode(true)
        .open()
}

/// libpcap opens the device and warns; its binding makes an error of the warning.
fn is_about_promiscuous_mode(error: &pcap::Error) -> bool {
    error
        .to_string()
        .to_lowercase()
        .contains("promiscuous mode")
}

fn saturating(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

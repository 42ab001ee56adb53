//! How a device is captured from, and opened so.

use pcap::{Active, Capture};

use crate::classify;
use crate::error::Error;
use crate::system;
use crate::wait;

/// How a device is captured from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The [name](crate::Device::name) of the device. Empty by default, which is the
    /// name of none.
    pub device: String,
    /// The bytes of each frame that are copied. The default, 256, has room for the
    /// longest headers that are usual: two VLAN tags and a `PPPoE` session, or a radio's header,
    /// then IPv6 with extension headers, TCP with options. With fewer bytes each, the buffer
    /// holds more packets. (The packet filter's logs of Linux, `nflog:5`, are taken whole: they
    /// do not tell how long a packet was that they cut.)
    pub snap_length: u32,
    /// Whether frames for other hosts are taken too. Off by default. Devices that
    /// cannot do it are captured from without. Of all devices at once, those that there are when
    /// the capture begins.
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

/// Where the kernel cuts packets to the snap length without saying so, they are taken whole.
fn snap_length(options: &LiveOptions) -> u32 {
    const WHOLE: u32 = 262_144;
    let is_cut = |prefix: &&str| options.device.starts_with(prefix);
    if system::CUTS_SILENTLY.iter().any(is_cut) {
        options.snap_length.max(WHOLE)
    } else {
        options.snap_length
    }
}

fn activate_as(options: &LiveOptions, promiscuous: bool) -> Result<Capture<Active>, pcap::Error> {
    Capture::from_device(options.device.as_str())?
        .snaplen(saturating(snap_length(options)))
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

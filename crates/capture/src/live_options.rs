//! The options of a capture, and how it opens its device.

use pcap::{Active, Capture};

use crate::classify;
use crate::error::Error;
use crate::system;
use crate::wait;

/// The options of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The [name](crate::Device::name) of the device. Empty by default, which names no device.
    pub device: String,
    /// The number of bytes that are copied from each frame. The default, 256, has room for the
    /// longest usual headers: two VLAN tags and a `PPPoE` session, or a radio's header, then IPv6
    /// with extension headers and TCP with options. With fewer bytes per frame, the buffer holds
    /// more packets. (The packet filter's logs of Linux, `nflog:5`, are copied as a whole, because
    /// they do not contain the length of a packet that they cut.)
    pub snap_length: u32,
    /// Whether to capture frames for other hosts, too. Off by default. Devices without this mode
    /// are captured without it. For all devices at once, this applies to those that exist at the
    /// beginning of the capture.
    pub promiscuous: bool,
    /// The packets to capture, in the language of pcap-filter(7). All by default.
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

/// Opens the device in immediate mode, without reading from it.
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

/// If the kernel cuts packets to the snap length without reporting it, this copies them as a whole.
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

//! Converts libpcap's errors to ours.
//!
//! libpcap gives most of its errors only as text; the texts are those of libpcap 1.9 and 1.10. If
//! this host knows more, this asks it instead.

use crate::device::{self, Device};
use crate::error::Error;
use crate::message::message;
use crate::system;

/// The error of a device that cannot be opened.
pub(crate) fn opening_device(device: &str, error: pcap::Error) -> Error {
    let message = message(error);
    // Without a list, nothing is known about the device.
    let devices = device::devices().unwrap_or_default();
    match devices.iter().find(|known| known.name == device) {
        None if !devices.is_empty() && device::is_of_a_network(device) => Error::NoSuchDevice {
            device: device.to_owned(),
            available: devices.into_iter().map(|known| known.name).collect(),
        },
        _ if is_about_permission(&message) => Error::Permission {
            device: device.to_owned(),
            remedy: system::permission_remedy(),
        },
        known => up_or_down(device, known, message),
    }
}

/// Whether a device only has no packet now. libpcap reports this as an error for Linux's packet
/// filter logs, from which it reads without polling first.
pub(crate) fn is_nothing_yet(error: &pcap::Error) -> bool {
    match error {
        pcap::Error::TimeoutExpired => true,
        // The text of EAGAIN in strerror(3).
        pcap::Error::PcapError(text) => text.contains("Resource temporarily unavailable"),
        _ => false,
    }
}

/// The error of a device that fails during a capture.
pub(crate) fn reading_device(device: &str, error: pcap::Error) -> Error {
    let message = message(error);
    let devices = device::devices().unwrap_or_default();
    let known = devices.iter().find(|known| known.name == device);
    let is_gone = known.is_none() && !devices.is_empty() && device::is_of_a_network(device);
    if is_gone || message.contains("disappeared") {
        return Error::DeviceGone {
            device: device.to_owned(),
        };
    }
    up_or_down(device, known, message)
}

fn up_or_down(name: &str, known: Option<&Device>, message: String) -> Error {
    let device = name.to_owned();
    let is_down = known.is_some_and(|known| !known.is_up());
    if is_down || message.contains("is not up") || message.contains("went down") {
        Error::DeviceDown { device }
    } else {
        Error::Device { device, message }
    }
}

/// The texts of EPERM and EACCES in strerror(3), libpcap's own texts, and those of Windows.
fn is_about_permission(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "permission",
        "not permitted",
        "cap_net_raw",
        "access is denied",
    ]
    .iter()
    .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcap_error(message: &str) -> pcap::Error {
        pcap::Error::PcapError(message.to_owned())
    }

    fn variant(error: &Error) -> String {
        let text = format!("{error:?}");
        text.split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_device_that_is_there() {
        let devices = device::devices().unwrap();
        let up = devices.iter().find(|device| device.is_up()).unwrap();
        let check = |message: &str, expected: &str| {
            let error = opening_device(&up.name, pcap_error(message));
            assert_eq!(variant(&error), expected, "{message}");
        };
        check(
            "lo: You don't have permission to perform this capture on that device (socket: \
             Operation not permitted)",
            "Permission",
        );
        check(
            "Attempt to create packet socket failed - CAP_NET_RAW may be required",
            "Permission",
        );
        check("That device is not up", "DeviceDown");
        check("out of memory", "Device");
        let gone = reading_device(&up.name, pcap_error("The interface disappeared"));
        assert_eq!(variant(&gone), "DeviceGone");
    }

    #[test]
    fn a_device_that_is_not_there() {
        let error = opening_device("no-such-device", pcap_error("whatever"));
        let Error::NoSuchDevice { available, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(!available.is_empty());
        assert!(error.to_string().contains(&available.join(", ")));
        let error = reading_device("no-such-device", pcap_error("recvfrom failed"));
        assert_eq!(variant(&error), "DeviceGone");
    }
}

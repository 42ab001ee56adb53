//! The errors of captures and files.

use std::io;
use std::path::PathBuf;

/// Why packets cannot be captured or read. Each message says what helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{path}: there is no such file", path = path.display())]
    NoSuchFile {
        /// As the caller gave it.
        path: PathBuf,
    },
    /// The path of a file leads to a directory.
    #[error("{path} is a directory; name a capture file in it", path = path.display())]
    IsDirectory {
        /// As the caller gave it.
        path: PathBuf,
    },
    /// The operating system refuses to read the file.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// As the caller gave it.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The input is empty.
    #[error("{input} is empty: not even the header of a capture file is there")]
    Empty {
        /// The file, or standard input.
        input: String,
    },
    /// The input does not begin as a pcap or pcapng file does.
    #[error("{input} is no pcap or pcapng file: {message}")]
    NotACapture {
        /// The file, or standard input.
        input: String,
        /// What is wrong.
        message: String,
    },
    /// The input ends within a packet or header. The source has returned all complete packets
    /// before that.
    #[error("{input} is cut off: {message}; the packets before that are complete")]
    Truncated {
        /// The file, or standard input.
        input: String,
        /// The message of libpcap.
        message: String,
    },
    /// The file ends within a packet or header because a program is writing it: it is longer than
    /// when it was opened. The source has returned all complete packets.
    #[error("{input} is being written while it is read; the packets that are whole were read")]
    Growing {
        /// The file.
        input: String,
    },
    /// The input has content that a capture file cannot have, or that libpcap cannot read. The
    /// source has returned all packets before that.
    #[error("{input} cannot be read on: {message}; the packets before that are complete")]
    Corrupt {
        /// The file, or standard input.
        input: String,
        /// The message of libpcap.
        message: String,
    },
    /// The frames of this device cannot be decoded.
    #[error("{input}: frames of link type {name} ({number}) cannot be decoded")]
    LinkType {
        /// The device.
        input: String,
        /// The `DLT_` number that libpcap gives it.
        number: i32,
        /// libpcap's name of it, such as `IEEE802_11`, or `unknown`.
        name: String,
    },
    /// The capture filter is not in libpcap's language, or cannot apply here.
    #[error("capture filter `{expression}`: {message}; pcap-filter(7) describes the language")]
    Filter {
        /// As it was given.
        expression: String,
        /// What libpcap says, with the place where it says so.
        message: String,
    },
    /// This user may not capture.
    #[error("no permission to capture on {device}: {remedy}")]
    Permission {
        /// Its name.
        device: String,
        /// What to do on this operating system, with the exact command.
        remedy: String,
    },
    /// There is no device of this name.
    #[error("there is no device `{device}`; {available}", available = available_text(available))]
    NoSuchDevice {
        /// The requested name.
        device: String,
        /// The names of the devices there are.
        available: Vec<String>,
    },
    /// The device is switched off.
    #[error("the device {device} is down; bring it up first")]
    DeviceDown {
        /// Its name.
        device: String,
    },
    /// The device was removed while it was captured from. All packets before that were
    /// given.
    #[error("the device {device} has disappeared")]
    DeviceGone {
        /// Its name.
        device: String,
    },
    /// Capturing on the device failed in another way.
    #[error("capturing on {device} failed: {message}")]
    Device {
        /// Its name.
        device: String,
        /// What libpcap says.
        message: String,
    },
    /// The devices of this host cannot be listed.
    #[error("the network devices cannot be listed: {message}; is libpcap or Npcap installed?")]
    Devices {
        /// What libpcap says.
        message: String,
    },
}

fn available_text(names: &[String]) -> String {
    match names {
        [] => "this user can see none".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}

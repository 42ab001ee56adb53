//! Reading a capture file.
//!
//! Each platform's file exports the same names:
//!
//! * `open(File, &Path) -> Result<Opened, pcap::Error>`: a file, at its beginning;
//! * `open_stdin() -> Result<Opened, pcap::Error>`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod current;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use pcap::{Capture, PacketHeader};

use crate::classify;
use crate::error::Error;
use crate::source::{Next, Progress, RawPacket, time};
use crate::stopper::Stopper;

/// A file that is read.
pub(crate) struct Offline {
    input: String,
    opened: Opened,
    stopper: Stopper,
}

/// What a platform opens.
struct Opened {
    capture: Capture<pcap::Offline>,
    /// Into how many parts the time stamps divide a second.
    ticks_per_second: u32,
    /// Where the platform tells how far the file was read.
    position: Option<Position>,
}

/// Another handle of a file that is being read, at the same place in it.
struct Position {
    file: File,
    len: u64,
}

impl Offline {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let input = path.display().to_string();
        let mut file = open_file(path)?;
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        // A pipe can be neither measured nor read twice.
        if metadata.is_file() {
            if metadata.len() == 0 {
                return Err(Error::Empty { input });
            }
            if !begins_as_capture(&mut file).map_err(|error| unreadable(path, error))? {
                let message = "unknown file format".to_owned();
                return Err(Error::NotACapture { input, message });
            }
        }
        Self::new(input, current::open(file, path))
    }

    pub(crate) fn stdin() -> Result<Self, Error> {
        Self::new(STDIN.to_owned(), current::open_stdin())
    }

    fn new(input: String, opened: Result<Opened, pcap::Error>) -> Result<Self, Error> {
        match opened {
            Ok(opened) => Ok(Self {
                input,
                opened,
                stopper: Stopper::new(None),
            }),
            Err(error) => Err(classify::opening_file(input, error)),
        }
    }

    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) fn capture(&mut self) -> &mut Capture<pcap::Offline> {
        &mut self.opened.capture
    }

    pub(crate) fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, Error> {
        if self.stopper.is_requested() {
            return Ok(Next::Stopped);
        }
        match self.opened.capture.next_packet() {
            Ok(packet) => {
                let PacketHeader { ts, len, .. } = *packet.header;
                Ok(Next::Packet(RawPacket {
                    time: time(ts.tv_sec, ts.tv_usec, self.opened.ticks_per_second),
                    wire_len: len,
                    data: packet.data,
                }))
            }
            Err(pcap::Error::NoMorePackets) => Ok(Next::End),
            Err(error) => Err(classify::reading_file(&self.input, error)),
        }
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        let position = self.opened.position.as_ref()?;
        Some(Progress {
            read: (&position.file).stream_position().ok()?,
            total: position.len,
        })
    }
}

/// What standard input is called in messages.
const STDIN: &str = "standard input";

fn open_file(path: &Path) -> Result<File, Error> {
    // Asked first, because Windows refuses to open a directory as if it were forbidden.
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(Error::IsDirectory { path: path.into() });
    }
    File::open(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoSuchFile { path },
        _ => Error::Unreadable { path, source },
    }
}

/// Whether the first bytes are those of a file that libpcap reads; it is rewound.
fn begins_as_capture(file: &mut File) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(4);
    Read::by_ref(file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(<[u8; 4]>::try_from(magic).is_ok_and(is_magic))
}

/// Of `sf-pcap.c` and `sf-pcapng.c` in libpcap. A pcap file is in either byte order.
fn is_magic(bytes: [u8; 4]) -> bool {
    const PCAP: [u32; 5] = [
        0xa1b2_c3d4, // microseconds
        0xa1b2_3c4d, // nanoseconds
        0xa1b2_cd34, // Kuznetzov's, with more in each packet header
        0xa1b2_34cd, // Navtel's
        0xa12b_3c4d, // Navtel's, second
    ];
    const PCAPNG: u32 = 0x0a0d_0d0a;
    let (be, le) = (u32::from_be_bytes(bytes), u32::from_le_bytes(bytes));
    be == PCAPNG || PCAP.contains(&be) || PCAP.contains(&le)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_numbers() {
        assert!(is_magic([0xa1, 0xb2, 0xc3, 0xd4]));
        assert!(is_magic([0x4d, 0x3c, 0xb2, 0xa1]));
        assert!(is_magic([0x0a, 0x0d, 0x0d, 0x0a]));
        assert!(!is_magic(*b"hell"));
        assert!(!is_magic([0; 4]));
    }
}

//! Opening capture files.
//!
//! Each platform's file exports the same names:
//!
//! * `open(File, &Path) -> Result<Offline, pcap::Error>`: a file, at its beginning;
//! * `open_stdin() -> Result<Offline, pcap::Error>`.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod current;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::classify;
use crate::error::Error;

/// An open capture file.
pub(crate) struct Offline {
    pub(crate) capture: pcap::Capture<pcap::Offline>,
    /// Into how many parts the time stamps divide a second.
    pub(crate) ticks_per_second: u32,
    /// Where it tells how far the file was read.
    pub(crate) progress: Option<FileProgress>,
}

/// Another handle of a file that is being read, with the same position.
pub(crate) struct FileProgress {
    pub(crate) file: File,
    pub(crate) len: u64,
}

impl FileProgress {
    /// Bytes that were read, a buffer's worth ahead of the packets that were given.
    pub(crate) fn read(&self) -> io::Result<u64> {
        (&self.file).stream_position()
    }
}

pub(crate) fn open(path: &Path) -> Result<Offline, Error> {
    let input = || path.display().to_string();
    let mut file = open_file(path)?;
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    // A pipe can be neither measured nor read twice.
    if metadata.is_file() {
        if metadata.len() == 0 {
            return Err(Error::Empty { input: input() });
        }
        if !begins_as_capture(&mut file).map_err(|error| unreadable(path, error))? {
            return Err(Error::NotACapture {
                input: input(),
                message: "unknown file format".to_owned(),
            });
        }
    }
    current::open(file, path).map_err(|error| classify::opening_file(input(), error))
}

pub(crate) fn open_stdin() -> Result<Offline, Error> {
    current::open_stdin().map_err(|error| classify::opening_file(STDIN.to_owned(), error))
}

/// What standard input is called in messages.
pub(crate) const STDIN: &str = "standard input";

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

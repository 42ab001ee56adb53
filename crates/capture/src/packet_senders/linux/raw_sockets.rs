//! Raw sockets that only send (`/proc/net/raw`, `/proc/net/raw6`; raw(7)).
//!
//! A socket of `IPPROTO_RAW` receives nothing, and its program writes the IP header and everything
//! after it. Raw sockets of other protocols also receive packets; the list does not show whether
//! one of them has `IP_HDRINCL`.
//! one of them has `IP_HDRINCL` is not told.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The files of the thread that opens them, in its network namespace.
const FILES: [&str; 2] = ["/proc/thread-self/net/raw", "/proc/thread-self/net/raw6"];
/// `IPPROTO_RAW`, in the place of a port.
const SENDS_ONLY: &[u8] = b":00FF";
/// The largest number of bytes that this reads of each: some 1,000 sockets.
const MAX: usize = 128 * 1024;
/// The size of one read.
const BUFFER: usize = 32 * 1024;

#[derive(Debug)]
pub(super) struct RawSockets {
    files: Vec<File>,
    buffer: Vec<u8>,
}

impl RawSockets {
    /// None if the system does not list them.
    pub(super) fn open() -> Self {
        let files = FILES.iter().filter_map(|path| File::open(path).ok());
        Self {
            files: files.collect(),
            buffer: vec![0; BUFFER],
        }
    }

    pub(super) fn any_sends(&mut self) -> io::Result<bool> {
        for file in &self.files {
            let (mut text, mut at) = (Vec::new(), 0);
            while text.len() < MAX {
                let length = file.read_at(&mut self.buffer, at)?;
                if length == 0 {
                    break;
                }
                text.extend_from_slice(&self.buffer[..length]);
                at += length as u64;
            }
            if text.split(|byte| *byte == b'\n').any(sends) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a line is about a socket that only sends. The second column has the local address and
/// the protocol (`raw_sock_seq_show` in `net/ipv4/raw.c`).
fn sends(line: &[u8]) -> bool {
    let mut columns = line.split(|byte| *byte == b' ');
    let mut columns = columns.by_ref().filter(|column| !column.is_empty());
    let local = columns.nth(1);
    local.is_some_and(|local| local.ends_with(SENDS_ONLY))
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, Protocol, SocketType};

    use super::*;

    #[test]
    fn lines() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        let of = |protocol| format!("  7: 0100007F:{protocol} 00000000:0000 07 00000000:00000000");
        assert!(!sends(head.as_bytes()) && !sends(b""));
        assert!(sends(of("00FF").as_bytes()));
        for other in ["0001", "0011", "003A", "FF00"] {
            assert!(!sends(of(other).as_bytes()), "{other}");
        }
        let v6 = "  5: 00000000000000000000000000000000:00FF 0000000000000000:0000 07";
        assert!(sends(v6.as_bytes()));
    }

    /// Runs in its own network namespace: other programs here would take it for a sender.
    #[test]
    fn a_socket_that_only_sends_is_found() {
        if flowner_testing::namespace::is_run_inside(std::thread::current().name().unwrap()) {
            return;
        }
        let mut sockets = RawSockets::open();
        let raw = |family, protocol: u8| {
            let protocol = Protocol::from_raw(u32::from(protocol).try_into().unwrap());
            rustix::net::socket(family, SocketType::RAW, Some(protocol)).unwrap()
        };
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            let _listener = raw(family, 17);
            assert!(!sockets.any_sends().unwrap());
            let sender = raw(family, 255);
            assert!(sockets.any_sends().unwrap());
            drop(sender);
            assert!(!sockets.any_sends().unwrap());
        }
    }
}

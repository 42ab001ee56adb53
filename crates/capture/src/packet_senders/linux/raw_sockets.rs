//! Raw sockets that may send datagrams (`/proc/net/raw`, `/proc/net/raw6`; raw(7)).
//!
//! A socket of `IPPROTO_RAW` receives nothing, and its program writes the IP header and everything
//! after it. Raw sockets of other protocols also receive packets; the list does not show whether
//! one of them has `IP_HDRINCL`. One of UDP receives all datagrams of this host, and may send some.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::packet_senders::FrameSenders;

/// The files of the thread that opens them, in its network namespace.
const FILES: [&str; 2] = ["/proc/thread-self/net/raw", "/proc/thread-self/net/raw6"];
/// `IPPROTO_RAW`, in the place of a port.
const SENDS_ONLY: &[u8] = b":00FF";
/// `IPPROTO_UDP`, there.
const UDP: &[u8] = b":0011";
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

    pub(super) fn senders(&mut self) -> io::Result<FrameSenders> {
        let mut all = FrameSenders::None;
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
            let lines = text.split(|byte| *byte == b'\n').map(senders);
            all = lines.fold(all, FrameSenders::max);
        }
        Ok(all)
    }
}

/// Whether a line is about a socket that may send datagrams. The second column has the local address and
/// the protocol (`raw_sock_seq_show` in `net/ipv4/raw.c`).
fn senders(line: &[u8]) -> FrameSenders {
    let mut columns = line.split(|byte| *byte == b' ');
    let mut columns = columns.by_ref().filter(|column| !column.is_empty());
    match columns.nth(1) {
        Some(local) if local.ends_with(SENDS_ONLY) => FrameSenders::OnlySend,
        Some(local) if local.ends_with(UDP) => FrameSenders::AlsoReceive,
        _ => FrameSenders::None,
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, Protocol, SocketType};

    use super::*;

    #[test]
    fn lines() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt";
        let of = |protocol| format!("  7: 0100007F:{protocol} 00000000:0000 07 00000000:00000000");
        for other in [head, "", &of("0001"), &of("003A"), &of("FF00")] {
            assert_eq!(senders(other.as_bytes()), FrameSenders::None, "{other}");
        }
        assert_eq!(senders(of("00FF").as_bytes()), FrameSenders::OnlySend);
        assert_eq!(senders(of("0011").as_bytes()), FrameSenders::AlsoReceive);
        let v6 = "  5: 00000000000000000000000000000000:00FF 0000000000000000:0000 07";
        assert_eq!(senders(v6.as_bytes()), FrameSenders::OnlySend);
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
            let _echoes = raw(family, 1);
            assert_eq!(sockets.senders().unwrap(), FrameSenders::None);
            let both = raw(family, 17);
            assert_eq!(sockets.senders().unwrap(), FrameSenders::AlsoReceive);
            let sender = raw(family, 255);
            assert_eq!(sockets.senders().unwrap(), FrameSenders::OnlySend);
            drop((both, sender));
            assert_eq!(sockets.senders().unwrap(), FrameSenders::None);
        }
    }
}

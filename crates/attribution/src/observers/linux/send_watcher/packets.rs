//! Receives the first packets of flows as each CPU sends them (packet(7)).
//!
//! It copies only the start of each packet, and only of packets that this host sends. The filter
//! drops segments that open no connection, later fragments, and the kernel's own ICMP and IGMP.
#![allow(
    unsafe_code,
    reason = "no library offers the filter and the fan-out of packet sockets"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "the sizes given to the kernel are of a few bytes"
)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth};

use super::headers;
use crate::observers::linux::wake_fd::WakeFd;

/// Receives the packets that one CPU sends.
#[derive(Debug)]
pub(super) struct Packets {
    socket: OwnedFd,
    buffer: [u8; headers::LEN],
}

/// A packet that a CPU is sending.
#[derive(Debug)]
pub(super) struct SentPacket<'a> {
    /// Its first bytes.
    pub(super) start: &'a [u8],
    /// The device that sends it; 0 if the kernel does not report it.
    pub(super) device: u32,
    /// The kernel's time of the packet.
    pub(super) at: Option<SystemTime>,
}

impl Packets {
    /// One receiver for each CPU, in the order of the CPUs.
    pub(super) fn open_each(count: usize) -> io::Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::with_capacity(count);
        for _ in 0..count {
            let one = Self::open()?;
            // The kernel uses the number of the CPU as the index in the group, in the order of
            // joining (`fanout_demux_cpu` in `net/packet/af_packet.c`).
            let group = match all.first() {
                None => libc::PACKET_FANOUT_FLAG_UNIQUEID << 16,
                Some(first) => get(&first.socket, libc::PACKET_FANOUT)? & 0xFFFF,
            };
            let value = group | libc::PACKET_FANOUT_CPU << 16;
            set(&one.socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &value)?;
            all.push(one);
        }
        Ok(all)
    }

    fn open() -> io::Result<Self> {
        /// A few hundred packets: those that wait longer are too old.
        const WAITING: usize = 64 * 1024;
        let socket = rustix::net::socket_with(
            AddressFamily::PACKET,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(eth::ALL),
        )?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, WAITING)?;
        let mut filter = FILTER;
        let program = libc::sock_fprog {
            len: FILTER.len() as libc::c_ushort,
            filter: filter.as_mut_ptr(),
        };
        set(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        let mut packets = Self {
            socket,
            buffer: [0; headers::LEN],
        };
        // The kernel records the times of packets from the first request for one on.
        packets.received_at();
        // Drops the packets from before the filter.
        packets.drain();
        Ok(packets)
    }

    /// Waits for packets. False if another thread wakes this one.
    pub(super) fn wait(&self, wake_fd: &WakeFd) -> bool {
        wake_fd.waits_for(&self.socket)
    }

    /// The next packet, if one has arrived.
    pub(super) fn receive(&mut self) -> Option<SentPacket<'_>> {
        let mut from: libc::sockaddr_ll = zeroed();
        let mut from_len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        let (buffer, room) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        let (descriptor, flags) = (self.socket.as_raw_fd(), libc::MSG_DONTWAIT);
        let place = (&raw mut from).cast();
        // SAFETY: there is room for `room` bytes of the packet and for `from_len` bytes of the
        // address. The kernel writes there only during the call.
        let length =
            unsafe { libc::recvfrom(descriptor, buffer, room, flags, place, &raw mut from_len) };
        let length = usize::try_from(length).ok()?;
        let at = self.received_at();
        let start = self.buffer.get(..length)?;
        // The filter passes only outgoing packets.
        let is_sent = from.sll_pkttype == libc::PACKET_OUTGOING;
        let device = u32::try_from(from.sll_ifindex).unwrap_or_default();
        is_sent.then_some(SentPacket { start, device, at })
    }

    /// The kernel's time of the last received packet (packet(7), "Socket ioctls").
    fn received_at(&self) -> Option<SystemTime> {
        /// `SIOCGSTAMPNS` for the `timespec` of the system's own size (`linux/sockios.h`).
        const STAMP: libc::c_ulong = 0x8907;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let descriptor = self.socket.as_raw_fd();
        // SAFETY: the kernel writes a `timespec` to `time` during the call only.
        let result = unsafe { libc::ioctl(descriptor, STAMP as _, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let since_epoch = Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?);
        (result == 0).then(|| UNIX_EPOCH + since_epoch)
    }

    /// Drops all waiting packets.
    pub(super) fn drain(&mut self) {
        /// More than the queue holds, so that the loop ends.
        const MOST: usize = 1_024;
        for _ in 0..MOST {
            let flags = RecvFlags::DONTWAIT;
            if rustix::net::recv(&self.socket, &mut self.buffer[..], flags).is_err() {
                return;
            }
        }
    }
}

/// An address without content.
const fn zeroed() -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: 0,
        sll_protocol: 0,
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

fn set<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: `value` is of that many bytes, and what it points to lives as long as it; the
    // kernel reads both during the call only.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn get(socket: &OwnedFd, option: i32) -> io::Result<u32> {
    let (level, descriptor) = (libc::SOL_PACKET, socket.as_raw_fd());
    let mut value: u32 = 0;
    let mut length = size_of::<u32>() as libc::socklen_t;
    let (place, room) = (std::ptr::from_mut(&mut value).cast(), &raw mut length);
    // SAFETY: there is room for as many bytes as `length` says, where the kernel writes
    // during the call only.
    let result = unsafe { libc::getsockopt(descriptor, level, option, place, room) };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Passes outgoing IPv4 and IPv6 packets, except later fragments. Of TCP, it passes only the first
/// packet of a connection, with SYN and without ACK; of ICMP, only messages that request an answer.
/// It does not parse IPv6 headers other than the first.
const FILTER: [libc::sock_filter; 32] = {
    // `linux/bpf_common.h`: the size of a load, absolute or relative to the index register;
    // comparisons; the return.
    const BYTE: u16 = 0x30;
    const HALF: u16 = 0x28;
    const INDEXED_BYTE: u16 = 0x50;
    const INDEX_IP_LEN: u16 = 0xB1;
    const EQUAL: u16 = 0x15;
    const ANY_BIT: u16 = 0x45;
    const AND: u16 = 0x54;
    const RETURN: u16 = 0x06;
    // `linux/filter.h`: packet metadata, which are the Ethernet protocol and the direction.
    const PROTOCOL: u32 = 0xFFFF_F000;
    const WAY: u32 = 0xFFFF_F004;
    const OUTGOING: u32 = 4;
    const SYN: u32 = 0x02;
    const SYN_OR_ACK: u32 = 0x12;
    const fn load(code: u16, k: u32) -> libc::sock_filter {
        libc::sock_filter {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }
    /// How many instructions a comparison skips if it is true, and if it is false.
    const fn skip(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
        libc::sock_filter { code, jt, jf, k }
    }
    [
        load(BYTE, WAY),
        skip(EQUAL, OUTGOING, 0, 28),
        load(HALF, PROTOCOL),
        skip(EQUAL, 0x0800, 0, 16),
        // IPv4: not the first fragment.
        load(HALF, 6),
        skip(ANY_BIT, 0x1FFF, 24, 0),
        load(INDEX_IP_LEN, 0),
        load(BYTE, 9),
        skip(EQUAL, 6, 0, 3),
        load(INDEXED_BYTE, 13),
        load(AND, SYN_OR_ACK),
        skip(EQUAL, SYN, 19, 18),
        // IGMP.
        skip(EQUAL, 2, 17, 0),
        skip(EQUAL, 1, 0, 17),
        load(INDEXED_BYTE, 0),
        // Echo requests, requests for time, information and masks, and extended echo requests.
        skip(EQUAL, 8, 15, 0),
        skip(EQUAL, 13, 14, 0),
        skip(EQUAL, 15, 13, 0),
        skip(EQUAL, 17, 12, 0),
        skip(EQUAL, 42, 11, 10),
        skip(EQUAL, 0x86DD, 0, 9),
        // IPv6.
        load(BYTE, 6),
        skip(EQUAL, 6, 0, 3),
        load(BYTE, 40 + 13),
        load(AND, SYN_OR_ACK),
        skip(EQUAL, SYN, 5, 4),
        skip(EQUAL, 58, 0, 4),
        load(BYTE, 40),
        skip(EQUAL, 128, 2, 0),
        skip(EQUAL, 160, 1, 0),
        load(RETURN, 0),
        load(RETURN, headers::LEN as u32),
    ]
};

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::answer::{Protocol, SocketQuery};
    use crate::observers::linux::sched::cpus;

    /// Receives from all of them until a packet of that query arrives.
    #[track_caller]
    fn await_sender(all: &mut [Packets], protocol: Protocol, from: SocketAddr, to: SocketAddr) {
        let expected = SocketQuery::new(protocol, from, Some(to));
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            for packets in &mut *all {
                let Some(packet) = packets.receive() else {
                    continue;
                };
                let (device, at) = (packet.device, packet.at);
                let sender = headers::sender(packet.start);
                // Replies are never received.
                assert_ne!(sender, Some(SocketQuery::new(protocol, to, Some(from))));
                if sender == Some(expected) {
                    // All packets are from the loopback device.
                    assert_eq!(device, 1);
                    let age = at.and_then(|at| SystemTime::now().duration_since(at).ok());
                    assert!(
                        age.is_some_and(|age| age < Duration::from_secs(10)),
                        "{at:?}"
                    );
                    return;
                }
            }
            std::thread::yield_now();
        }
        panic!("no packet of {expected:?} was received");
    }

    #[test]
    fn first_packets_are_received() {
        let count = cpus().unwrap_or(1);
        let mut all = match Packets::open_each(count) {
            Ok(all) => all,
            Err(error) => {
                flowner_testing::skipped!("packet sockets: {error}");
                return;
            }
        };
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let to = listener.local_addr().unwrap();
            let client = TcpStream::connect(to).unwrap();
            await_sender(&mut all, Protocol::Tcp, client.local_addr().unwrap(), to);
            let server = UdpSocket::bind(address).unwrap();
            let to = server.local_addr().unwrap();
            let client = UdpSocket::bind(address).unwrap();
            client.send_to(b"", to).unwrap();
            await_sender(&mut all, Protocol::Udp, client.local_addr().unwrap(), to);
        }
    }
}

//! Whether a program may be sending frames that it builds itself.
//!
//! Each platform's file exports the same names: `Senders` with `Senders::open() ->
//! io::Result<Self>` and `Senders::may_send_on(&mut self, device: Option<u32>) ->
//! io::Result<FrameSenders>`.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::io;

use platform::Senders;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;

/// The sockets of this host that may send frames with any addresses and ports in them. Each includes
/// those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum FrameSenders {
    /// There are none.
    #[default]
    None,
    /// Some receive as well, which may be all that they are for.
    AlsoReceive,
    /// Some only send.
    OnlySend,
}

/// Reports whether this host has packet sockets that send, or raw sockets that only send.
///
/// A frame from such a socket leaves like any other, and may have the addresses and ports of
/// another process's socket. If there is one, an unconnected datagram socket with the source
/// address of a packet is no evidence that it sent the packet. If there is one that only sends, a
/// connected datagram socket is none either.
///
/// Linux lists packet sockets (`packet_diag` of `sock_diag(7)`), but not their purpose, so their
/// setup decides. A socket counts as one that only sends if it receives nothing (protocol 0) or has a ring
/// to send from, and as one that may send if it receives IP packets or all packets with neither a filter
/// nor a ring. A socket that
/// receives through a filter or a ring counts as a listener, like those of tcpdump and DHCP
/// clients. A socket for a protocol other than IP, like those of `wpa_supplicant` and `lldpd`, is
/// neither. This misses a program that sends through a listener's socket, and one whose socket is
/// closed by the time of the call.
///
/// Of raw sockets (raw(7)), those of `IPPROTO_RAW` only send, because they receive nothing: their
/// program writes IP headers. Those of UDP may send. Those of other protocols mostly exist to receive.
///
/// This cannot detect a forged frame that is part of an existing flow. Its bytes count as sent by the
/// owner of that flow. Any process that may open a packet socket (`CAP_NET_RAW`) can forge such a frame.
#[derive(Debug)]
pub struct PacketSenders(Senders);

impl PacketSenders {
    /// Opens access to the packet sockets in the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// If the system does not list them.
    pub fn open() -> io::Result<Self> {
        Senders::open().map(Self)
    }

    /// Which sockets may send on the device with this index, or on any device if none is given. Takes some 10 µs, and more if there are many packet sockets.
    ///
    /// # Errors
    ///
    /// If the system fails to list them.
    pub fn may_send_on(&mut self, device: Option<u32>) -> io::Result<FrameSenders> {
        self.0.may_send_on(device)
    }
}

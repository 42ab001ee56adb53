//! Whether a program may be sending frames of its own making.
//!
//! Each platform's file exports the same names: `Senders` with `Senders::open() ->
//! io::Result<Self>` and `Senders::may_send_on(&mut self, device: Option<u32>) ->
//! io::Result<bool>`.

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

use std::io;

use platform::Senders;
#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub use platform::fuzzing;

/// Tells whether this host has packet sockets that send, or raw sockets that only send.
///
/// A frame from such a socket leaves like any other, and its addresses and ports may be those of
/// somebody else's socket. Where there is one, an unconnected datagram socket with the source
/// address of a packet is no evidence that it sent the packet.
///
/// Linux lists packet sockets (`packet_diag` of `sock_diag(7)`). It does not say what a socket is
/// for, so this goes by what it is set up for. A socket counts as one that sends if it
/// takes no packets at all (protocol 0), has a ring to send from, or takes IP packets
/// or all packets with neither a filter nor a ring. One that takes packets through a filter or a
/// ring counts as a listener, as tcpdump and DHCP clients have it; one that takes a protocol other
/// than IP, as those of `wpa_supplicant` and `lldpd`, is neither. A program that sends through a
/// listener's socket is not noticed, nor one whose socket is closed by the time of the question.
///
/// Of raw sockets (raw(7)), those of `IPPROTO_RAW` count, as they take no packets: a program that has one
/// writes IP headers. Those of other protocols are mostly there for what they receive.
///
/// Nothing here tells a frame that is made up as part of a flow that is there already: a segment of
/// a live TCP connection, or a datagram with both ends of a socket. Its bytes are counted as sent
/// by the owner of that flow. A process that may open a packet socket here (`CAP_NET_RAW`) can do that.
#[derive(Debug)]
pub struct PacketSenders(Senders);

impl PacketSenders {
    /// Asks for the packet sockets in the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn open() -> io::Result<Self> {
        Senders::open().map(Self)
    }

    /// Whether there is a socket that may send on a device, given its index; on any, if none is
    /// given. Some 10 µs, and more where there are many packet sockets.
    ///
    /// # Errors
    ///
    /// Where the system fails to tell.
    pub fn may_send_on(&mut self, device: Option<u32>) -> io::Result<bool> {
        self.0.may_send_on(device)
    }
}

//! Whole frames, through a packet socket that could receive, too, as a sniffer's can.

use std::ffi::CString;
use std::net::SocketAddr;

use etherparse::PacketBuilder;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Count, Task};
use crate::platform::Result;
use crate::platform::lab::HOST;

pub(super) fn run(task: &Task) -> Result<Count> {
    let device = task.device.as_deref().ok_or("no device=")?;
    let mac = mac_of(task.mac.as_deref().ok_or("no mac=")?)?;
    let all = u16::try_from(libc::ETH_P_ALL)?.to_be();
    let socket = Socket::new(
        Domain::PACKET,
        Type::RAW,
        Some(Protocol::from(i32::from(all))),
    )?;
    let to = address_of(device)?;
    let SocketAddr::V4(peer) = task.to else {
        return Err("frames are IPv4".into());
    };
    let payload = vec![b'f'; task.size];
    let mut pace = task.pace();
    let mut count = Count::default();
    while pace.next(task.size).is_some() {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 0x77], mac)
            .ipv4(
                HOST.parse::<std::net::Ipv4Addr>()?.octets(),
                peer.ip().octets(),
                64,
            )
            .udp(40_000, peer.port());
        let mut frame = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut frame, &payload)?;
        socket.send_to(&frame, &to)?;
        count.sent += payload.len() as u64;
    }
    Ok(count)
}

fn mac_of(text: &str) -> Result<[u8; 6]> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let bytes: Vec<u8> = bytes.collect::<std::result::Result<_, _>>()?;
    Ok(bytes.try_into().map_err(|_| "not a hardware address")?)
}

/// The address of a device, as packet sockets have it (packet(7)).
fn address_of(device: &str) -> Result<SockAddr> {
    let name = CString::new(device)?;
    #[expect(unsafe_code, reason = "a call of the system")]
    // SAFETY: the name ends with a zero, and lives until the call returns.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let index = i32::try_from(index)?;
    if index == 0 {
        return Err(format!("{device}: {}", std::io::Error::last_os_error()).into());
    }
    #[expect(
        unsafe_code,
        reason = "an address of a kind that the library does not know"
    )]
    // SAFETY: the storage is large enough for every address, and aligned for it; the length is
    // that of what is written.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
            (*address).sll_protocol = u16::try_from(libc::ETH_P_IP).unwrap_or_default().to_be();
            (*address).sll_ifindex = index;
            *length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
            Ok(())
        })?
    };
    Ok(address)
}

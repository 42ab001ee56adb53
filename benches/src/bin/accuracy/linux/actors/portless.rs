//! Who sends without a port: through raw and ping sockets, and frames.

use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::id;

use etherparse::{IcmpEchoHeader, Icmpv4Type, PacketBuilder};
use rustix::net::AddressFamily;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::tell;
use crate::platform::Result;

/// What is sent by each.
const DATA: &[u8] = b"12345678";

/// `KIND FROM TO ALIKE`: sends one packet, and says who did. `ALIKE` is who might have, too. Where the
/// kind is `hold-...`, it keeps such a socket and sends nothing.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let [kind, from, to, alike] = arguments else {
        return Err("portless KIND FROM TO ALIKE".into());
    };
    let (from, to): (SocketAddrV4, SocketAddrV4) = (from.parse()?, to.parse()?);
    if let Some(kind) = kind.strip_prefix("hold-") {
        let _held = opened(kind)?;
        tell(&format!("ready {from}"))?;
        loop {
            std::thread::park();
        }
    }
    let socket = opened(kind)?;
    let protocol = match kind.as_str() {
        "raw" => {
            socket.send_to(DATA, &address(*to.ip(), 0))?;
            "253"
        }
        "ping" | "dgram" => {
            if kind == "dgram" {
                socket.bind(&address(*from.ip(), from.port()))?;
            }
            socket.send_to(&echo(from.port())?, &address(*to.ip(), 0))?;
            "icmp"
        }
        "udplite" => {
            socket.bind(&address(*from.ip(), from.port()))?;
            socket.send_to(DATA, &address(*to.ip(), to.port()))?;
            "udplite"
        }
        _ => {
            let ethernet = PacketBuilder::ethernet2([0; 6], [0; 6]);
            let ip = ethernet.ipv4(from.ip().octets(), to.ip().octets(), 64);
            let mut frame = Vec::new();
            ip.udp(from.port(), to.port()).write(&mut frame, DATA)?;
            socket.send_to(&frame, &loopback()?)?;
            "udp"
        }
    };
    tell(&format!(
        "end client {protocol} {from} {to} {};;{alike}",
        id()
    ))
}

fn opened(kind: &str) -> Result<Socket> {
    let (domain, kind, protocol) = match kind {
        "raw" => (Domain::IPV4, Type::RAW, Some(Protocol::from(253))),
        "ping" => (Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)),
        "dgram" => (Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4)),
        "udplite" => (Domain::IPV4, Type::DGRAM, Some(Protocol::from(136))),
        "frame" => (Domain::PACKET, Type::RAW, None),
        // `ETH_P_ALL`, as it is on the wire.
        "sniffer" => (
            Domain::PACKET,
            Type::RAW,
            Some(Protocol::from(i32::from(3_u16.to_be()))),
        ),
        other => return Err(format!("no such socket: {other}").into()),
    };
    Ok(Socket::new(domain, kind, protocol)?)
}

fn address(ip: Ipv4Addr, port: u16) -> SockAddr {
    SocketAddrV4::new(ip, port).into()
}

/// An echo request with an id.
fn echo(id: u16) -> Result<Vec<u8>> {
    let header = IcmpEchoHeader { id, seq: 1 };
    let mut message = Vec::new();
    let header = Icmpv4Type::EchoRequest(header);
    etherparse::Icmpv4Header::with_checksum(header, DATA).write(&mut message)?;
    message.extend(DATA);
    Ok(message)
}

/// The loopback device, as packet sockets name it.
#[expect(unsafe_code, reason = "socket2 has no addresses of devices")]
fn loopback() -> Result<SockAddr> {
    let family = AddressFamily::PACKET.as_raw();
    // SAFETY: the storage has room for an address of any family, and is zeroed; what is written is
    // such an address, of the length that is said.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = family;
            (*address).sll_ifindex = 1;
            *length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or(0);
            Ok(())
        })?
    };
    Ok(address)
}

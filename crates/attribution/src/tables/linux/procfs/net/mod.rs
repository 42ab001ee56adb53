//! The sockets in `/proc/net` (`proc_pid_net(5)`), for systems without `sock_diag`: without
//! cookies, cgroups and `IPV6_V6ONLY`. No other interface lists ping sockets.

mod packet;
mod sctp;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use super::proc;
use super::proc::ReadBuffers;
use crate::answer::Protocol;
use crate::tables::linux::netlink::message::{DiagSocket, peer, state};

/// The lists of a protocol: for IPv4 and IPv6, or for endpoints and associations.
const fn names(protocol: Protocol) -> &'static [&'static std::ffi::CStr] {
    match protocol {
        Protocol::Tcp => &[c"net/tcp", c"net/tcp6"],
        Protocol::Udp => &[c"net/udp", c"net/udp6"],
        Protocol::UdpLite => &[c"net/udplite", c"net/udplite6"],
        Protocol::Sctp => &[c"net/sctp/eps", c"net/sctp/assocs"],
        Protocol::Dccp => &[],
        Protocol::Icmp => &[c"net/icmp", c"net/icmp6"],
        Protocol::Raw => &[c"net/raw", c"net/raw6"],
        Protocol::Packet => &[c"net/packet"],
    }
}

/// Adds all sockets of a protocol in the network namespace of the process or thread with this
/// directory of `/proc`, or in our own for `/proc` itself.
pub(crate) fn read(
    directory: impl AsFd,
    protocol: Protocol,
    buffers: &mut ReadBuffers,
    sockets: &mut Vec<DiagSocket>,
) -> io::Result<()> {
    let mut is_first = true;
    for name in names(protocol) {
        // A kernel without IPv6 has no second one.
        let text = match proc::read(&directory, name, usize::MAX, buffers) {
            Ok(text) => text,
            Err(error) if is_first => return Err(error),
            Err(_) => continue,
        };
        is_first = false;
        match protocol {
            Protocol::Sctp => sctp::parse(text, sockets),
            Protocol::Packet => sockets.extend(packet::parse(text)),
            _ => sockets.extend(parse(text)),
        }
    }
    Ok(())
}

/// The sockets of a list. Skips other lines, such as the heading.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = DiagSocket> {
    text.split(|byte| *byte == b'\n').filter_map(line)
}

fn line(line: &[u8]) -> Option<DiagSocket> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    // "sl", a number and a colon, which may touch a long address.
    fields.next()?.strip_suffix(':')?;
    let (local, remote) = (end(fields.next()?)?, end(fields.next()?)?);
    let state = state(u8::from_str_radix(fields.next()?, 16).ok()?);
    // Queues, timer, retransmissions.
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse::<u64>().ok()?;
    Some(DiagSocket {
        state,
        local,
        remote: peer(state, remote),
        inode: u32::try_from(inode).ok()?,
        uid,
        cookie: 0,
        cgroup: None,
        unaccepted: None,
        v6_only: false,
        device: None,
        packet: None,
    })
}

/// `0100007F:1F90`: 32-bit words in the byte order of memory, and the port.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |text: &str| u32::from_str_radix(text, 16).map(u32::to_ne_bytes).ok();
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(address)?)),
        32 => {
            let mut bytes = [0; 16];
            for (place, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(address.get(8 * place..8 * place + 8)?)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(address: SocketAddr) -> String {
        let word = |bytes: &[u8]| {
            let bytes: [u8; 4] = bytes.try_into().unwrap();
            format!("{:08X}", u32::from_ne_bytes(bytes))
        };
        let ip = match address.ip() {
            IpAddr::V4(v4) => word(&v4.octets()),
            IpAddr::V6(v6) => v6.octets().chunks(4).map(word).collect(),
        };
        format!("{ip}:{:04X}", address.port())
    }

    /// As `tcp4_seq_show` in `net/ipv4/tcp_ipv4.c` writes it.
    fn written(socket: &DiagSocket, state: u8) -> String {
        let any: IpAddr = match socket.local {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let remote = socket.remote.unwrap_or_else(|| SocketAddr::new(any, 0));
        format!(
            "{:4}: {} {} {state:02X} 00000000:00000000 00:00000000 00000000 {:5}        0 {} 1 0 100\n",
            17,
            hex(socket.local),
            hex(remote),
            socket.uid,
            socket.inode
        )
    }

    fn ip() -> impl Strategy<Value = (IpAddr, IpAddr)> {
        let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into()));
        let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.into(), b.into()));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            (ours, theirs) in ip(),
            ports in any::<(u16, u16)>(),
            number in 1..12_u8,
            (uid, inode) in any::<(u32, u32)>(),
        ) {
            let socket = DiagSocket {
                state: state(number),
                local: SocketAddr::new(ours, ports.0),
                remote: (ports.1 != 0).then(|| SocketAddr::new(theirs, ports.1)),
                inode,
                uid,
                cookie: 0,
                cgroup: None,
            unaccepted: None,
                v6_only: false,
                device: None,
                packet: None,
            };
            let text = format!("  sl  local_address rem_address   st\n{}", written(&socket, number));
            prop_assert_eq!(parse(text.as_bytes()).collect::<Vec<_>>(), [socket]);
        }

        #[test]
        fn any_text_is_survived(text in any::<Vec<u8>>(), lines in "[ :0-9A-F\n]{0,200}") {
            parse(&text).for_each(drop);
            parse(lines.as_bytes()).for_each(drop);
        }
    }
}

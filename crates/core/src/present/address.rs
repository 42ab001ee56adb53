//! Addresses with their ports, and services.

use std::net::{IpAddr, SocketAddr};

use flowner_attribution::{self as attribution, Socket};
use flowner_flows::Protocol;

use crate::model::totals::Service;
use crate::query::services::service_name;

/// One end of a flow: `10.0.0.1:80`, `[::1]:80`; the port only where the protocol has one.
pub fn endpoint(protocol: Protocol, address: SocketAddr) -> String {
    if protocol.has_ports() {
        address.to_string()
    } else {
        address.ip().to_string()
    }
}

/// The name of a service, with its protocol unless that is TCP: `https`, `dns/udp`. A service
/// without a name has protocol and port: `tcp 8443`.
pub fn service(service: Service) -> String {
    let Service { protocol, port } = service;
    match service_name(protocol, port) {
        Some(name) if protocol == Protocol::TCP => name.to_owned(),
        Some(name) => format!("{name}/{protocol}"),
        None if port == 0 => protocol.to_string(),
        None => format!("{protocol} {port}"),
    }
}

/// The protocol of a socket: `tcp`; of a raw socket with that of its packets, `raw/icmp`, `raw/253`; of a
/// packet socket with that of its frames, `packet/all`, `packet/0x88cc`.
pub fn socket_protocol(socket: &Socket) -> String {
    /// `ETH_P_ALL`, `ETH_P_IP`, `ETH_P_IPV6`.
    const NAMES: [(u16, &str); 4] = [(0, "none"), (3, "all"), (0x0800, "ipv4"), (0x86dd, "ipv6")];
    /// `IPPROTO_RAW`.
    const ANY: u8 = 255;
    let kind = socket.protocol;
    if let Some(number) = socket.protocol_number() {
        return match number {
            ANY => format!("{kind}/any"),
            _ => format!("{kind}/{}", Protocol(number)),
        };
    }
    let Some(packet) = &socket.packet else {
        return kind.to_string();
    };
    let name = NAMES
        .iter()
        .find(|(number, _)| *number == packet.ether_type);
    match name {
        Some((_, name)) => format!("{kind}/{name}"),
        None => format!("{kind}/{:#06x}", packet.ether_type),
    }
}

/// The local end of a socket as `ss` writes it, with the name of the device that it is bound to:
/// `0.0.0.0%eth0:68`, `[fe80::1%eth0]:53`. In another network namespace, the device has its
/// number. That of a ping socket has an id (`10.0.0.1 id 7`), that of a raw socket an address
/// alone, and that of a packet socket a device (`*%eth0`).
pub fn local_end(socket: &Socket) -> String {
    if !socket.protocol.has_ports() {
        return end_without_port(socket);
    }
    match socket.device {
        Some(device) => on_device(socket, socket.local, device),
        None => socket.local.to_string(),
    }
}

/// The remote end of a socket, if it has one, as [`local_end`] writes the local one: a link-local
/// address has the name of its device. That of a raw socket is an address without a port.
pub fn remote_end(socket: &Socket) -> Option<String> {
    let remote = socket.remote?;
    if !socket.protocol.has_ports() {
        return Some(remote.ip().to_string());
    }
    let scope = match remote {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    Some(if scope == 0 {
        remote.to_string()
    } else {
        on_device(socket, remote, scope)
    })
}

fn end_without_port(socket: &Socket) -> String {
    let device = socket.device.map(|device| device_name(socket, device));
    let device = device.map_or_else(String::new, |name| format!("%{name}"));
    let address = match socket.protocol {
        attribution::Protocol::Packet => "*".to_owned(),
        _ => socket.local.ip().to_string(),
    };
    match socket.icmp_id() {
        Some(id) => format!("{address}{device} id {id}"),
        None => format!("{address}{device}"),
    }
}

/// In another network namespace, the number of the device.
fn device_name(socket: &Socket, device: u32) -> String {
    let is_here = socket.namespace.is_none();
    let name = is_here.then(|| flowner_attribution::device_name(device));
    name.flatten().unwrap_or_else(|| device.to_string())
}

fn on_device(socket: &Socket, end: SocketAddr, device: u32) -> String {
    let name = device_name(socket, device);
    let port = end.port();
    match end.ip() {
        IpAddr::V4(ip) => format!("{ip}%{name}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}%{name}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_protocols_with_ports_show_them() {
        let show = |protocol, address: &str| endpoint(protocol, address.parse().unwrap());
        assert_eq!(show(Protocol::TCP, "[::1]:80"), "[::1]:80");
        assert_eq!(show(Protocol::ICMP, "10.0.0.1:0"), "10.0.0.1");
    }

    #[test]
    fn services_without_a_name_have_a_number() {
        let show = |protocol, port| service(Service { protocol, port });
        assert_eq!(show(Protocol::TCP, 443), "https");
        assert_eq!(show(Protocol::UDP, 53), "dns/udp");
        assert_eq!(show(Protocol::TCP, 49_152), "tcp 49152");
        assert_eq!(show(Protocol::ICMP, 0), "icmp");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_ends_have_the_name_of_the_device() {
        use attribution::Protocol::{Icmp, Packet, Raw};

        let here = {
            let mut socket = Socket::new(
                attribution::Protocol::Udp,
                "[fe80::1%1]:53".parse().unwrap(),
                attribution::Verdict::Unknown(attribution::Reason::Gone),
            );
            socket.remote = Some("[fe80::2%1]:5353".parse().unwrap());
            socket.device = Some(1);
            socket
        };
        let ends = |socket: &Socket| (local_end(socket), remote_end(socket).unwrap());
        let shown = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(ends(&here), shown("[fe80::1%lo]:53", "[fe80::2%lo]:5353"));
        let network = flowner_attribution::NetworkNamespace::new(1, None);
        let elsewhere = {
            let mut socket = here.clone();
            socket.namespace = Some(std::sync::Arc::new(network));
            socket
        };
        assert_eq!(
            ends(&elsewhere),
            shown("[fe80::1%1]:53", "[fe80::2%1]:5353")
        );
        let raw = {
            let mut socket = here.clone();
            socket.protocol = attribution::Protocol::Raw;
            socket.remote = Some("10.0.0.2:0".parse().unwrap());
            socket
        };
        assert_eq!(remote_end(&raw).unwrap(), "10.0.0.2");
        let portless = |protocol, local: &str, ether_type: Option<u16>| {
            let mut socket = here.clone();
            (socket.protocol, socket.local) = (protocol, local.parse().unwrap());
            socket.packet = ether_type.map(|ether_type| {
                attribution::PacketSocket::new(attribution::PacketKind::Frame, ether_type)
            });
            format!("{} {}", socket_protocol(&socket), local_end(&socket))
        };
        assert_eq!(portless(Raw, "0.0.0.0:1", None), "raw/icmp 0.0.0.0%lo");
        assert_eq!(portless(Raw, "10.0.0.1:253", None), "raw/253 10.0.0.1%lo");
        assert_eq!(portless(Raw, "[::]:255", None), "raw/any ::%lo");
        assert_eq!(portless(Icmp, "10.0.0.1:7", None), "icmp 10.0.0.1%lo id 7");
        assert_eq!(portless(Icmp, "0.0.0.0:0", None), "icmp 0.0.0.0%lo");
        let any = "0.0.0.0:0";
        assert_eq!(portless(Packet, any, Some(3)), "packet/all *%lo");
        assert_eq!(portless(Packet, any, Some(0x88cc)), "packet/0x88cc *%lo");
        let v4 = {
            let mut socket = here;
            socket.local = "0.0.0.0:68".parse().unwrap();
            socket.remote = Some("10.0.0.2:67".parse().unwrap());
            socket
        };
        assert_eq!(ends(&v4), shown("0.0.0.0%lo:68", "10.0.0.2:67"));
    }
}

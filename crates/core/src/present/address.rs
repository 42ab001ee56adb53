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

/// The name of a service, with its protocol unless that is TCP: `https`, `dns/udp`. Where there is
/// none, protocol and port: `tcp 8443`.
pub fn service(service: Service) -> String {
    let Service { protocol, port } = service;
    match service_name(protocol, port) {
        Some(name) if protocol == Protocol::TCP => name.to_owned(),
        Some(name) => format!("{name}/{protocol}"),
        None if port == 0 => protocol.to_string(),
        None => format!("{protocol} {port}"),
    }
}

/// The local end of a socket as `ss` writes it, with the name of the device that it is bound to:
/// `0.0.0.0%eth0:68`, `[fe80::1%eth0]:53`. In another network namespace, the device has its
/// number.
pub fn local_end(socket: &Socket) -> String {
    match socket.device {
        Some(device) => on_device(socket, socket.local, device),
        None => socket.local.to_string(),
    }
}

/// The remote end of a socket, if it has one, as [`local_end`] writes the local one: a link-local
/// address has the name of its device. That of a raw socket is an address without a port.
pub fn remote_end(socket: &Socket) -> Option<String> {
    let remote = socket.remote?;
    if socket.protocol == attribution::Protocol::Raw {
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

fn on_device(socket: &Socket, end: SocketAddr, device: u32) -> String {
    let is_here = socket.namespace.is_none();
    let name = is_here.then(|| flowner_attribution::device_name(device));
    let name = name.flatten().unwrap_or_else(|| device.to_string());
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
        let v4 = {
            let mut socket = here;
            socket.local = "0.0.0.0:68".parse().unwrap();
            socket.remote = Some("10.0.0.2:67".parse().unwrap());
            socket
        };
        assert_eq!(ends(&v4), shown("0.0.0.0%lo:68", "10.0.0.2:67"));
    }
}

//! Sockets with options: `udp 0.0.0.0:7 dev=eth0 to=10.0.0.1:9`.

use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

pub(super) struct Bound(Socket);

/// Opens a socket whose address other sockets may share. `dev` binds it to a device, `to` connects
/// it, `listen` makes a TCP socket listen, `share` lets other sockets have the same port
/// (`SO_REUSEPORT`), `broadcast` lets it send broadcasts, `freebind` lets it have an address that
/// no device has, and `transparent` lets it send from there. `start` begins to connect it. `join=239.1.2.3@4` joins a multicast group on the device with that index.
pub(super) fn open(protocol: &str, words: &str) -> std::io::Result<(Bound, SocketAddr)> {
    let mut words = words.split(' ');
    let local: SocketAddr = words.next().unwrap().parse().unwrap();
    let (kind, protocol) = match protocol {
        "tcp" => (Type::STREAM, Protocol::TCP),
        _ => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol))?;
    socket.set_reuse_address(true)?;
    let mut to: Option<SocketAddr> = None;
    let mut listens = false;
    let mut joins = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("dev", name)) => socket.bind_device(Some(name.as_bytes()))?,
            Some(("join", group)) => {
                let (group, device) = group.split_once('@').unwrap();
                joins.push((group.parse().unwrap(), device.parse().unwrap()));
            }
            Some(("start", address)) => {
                socket.set_nonblocking(true)?;
                to = Some(address.parse().unwrap());
            }
            Some(("to", address)) => to = Some(address.parse().unwrap()),
            None if word == "listen" => listens = true,
            None if word == "share" => socket.set_reuse_port(true)?,
            None if word == "freebind" && local.is_ipv4() => socket.set_freebind_v4(true)?,
            None if word == "freebind" => socket.set_freebind_v6(true)?,
            None if word == "transparent" => socket.set_ip_transparent_v4(true)?,
            None if word == "broadcast" => socket.set_broadcast(true)?,
            _ => panic!("not understood: {word}"),
        }
    }
    socket.bind(&local.into())?;
    for (group, device) in joins {
        match group {
            IpAddr::V4(v4) => {
                socket.join_multicast_v4_n(&v4, &InterfaceIndexOrAddress::Index(device))?;
            }
            IpAddr::V6(v6) => socket.join_multicast_v6(&v6, device)?,
        }
    }
    if listens {
        socket.listen(8)?;
    }
    if let Some(to) = to {
        match socket.connect(&to.into()) {
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            result => result?,
        }
    }
    let local = socket.local_addr()?.as_socket().unwrap();
    Ok((Bound(socket), local))
}

impl Bound {
    pub(super) fn send(&self, to: &str) {
        let to: SocketAddr = to.parse().unwrap();
        self.0.send_to(b"x", &to.into()).unwrap();
    }
}

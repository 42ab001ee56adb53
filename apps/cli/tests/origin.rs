//! Who sent a packet is the kernel's word: what arrives with this host's own address, or for
//! another host, is nobody's here, whatever its addresses and ports claim. Real processes and
//! frames, in network namespaces of their own.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]
#![allow(unsafe_code, reason = "frames are sent as nobody else does")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::single_match_else,
    reason = "numbers of the system interface are small; both cases are as likely"
)]

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use common::Running;
use common::namespace::Namespace;
use serde_json::Value;

/// The host that is watched, and its neighbour, at the two ends of a wire.
struct Wire {
    host: Namespace,
    peer: Namespace,
}

const HOST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const HOSTS_HARDWARE: &str = "02:00:00:00:00:0b";
const PEERS_HARDWARE: &str = "02:00:00:00:00:0a";
const ANOTHERS_HARDWARE: &str = "02:00:00:00:00:55";

/// Bytes of the headers of Ethernet, IPv4 and UDP or TCP.
const UDP_HEADERS: u64 = 42;
const TCP_HEADERS: u64 = 54;

impl Wire {
    fn new() -> Option<Self> {
        let (host, peer) = (Namespace::new()?, Namespace::new()?);
        let name = peer.name();
        host.ip(&format!(
            "link add fl0 address {HOSTS_HARDWARE} type veth peer name fl1 address \
             {PEERS_HARDWARE} netns {name}"
        ));
        for (namespace, device, address) in [(&host, "fl0", HOST), (&peer, "fl1", PEER)] {
            namespace.ip(&format!("addr add {address}/24 dev {device}"));
            namespace.ip(&format!("link set {device} up"));
        }
        host.ip(&format!("route add default via {PEER}"));
        host.ip(&format!(
            "neigh add {PEER} lladdr {PEERS_HARDWARE} dev fl0 nud permanent"
        ));
        peer.ip(&format!(
            "neigh add {HOST} lladdr {HOSTS_HARDWARE} dev fl1 nud permanent"
        ));
        Some(Self { host, peer })
    }

    /// The program under test, once it captures.
    fn watch(&self, device: &str) -> Running {
        let program = env!("CARGO_BIN_EXE_flowner");
        let mut command = self.host.command(program);
        let watch = Running::spawn(command.args(["watch", "--json", "-i", device]));
        let head: Value = serde_json::from_str(&watch.line()).unwrap();
        assert_eq!(head["type"], "start");
        watch
    }
}

/// This test's own program in another role.
fn start(namespace: &Namespace, role: &str, argument: &str) -> Running {
    let program = std::env::current_exe().unwrap();
    let mut command = namespace.command(program.to_str().unwrap());
    command
        .args(["--exact", "role", "--ignored", "--nocapture"])
        .arg("--test-threads=1")
        .env("ROLE", role)
        .env("ARGUMENT", argument);
    let running = Running::spawn(&mut command);
    running.line_with(|line| line == "SAYS ready");
    running
}

/// What the helpers do.
#[test]
#[ignore = "a role: other tests run it, in a process of its own"]
fn role() -> std::io::Result<()> {
    let role = std::env::var("ROLE").expect("only the other tests run this");
    let argument = std::env::var("ARGUMENT").unwrap();
    let ready = || println!("\nSAYS ready");
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    match role.as_str() {
        "udp" => {
            let _socket = UdpSocket::bind(&argument)?;
            ready();
            wait()?;
        }
        "listener" => {
            let _socket = TcpListener::bind(&argument)?;
            ready();
            wait()?;
        }
        "sink" => {
            let listener = TcpListener::bind(&argument)?;
            ready();
            for stream in listener.incoming() {
                let mut stream = stream?;
                std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
            }
        }
        // From an address, to another, so many bytes.
        "client" => {
            let words: Vec<_> = argument.split(' ').collect();
            let [from, to] = [words[0], words[1]].map(|end| end.parse().unwrap());
            let mut stream = connect(from, to)?;
            stream.write_all(&vec![7; words[2].parse().unwrap()])?;
            ready();
            wait()?;
        }
        "inject" => {
            let injected = argument.split(';').map(Injected::parse);
            let sockets: Vec<_> = injected.map(|it| it.send()).collect::<Result<_, _>>()?;
            ready();
            wait()?;
            drop(sockets);
        }
        // At an address, to another; it sends nothing.
        "connected" => {
            let words: Vec<_> = argument.split(' ').collect();
            let socket = UdpSocket::bind(words[0])?;
            socket.connect(words[1])?;
            ready();
            wait()?;
        }
        // From an unconnected socket at an address, to another.
        "datagrams" => {
            let words: Vec<_> = argument.split(' ').collect();
            let socket = UdpSocket::bind(words[0])?;
            for _ in 0..3 {
                socket.send_to(&[7; 100], words[1])?;
            }
            ready();
            wait()?;
        }
        other => panic!("no role {other}"),
    }
    Ok(())
}

/// A connection from a given address and port.
fn connect(from: SocketAddrV4, to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let [from, to] = [from, to].map(|end| libc::sockaddr_in {
        sin_family: 2,
        sin_port: end.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(end.ip().octets()),
        },
        sin_zero: [0; 8],
    });
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the socket is new, and both addresses are as long as they are said to be.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let stream = TcpStream::from_raw_fd(socket);
        if libc::bind(socket, (&raw const from).cast(), length) != 0
            || libc::connect(socket, (&raw const to).cast(), length) != 0
        {
            return Err(std::io::Error::last_os_error());
        }
        Ok(stream)
    }
}

/// Frames that are written as they are, `DEVICE MAC SOURCE DESTINATION PROTOCOL COUNT SIZE`.
/// A protocol is `udp`, or the control bits of a TCP segment.
#[derive(Clone)]
struct Injected {
    device: String,
    to: [u8; 6],
    source: SocketAddrV4,
    destination: SocketAddrV4,
    tcp_flags: Option<u8>,
    count: u64,
    size: usize,
}

impl Injected {
    fn parse(text: &str) -> Self {
        let words: Vec<_> = text.split(' ').collect();
        let mut to = [0; 6];
        for (place, digits) in to.iter_mut().zip(words[1].split(':')) {
            *place = u8::from_str_radix(digits, 16).unwrap();
        }
        Self {
            device: words[0].to_owned(),
            to,
            source: words[2].parse().unwrap(),
            destination: words[3].parse().unwrap(),
            tcp_flags: words[4].parse().ok(),
            count: words[5].parse().unwrap(),
            size: words[6].parse().unwrap(),
        }
    }

    /// Bytes of all of them.
    fn bytes(&self) -> u64 {
        let headers = if self.tcp_flags.is_some() {
            TCP_HEADERS
        } else {
            UDP_HEADERS
        };
        self.count * (headers + self.size as u64)
    }

    /// Sends them; the socket that did.
    fn send(&self) -> std::io::Result<OwnedFd> {
        let name = std::ffi::CString::new(self.device.as_str()).unwrap();
        // SAFETY: the name ends with a zero; the address is as long as it is said to be; the
        // socket is new.
        let socket = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()).cast_signed();
            let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            let length = size_of_val(&address) as libc::socklen_t;
            if libc::bind(socket, (&raw const address).cast(), length) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(socket)
        };
        for number in 0..self.count {
            let frame = self.frame(u32::try_from(number).unwrap());
            // SAFETY: the bytes are those of the frame.
            let sent =
                unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            assert_eq!(sent, frame.len().cast_signed());
        }
        Ok(socket)
    }

    fn frame(&self, number: u32) -> Vec<u8> {
        let (source, destination) = (self.source, self.destination);
        let ports = [source.port(), destination.port()]
            .map(u16::to_be_bytes)
            .concat();
        let transport = match self.tcp_flags {
            Some(flags) => {
                let mut header = ports;
                header.extend((1_000 + number * 1_000).to_be_bytes());
                header.extend([0, 0, 0, 1, 0x50, flags, 0x40, 0, 0, 0, 0, 0]);
                header
            }
            None => {
                let length = u16::try_from(8 + self.size).unwrap().to_be_bytes();
                [&ports[..], &length, &[0, 0]].concat()
            }
        };
        let length = u16::try_from(20 + transport.len() + self.size).unwrap();
        let mut ip = vec![0x45, 0];
        ip.extend(length.to_be_bytes());
        ip.extend([
            0,
            1,
            0x40,
            0,
            64,
            if self.tcp_flags.is_some() { 6 } else { 17 },
            0,
            0,
        ]);
        ip.extend(source.ip().octets());
        ip.extend(destination.ip().octets());
        let sum: u32 = ip
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        ip[10..12].copy_from_slice(&(!folded).to_be_bytes());
        let mut frame = [&self.to[..], &[2, 0, 0, 0, 0, 0x77, 8, 0]].concat();
        frame.extend(ip);
        frame.extend(transport);
        frame.resize(frame.len() + self.size, b'i');
        frame
    }
}

/// The flows of a watch that is over, by protocol and ends.
fn flows(watch: &Running) -> Vec<Value> {
    watch.interrupt();
    let lines = watch.rest();
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter(|line: &Value| line["type"] == "flow")
        .collect()
}

fn between<'a>(
    flows: &'a [Value],
    one: &'a str,
    other: &'a str,
) -> impl Iterator<Item = &'a Value> + 'a {
    flows.iter().filter(move |flow| {
        let ends = [&flow["local"], &flow["remote"]];
        ends == [one, other] || ends == [other, one]
    })
}

fn bytes(flow: &Value, direction: &str) -> u64 {
    flow[direction]["bytes"].as_u64().unwrap()
}

fn pid(flow: &Value) -> u64 {
    flow["owner"]["processes"][0]["pid"].as_u64().unwrap_or(0)
}

#[test]
fn packets_that_arrive_with_this_hosts_address_have_no_owner_here() {
    for device in ["fl0", "any"] {
        let Some(wire) = Wire::new() else { return };
        let _sink = start(&wire.peer, "sink", "10.9.0.1:9000");
        let _dns = start(&wire.host, "udp", "0.0.0.0:5300");
        let _listener = start(&wire.host, "listener", "0.0.0.0:2222");
        let watch = wire.watch(device);
        let alice = start(&wire.host, "client", "10.9.0.2:45000 10.9.0.1:9000 3000");

        let arrives = |source: &str, destination: &str, rest: &str| {
            format!("fl1 {HOSTS_HARDWARE} {source} {destination} {rest}")
        };
        let injected = [
            arrives("10.9.0.2:5300", "8.8.8.8:53", "udp 10 500"),
            arrives("10.9.0.2:2222", "8.8.8.8:443", "2 5 0"),
            arrives("10.9.0.2:2222", "9.9.9.9:443", "24 10 500"),
            // As part of the connection of a process that lives.
            arrives("10.9.0.2:45000", "10.9.0.1:9000", "24 10 700"),
            // From this host to this host, which no host sends on a wire.
            arrives("10.9.0.2:5300", "10.9.0.2:5301", "udp 3 100"),
            arrives("127.0.0.1:5300", "10.9.0.2:5302", "udp 4 100"),
        ];
        let for_another = format!("fl1 {ANOTHERS_HARDWARE} 10.9.0.2:5300 4.4.4.4:53 udp 5 100");
        let answer_for_another =
            format!("fl1 {ANOTHERS_HARDWARE} 10.9.0.1:9000 10.9.0.2:45000 24 6 300");
        // Data for a listener's port, of no connection.
        let stray = arrives("10.9.0.1:5555", "10.9.0.2:2222", "24 10 200");
        let others = [for_another.clone(), answer_for_another.clone(), stray];
        let all = [&injected[..], &others].concat();
        drop(start(&wire.peer, "inject", &all.join(";")));
        let flows = flows(&watch);

        let check = |text: &str, direction: &str| {
            let injected = Injected::parse(text);
            let [one, other] = [injected.source, injected.destination].map(|end| end.to_string());
            let of = between(&flows, &one, &other);
            let of: Vec<_> = of.filter(|flow| flow["direction"] == direction).collect();
            // Each segment that opens a connection opens another flow.
            assert!(!of.is_empty(), "{device}: {text} in {flows:#?}");
            let sum = |way| of.iter().map(|flow| bytes(flow, way)).sum();
            let counted: (u64, u64) = (sum("sent"), sum("received"));
            let expected = injected.bytes();
            assert_eq!(counted, (0, expected), "{text}: {of:#?}");
            for flow in of {
                assert_eq!(flow["owner"]["verdict"], "unknown", "{text}: {flow:#}");
                assert_eq!(flow["owner"]["reason"], "not-sent-here", "{text}: {flow:#}");
                assert!(flow["remote_owner"].is_null(), "{text}: {flow:#}");
            }
        };
        for text in &injected {
            check(text, "spoofed");
        }
        check(&for_another, "overheard");
        check(&answer_for_another, "overheard");

        let strays: Vec<_> = between(&flows, "10.9.0.1:5555", "10.9.0.2:2222").collect();
        assert_eq!(strays.len(), 1, "{flows:#?}");
        assert_eq!(strays[0]["direction"], "incoming", "{:#}", strays[0]);
        assert_eq!(strays[0]["owner"]["verdict"], "unknown", "{:#}", strays[0]);

        let real = between(&flows, "10.9.0.2:45000", "10.9.0.1:9000");
        let real: Vec<_> = real
            .filter(|flow| flow["direction"] == "outgoing")
            .collect();
        assert_eq!(real.len(), 1, "{flows:#?}");
        assert_eq!(pid(real[0]), u64::from(alice.pid()), "{:#}", real[0]);
        // 3,000 bytes in few segments.
        let sent = bytes(real[0], "sent");
        assert!((3_000..3_000 + 20 * 74).contains(&sent), "{:#}", real[0]);
        assert!(bytes(real[0], "received") < 20 * 74, "{:#}", real[0]);
    }
}

/// Frames that leave this host as any other, with the ends of sockets of others in them.
#[test]
fn a_spoofed_packet_from_here_does_not_belong_to_the_victim() {
    for device in ["fl0", "any"] {
        let Some(wire) = Wire::new() else { return };
        let _victim = start(&wire.host, "udp", "10.9.0.2:4433");
        let _wildcard = start(&wire.host, "udp", "0.0.0.0:5300");
        let _connected = start(&wire.host, "connected", "10.9.0.2:4436 10.9.0.77:53");
        let _listener = start(&wire.host, "listener", "0.0.0.0:2222");
        let watch = wire.watch(device);
        let before = start(&wire.host, "datagrams", "10.9.0.2:4434 10.9.0.1:9");
        let injected = [
            "10.9.0.2:4433 7.7.7.7:443 udp 10 500",
            "10.9.0.2:5300 8.8.8.8:53 udp 10 500",
            "10.9.0.2:4436 10.9.0.77:53 udp 10 500",
            // It opens a connection, from where one only listens.
            "10.9.0.2:2222 6.6.6.6:443 2 1 0",
            "10.9.0.2:2222 6.6.6.7:443 24 5 100",
        ]
        .map(|text| format!("fl0 {PEERS_HARDWARE} {text}"));
        let mut injector = start(&wire.host, "inject", &injected.join(";"));
        // A listening socket of another process casts no doubt.
        injector.release();
        injector.child.wait().unwrap();
        let after = start(&wire.host, "datagrams", "10.9.0.2:4435 10.9.0.1:9");
        let flows = flows(&watch);

        for text in &injected {
            let injected = Injected::parse(text);
            let [one, other] = [injected.source, injected.destination].map(|end| end.to_string());
            let of: Vec<_> = between(&flows, &one, &other).collect();
            assert_eq!(of.len(), 1, "{device}: {text} in {flows:#?}");
            let expected = injected.bytes();
            assert_eq!(bytes(of[0], "sent"), expected, "{:#}", of[0]);
            assert_eq!(
                of[0]["owner"]["verdict"], "unknown",
                "{device}: {:#}",
                of[0]
            );
            if injected.tcp_flags.is_none() {
                assert_eq!(
                    of[0]["owner"]["reason"], "packet-socket-in-use",
                    "{:#}",
                    of[0]
                );
            }
        }
        for (from, sender) in [("10.9.0.2:4434", &before), ("10.9.0.2:4435", &after)] {
            let of: Vec<_> = between(&flows, from, "10.9.0.1:9").collect();
            assert_eq!(of.len(), 1, "{flows:#?}");
            assert_eq!(pid(of[0]), u64::from(sender.pid()), "{:#}", of[0]);
        }
    }
}

#[test]
fn an_address_is_the_hosts_own_from_its_first_packet_on() {
    for device in ["fl0", "any"] {
        let Some(wire) = Wire::new() else { return };
        let _sink = start(&wire.peer, "sink", "10.9.0.1:9000");
        let watch = wire.watch(device);
        let mut clients = Vec::new();
        for (number, last) in (0..).zip([9, 10, 11, 9]) {
            let address = format!("10.9.0.{last}");
            // Another one takes the place of the one before.
            wire.host.ip("addr flush dev fl0");
            wire.host.ip(&format!("addr add {address}/24 dev fl0"));
            let from = format!("{address}:{}", 41_000 + number);
            let client = start(&wire.host, "client", &format!("{from} 10.9.0.1:9000 100"));
            clients.push((from, client));
        }
        let flows = flows(&watch);
        for (from, client) in &clients {
            let of: Vec<_> = between(&flows, from, "10.9.0.1:9000").collect();
            assert_eq!(of.len(), 1, "{flows:#?}");
            assert_eq!(of[0]["direction"], "outgoing", "{device}: {:#}", of[0]);
            assert_eq!(pid(of[0]), u64::from(client.pid()), "{:#}", of[0]);
        }
    }
}

/// Keeps the parser of the helpers honest.
#[test]
fn frames_are_as_long_as_they_claim() {
    let text = format!("fl1 {PEERS_HARDWARE} 10.9.0.2:1 10.9.0.1:2 udp 2 100");
    let injected = Injected::parse(&text);
    assert_eq!(injected.bytes(), 2 * injected.frame(0).len() as u64);
    let ends: [SocketAddr; 2] = [injected.source.into(), injected.destination.into()];
    assert_eq!(ends.map(|end| end.port()), [1, 2]);
}

//! Whether the host sent a packet or received it, on real devices in a network namespace of
//! their own.
#![cfg(all(feature = "pcap", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use flowner_capture::{LinkType, LiveOptions, Next, PacketOrigin, Source};
use pcap::{Active, Capture};

/// How long is waited for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

type HardwareAddress = [u8; 6];
const OURS: HardwareAddress = [2, 0, 0, 0, 0, 0x0a];
const PEERS: HardwareAddress = [2, 0, 0, 0, 0, 0x0b];
const ANOTHERS: HardwareAddress = [2, 0, 0, 0, 0, 0x55];
const BROADCAST: HardwareAddress = [0xff; 6];
const MULTICAST: HardwareAddress = [1, 0, 0x5e, 0, 0, 1];

/// Runs the test again as a child in a network namespace of its own, with a veth pair `fl0` and
/// `fl1`. Whether this process is that child; `None`, said aloud, where there can be none.
fn in_own_network(test: &str) -> Option<bool> {
    if common::role().is_some() {
        ip("link set lo up");
        ip(
            "link add fl0 address 02:00:00:00:00:0a type veth peer name fl1 address 02:00:00:00:00:0b",
        );
        ip("link set fl0 up");
        ip("link set fl1 up");
        return Some(true);
    }
    let can = Command::new("unshare").args(["--net", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        flowner_testing::skipped!("no privilege to make a network namespace");
        return None;
    }
    let mut launcher = Command::new("unshare");
    launcher.arg("--net").arg(std::env::current_exe().unwrap());
    let output = common::as_child(launcher, test, "capture")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(false)
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}

/// What sends frames on a device, whatever is in them.
struct Injector(Capture<Active>);

impl Injector {
    fn new(device: &str) -> Self {
        Self(Capture::from_device(device).unwrap().open().unwrap())
    }

    /// A datagram to port 53 with a number in it.
    fn send(&mut self, to: HardwareAddress, number: u32) {
        let mut frame = [&to[..], &[2, 0, 0, 0, 0, 0x77], &[8, 0]].concat();
        frame.extend(common::udp(&number.to_be_bytes()));
        self.0.sendpacket(frame).unwrap();
    }
}

fn open(device: &str, filter: &str) -> Source {
    let options = LiveOptions {
        device: device.to_owned(),
        filter: Some(filter.to_owned()),
        promiscuous: true,
        ..LiveOptions::default()
    };
    Source::live(&options).unwrap()
}

/// Origin, device and number of the next packets.
fn packets(source: &mut Source, count: usize) -> Vec<(PacketOrigin, Option<u32>, u32)> {
    let deadline = Instant::now() + PATIENCE;
    let mut packets = Vec::new();
    while packets.len() < count {
        assert!(Instant::now() < deadline, "only {packets:?} arrived");
        let Next::Packet(packet) = source.next().unwrap() else {
            continue;
        };
        let number = packet.data.last_chunk().copied().unwrap();
        packets.push((packet.origin, packet.device, u32::from_be_bytes(number)));
    }
    packets
}

fn index(device: &str) -> Option<u32> {
    let output = Command::new("ip")
        .args(["-o", "link", "show", device])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split(':').next()?.parse().unwrap())
}

#[test]
fn the_kernel_says_where_a_packet_came_from() {
    const THIS: &str = "the_kernel_says_where_a_packet_came_from";
    if in_own_network(THIS) != Some(true) {
        return;
    }
    let mut source = open("fl0", "udp port 53");
    assert_eq!(source.link_type(), Ok(LinkType::Ethernet));
    let (mut ours, mut peers) = (Injector::new("fl0"), Injector::new("fl1"));
    let cases = [
        (true, PEERS, PacketOrigin::Sent),
        (false, OURS, PacketOrigin::Received),
        (false, BROADCAST, PacketOrigin::Received),
        (false, MULTICAST, PacketOrigin::Received),
        (false, ANOTHERS, PacketOrigin::OtherHost),
        // As a switch floods it back.
        (false, PEERS, PacketOrigin::OtherHost),
        (true, OURS, PacketOrigin::Sent),
    ];
    let mut expected = Vec::new();
    for (number, (are_ours, to, origin)) in (0..).zip(cases) {
        let injector = if are_ours { &mut ours } else { &mut peers };
        injector.send(to, number);
        expected.push((origin, index("fl0"), number));
    }
    assert_eq!(packets(&mut source, cases.len()), expected);

    // Each is in one buffer: the kernel sorts them out.
    let statistics = source.statistics().unwrap();
    assert_eq!(statistics.received, cases.len() as u64);
    assert_eq!(statistics.dropped_by_kernel, 0);

    // The same, by the kernel's own word.
    let mut any = open("any", "udp port 53");
    assert_eq!(any.link_type(), Ok(LinkType::LinuxCooked));
    for (number, (are_ours, to, _)) in (0..).zip(cases) {
        let injector = if are_ours { &mut ours } else { &mut peers };
        injector.send(to, number);
    }
    // A frame is there as it leaves one device and as it arrives at the other.
    let mut found = packets(&mut any, 2 * cases.len());
    found.retain(|(_, device, _)| *device == index("fl0"));
    assert_eq!(found, expected);
}

#[test]
fn both_directions_are_in_the_order_of_their_times() {
    const THIS: &str = "both_directions_are_in_the_order_of_their_times";
    const COUNT: u32 = 5_000;
    if in_own_network(THIS) != Some(true) {
        return;
    }
    let mut source = open("fl0", "udp port 53");
    let (mut ours, mut peers) = (Injector::new("fl0"), Injector::new("fl1"));
    let send = std::thread::spawn(move || {
        for number in 0..COUNT {
            if number % 3 == 0 {
                peers.send(OURS, number);
            } else {
                ours.send(PEERS, number);
            }
        }
    });
    let given = packets(&mut source, COUNT as usize);
    send.join().unwrap();
    let mut numbers: Vec<_> = given.iter().map(|(.., number)| *number).collect();
    // The kernel puts a frame into its ring a moment after it has stamped it. One that comes the
    // other way meanwhile may be given before it; that is seldom, and never by far.
    let is_late = |pair: &&[u32]| pair[1] < pair[0];
    let late = numbers.windows(2).filter(is_late).count();
    assert!(late < numbers.len() / 100, "{late} were late");
    let places = (0..COUNT).zip(&numbers);
    let furthest = places.map(|(place, number)| place.abs_diff(*number)).max();
    assert!(furthest < Some(COUNT / 100), "{furthest:?} places off");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
    assert_eq!(source.statistics().unwrap().received, u64::from(COUNT));
}

#[test]
fn a_hardware_address_that_changes_is_noticed() {
    const THIS: &str = "a_hardware_address_that_changes_is_noticed";
    if in_own_network(THIS) != Some(true) {
        return;
    }
    let mut source = open("fl0", "udp port 53");
    let mut peers = Injector::new("fl1");
    let mut origin_of = |to, number| {
        peers.send(to, number);
        packets(&mut source, 1)[0].0
    };
    assert_eq!(origin_of(ANOTHERS, 1), PacketOrigin::OtherHost);
    ip("link set fl0 address 02:00:00:00:00:55");
    assert_eq!(origin_of(ANOTHERS, 2), PacketOrigin::Received);
    assert_eq!(origin_of(OURS, 3), PacketOrigin::OtherHost);
    // Frames for a bridge are for this host, whichever port they arrive at.
    ip("link add br0 address 02:00:00:00:00:0c type bridge");
    let bridges = [2, 0, 0, 0, 0, 0x0c];
    assert_eq!(origin_of(bridges, 4), PacketOrigin::OtherHost);
    ip("link set fl0 master br0");
    assert_eq!(origin_of(bridges, 5), PacketOrigin::Received);
}

#[test]
fn a_loopback_device_has_no_directions() {
    const THIS: &str = "a_loopback_device_has_no_directions";
    if in_own_network(THIS) != Some(true) {
        return;
    }
    let send = || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .send_to(&7_u32.to_be_bytes(), "127.0.0.1:53")
            .unwrap();
    };
    for device in ["lo", "any"] {
        let mut source = open(device, "udp port 53");
        send();
        let expected = [(PacketOrigin::Loopback, index("lo"), 7)];
        assert_eq!(packets(&mut source, 1), expected);
    }
}

//! What holds for all frames.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::net::IpAddr;

use etherparse::{LinuxSllPacketType, PacketBuilder, PacketBuilderStep, VlanId};
use flowner_capture::{Headers, LinkType, Ports, Tcp, TcpFlags, decode};
use proptest::prelude::*;

use common::stack::{self, Begins};

fn link_type() -> impl Strategy<Value = LinkType> {
    proptest::sample::select(LinkType::ALL.to_vec())
}

/// A frame that is nearly right: bytes with the beginnings of real headers in them.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let beginning = proptest::sample::select(vec![
        vec![],
        vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6],
        vec![0x45, 0, 0, 0, 0, 0, 0x20, 0, 64, 17],
        vec![0x46, 0, 0, 48, 0, 0, 0, 1, 64, 51],
        vec![0x60, 0, 0, 0, 0, 64, 0, 64],
        vec![0x60, 0, 0, 0, 0, 40, 44, 64],
        vec![0x60, 0, 0, 0, 0, 0, 60, 64],
    ]);
    let link = proptest::sample::select(vec![
        vec![],
        vec![2, 0, 0, 0],
        vec![0, 0, 0, 30],
        [&[7; 12][..], &[0x08, 0]].concat(),
        [&[7; 12][..], &[0x86, 0xdd]].concat(),
        [&[7; 12][..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0, 1, 0x08, 0]].concat(),
        [&[0; 14][..], &[0x08, 0]].concat(),
        [&[0x86, 0xdd][..], &[0; 18]].concat(),
    ]);
    // Small numbers are lengths and protocols more often than others.
    let byte = prop_oneof![
        3 => any::<u8>(),
        1 => 0..8_u8,
        1 => proptest::sample::select(vec![0_u8, 6, 17, 43, 44, 51, 58, 59, 60, 132]),
    ];
    let rest = proptest::collection::vec(byte, 0..120);
    (link, beginning, rest).prop_map(|(link, beginning, rest)| [link, beginning, rest].concat())
}

#[derive(Debug, Clone, Copy)]
enum Transport {
    Udp,
    Tcp {
        sequence: u32,
        acknowledgment: u32,
        syn: bool,
    },
}

#[derive(Debug, Clone)]
struct Sent {
    link: LinkType,
    vlans: u8,
    v6: bool,
    addresses: ([u8; 16], [u8; 16]),
    ports: (u16, u16),
    transport: Transport,
    payload: Vec<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let transport = prop_oneof![
        Just(Transport::Udp),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(sequence, acknowledgment, syn)| {
            Transport::Tcp {
                sequence,
                acknowledgment,
                syn,
            }
        }),
    ];
    let links = vec![LinkType::Ethernet, LinkType::LinuxCooked, LinkType::RawIp];
    (
        proptest::sample::select(links),
        0..3_u8,
        any::<bool>(),
        any::<([u8; 16], [u8; 16])>(),
        any::<(u16, u16)>(),
        transport,
        proptest::collection::vec(any::<u8>(), 0..200),
    )
        .prop_map(
            |(link, vlans, v6, addresses, ports, transport, payload)| Sent {
                link,
                vlans,
                v6,
                addresses,
                ports,
                transport,
                payload,
            },
        )
}

impl Sent {
    fn v4_addresses(&self) -> ([u8; 4], [u8; 4]) {
        let first = |address: [u8; 16]| *address.first_chunk().unwrap();
        (first(self.addresses.0), first(self.addresses.1))
    }

    fn frame(&self) -> Vec<u8> {
        let (source, destination) = self.v4_addresses();
        let vlan = |id| VlanId::try_new(id).unwrap();
        let (v6_source, v6_destination) = self.addresses;
        match (self.link, self.vlans, self.v6) {
            (LinkType::Ethernet, 0, false) => self.write(ethernet().ipv4(source, destination, 9)),
            (LinkType::Ethernet, 0, true) => {
                self.write(ethernet().ipv6(v6_source, v6_destination, 9))
            }
            (LinkType::Ethernet, 1, v6) => {
                let tagged = ethernet().single_vlan(vlan(1));
                self.write(if v6 {
                    tagged.ipv6(v6_source, v6_destination, 9)
                } else {
                    tagged.ipv4(source, destination, 9)
                })
            }
            (LinkType::Ethernet, _, v6) => {
                let tagged = ethernet().double_vlan(vlan(1), vlan(2));
                self.write(if v6 {
                    tagged.ipv6(v6_source, v6_destination, 9)
                } else {
                    tagged.ipv4(source, destination, 9)
                })
            }
            (LinkType::LinuxCooked, _, v6) => {
                let cooked = PacketBuilder::linux_sll(LinuxSllPacketType::OUTGOING, 6, [7; 8]);
                self.write(if v6 {
                    cooked.ipv6(v6_source, v6_destination, 9)
                } else {
                    cooked.ipv4(source, destination, 9)
                })
            }
            (_, _, false) => self.write(PacketBuilder::ipv4(source, destination, 9)),
            (_, _, true) => self.write(PacketBuilder::ipv6(v6_source, v6_destination, 9)),
        }
    }

    fn write(&self, packet: PacketBuilderStep<etherparse::IpHeaders>) -> Vec<u8> {
        let (source, destination) = self.ports;
        let mut frame = Vec::new();
        match self.transport {
            Transport::Udp => packet
                .udp(source, destination)
                .write(&mut frame, &self.payload),
            Transport::Tcp {
                sequence,
                acknowledgment,
                syn,
            } => {
                let segment = packet.tcp(source, destination, sequence, 1);
                let segment = segment.ack(acknowledgment);
                let segment = if syn { segment.syn() } else { segment };
                segment.write(&mut frame, &self.payload)
            }
        }
        .unwrap();
        frame
    }

    fn expected(&self, wire_len: u32) -> Headers {
        let (source, destination) = if self.v6 {
            (IpAddr::from(self.addresses.0), self.addresses.1.into())
        } else {
            let (source, destination) = self.v4_addresses();
            (source.into(), destination.into())
        };
        let (protocol, tcp) = match self.transport {
            Transport::Udp => (17, None),
            Transport::Tcp {
                sequence,
                acknowledgment,
                syn,
            } => (
                6,
                Some(Tcp {
                    flags: TcpFlags(0x10 | u8::from(syn) << 1),
                    sequence,
                    acknowledgment,
                }),
            ),
        };
        Headers {
            source,
            destination,
            protocol,
            ports: Some(Ports {
                source: self.ports.0,
                destination: self.ports.1,
            }),
            tcp,
            icmp: None,
            fragment: None,
            wire_len,
            payload_len: u32::try_from(self.payload.len()).unwrap(),
            payload_offset: 0,
        }
    }
}

fn ethernet() -> PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2([1; 6], [2; 6])
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_decode_or_are_refused(
        link in link_type(),
        frame in prop_oneof![nearly(), proptest::collection::vec(any::<u8>(), 0..200)],
        wire_len: u32,
    ) {
        if let Ok(headers) = decode(link, &frame, wire_len) {
            prop_assert_eq!(headers.wire_len, wire_len);
            prop_assert!(headers.payload_len <= wire_len);
            prop_assert!(headers.tcp.is_none() || headers.ports.is_some());
            prop_assert!(headers.payload(&frame).len() <= headers.payload_len as usize);
            prop_assert!(headers.payload_len == 0 || headers.payload_offset >= 20);
        }
    }

    #[test]
    fn cutting_a_frame_never_changes_a_value(
        link in link_type(),
        frame in nearly(),
        beyond in 0..2_000_u32,
    ) {
        let wire_len = u32::try_from(frame.len()).unwrap() + beyond;
        let whole = decode(link, &frame, wire_len);
        for len in 0..frame.len() {
            common::assert_only_less(decode(link, &frame[..len], wire_len), whole);
        }
    }

    #[test]
    fn what_is_sent_is_decoded(sent in sent(), padding in 0..20_usize) {
        let mut frame = sent.frame();
        // Only Ethernet pads.
        if sent.link == LinkType::Ethernet {
            frame.resize(frame.len() + padding, 0);
        }
        let wire_len = u32::try_from(frame.len()).unwrap();
        let headers = decode(sent.link, &frame, wire_len).unwrap();
        prop_assert_eq!(headers.payload(&frame), &sent.payload);
        let headers = Headers { payload_offset: 0, ..headers };
        prop_assert_eq!(headers, sent.expected(wire_len));
    }

    #[test]
    fn link_layers_stand_on_one_another(
        v6: bool,
        payload in proptest::collection::vec(any::<u8>(), 0..40),
        layers in proptest::collection::vec(any::<(u8, u8)>(), 0..8),
        link in link_type(),
        padding in 0..20_usize,
    ) {
        let sent = Sent {
            link: LinkType::RawIp,
            vlans: 0,
            v6,
            addresses: ([3; 16], [4; 16]),
            ports: (1000, 53),
            transport: Transport::Udp,
            payload,
        };
        let mut frame = sent.frame();
        let mut begins = if v6 { Begins::Ipv6 } else { Begins::Ipv4 };
        for (pick, noise) in layers {
            begins = stack::on(begins, pick, noise, &mut frame);
        }
        frame.resize(frame.len() + padding, 0);
        // Where no frame of this link type can begin so, there is one of the next.
        let all = LinkType::ALL;
        let first = all.iter().position(|one| *one == link).unwrap();
        let link = all.into_iter().cycle().skip(first).take(all.len()).find(|link| {
            stack::under(begins, *link, &mut frame)
        }).unwrap();
        let wire_len = u32::try_from(frame.len()).unwrap();
        let headers = decode(link, &frame, wire_len);
        prop_assert!(headers.is_ok(), "{:?} {:?}: {:?}", link, begins, headers);
        let headers = headers.unwrap();
        prop_assert_eq!(headers.payload(&frame), &sent.payload);
        let headers = Headers { payload_offset: 0, ..headers };
        prop_assert_eq!(headers, sent.expected(wire_len));
        for len in 0..frame.len() {
            common::assert_only_less(decode(link, &frame[..len], wire_len), decode(link, &frame, wire_len));
        }
    }
}

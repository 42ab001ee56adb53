use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::samples::{
    Record, announcement, hello, hello_with, query, records, response, server_name,
};

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A client's flow to a port.
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
    reader: NameReader<u32>,
    found: Vec<NameEvidence>,
    sequence: u32,
}

impl Flow {
    fn to(port: u16) -> Self {
        Self {
            client: end("10.0.0.2:40000"),
            server: SocketAddr::new("192.0.2.1".parse().unwrap(), port),
            reader: NameReader::default(),
            found: Vec::new(),
            // So that it goes over the end.
            sequence: u32::MAX - 700,
        }
    }

    /// A packet of the client, and whether more is wanted.
    fn client(&mut self, carried: Carried, bytes: &[u8]) -> bool {
        self.packet(self.client, self.server, carried, bytes, false)
    }

    fn packet(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        carried: Carried,
        bytes: &[u8],
        is_cut: bool,
    ) -> bool {
        let payload = Payload {
            source,
            destination,
            carried,
            bytes,
            is_cut,
        };
        self.reader.read(1, &payload, &mut self.found)
    }

    fn syn(&mut self) -> &mut Self {
        let sequence = self.sequence;
        let carried = Carried::Tcp {
            sequence,
            is_syn: true,
        };
        assert!(self.client(carried, &[]));
        self
    }

    /// Bytes of the client at a place in its stream.
    fn at(&mut self, place: usize, bytes: &[u8]) -> bool {
        let sequence = self.sequence.wrapping_add(1);
        let sequence = sequence.wrapping_add(u32::try_from(place).unwrap());
        let carried = Carried::Tcp {
            sequence,
            is_syn: false,
        };
        self.client(carried, bytes)
    }

    /// The name and its source.
    fn name(&self) -> Option<(String, Source)> {
        let [
            NameEvidence::Server {
                name,
                source,
                server,
                ..
            },
        ] = &self.found[..]
        else {
            assert_eq!(self.found, []);
            return None;
        };
        assert_eq!(*server, self.server);
        Some((name.name.to_string(), *source))
    }
}

fn named(name: &str, source: Source) -> (String, Source) {
    (name.to_owned(), source)
}

#[test]
fn a_client_of_tls_names_the_server() {
    let mut flow = Flow::to(8_443);
    let stream = records(&hello("WWW.example.com"), 16_000);
    assert!(!flow.syn().at(0, &stream));
    assert_eq!(flow.name(), Some(named("www.example.com", Source::Tls)));
    assert!(flow.reader.is_empty());
}

#[test]
fn a_late_start_has_no_name() {
    let mut flow = Flow::to(443);
    // Data in the middle of a connection: application data of TLS.
    assert!(flow.at(5_000, &[23, 3, 3, 0, 100, 1, 2, 3]));
    assert_eq!(flow.name(), None);
    // The client's direction is over, so what looks like a beginning is none.
    flow.at(6_000, &records(&hello("evil.example"), 16_000));
    assert_eq!(flow.name(), None);
}

#[test]
fn what_was_read_without_the_beginning_says_so() {
    let late = |flow: &Flow| match flow.found[..] {
        [
            NameEvidence::Server {
                is_late,
                bytes_before,
                ..
            },
        ] => (is_late, bytes_before),
        _ => panic!("{:?}", flow.found),
    };
    let stream = records(&hello("www.example.com"), 16_000);
    let mut flow = Flow::to(443);
    flow.syn().at(0, &stream);
    assert_eq!(late(&flow), (false, 0));
    let mut flow = Flow::to(443);
    flow.at(5_000, &stream[..100]);
    flow.at(5_100, &stream[100..]);
    assert_eq!(late(&flow), (true, 100));
}

#[test]
fn an_outer_name_is_marked() {
    let outer = hello_with(&[(0, server_name("provider.example")), (0xfe0d, vec![0; 200])]);
    let mut flow = Flow::to(443);
    flow.syn().at(0, &records(&outer, 16_000));
    let [NameEvidence::Server { name, .. }] = &flow.found[..] else {
        panic!("{:?}", flow.found);
    };
    assert!(name.may_be_outer);
    assert_eq!(name.name.as_str(), "provider.example");
}

#[test]
fn a_client_without_a_name_or_with_an_address_names_nobody() {
    for extensions in [
        vec![],
        vec![(0, server_name("192.0.2.1"))],
        vec![(0, vec![0, 1])],
    ] {
        let mut flow = Flow::to(443);
        flow.syn().at(0, &records(&hello_with(&extensions), 16_000));
        assert_eq!(flow.name(), None);
    }
}

#[test]
fn what_was_captured_of_a_packet_may_be_enough() {
    let stream = records(&hello("www.example.com"), 16_000);
    let mut flow = Flow::to(443);
    flow.syn();
    let sequence = flow.sequence.wrapping_add(1);
    let carried = Carried::Tcp {
        sequence,
        is_syn: false,
    };
    let (client, server) = (flow.client, flow.server);
    flow.packet(client, server, carried, &stream[..150], true);
    assert_eq!(flow.name(), Some(named("www.example.com", Source::Tls)));
}

#[test]
fn a_request_names_the_host() {
    for (request, name) in [
        (
            "GET / HTTP/1.1\r\nHost: www.example.com:8080\r\n\r\n",
            Some(named("www.example.com", Source::Http)),
        ),
        (
            "POST /a HTTP/1.1\r\nA: b\r\nhost:\t example.org \r\nCookie: unfinished",
            Some(named("example.org", Source::Http)),
        ),
        (
            "GET http://far.example/x HTTP/1.1\r\nHost: far.example\r\n\r\n",
            Some(named("far.example", Source::Proxy)),
        ),
        (
            "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n",
            Some(named("far.example", Source::Proxy)),
        ),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", None),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("SSH-2.0-OpenSSH_9.6\r\n", None),
    ] {
        let mut flow = Flow::to(80);
        flow.syn().at(0, request.as_bytes());
        assert_eq!(flow.name(), name, "{request}");
    }
}

#[test]
fn clients_change_to_tls() {
    let tls = records(&hello("mail.example"), 16_000);
    let mut mysql = vec![32, 0, 0, 1, 0x85, 0xae, 0xff, 0x19];
    mysql.resize(36, 0);
    let ldap = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
    let xmpp = b"<stream:stream to='x'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    let rdp = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00";
    for (port, clear) in [
        (25, &b"EHLO me\r\nSTARTTLS\r\n"[..]),
        (110, b"CAPA\r\nSTLS\r\n"),
        (143, b"a1 starttls\r\n"),
        (21, b"AUTH TLS\r\n"),
        (5_222, xmpp),
        (5_432, b"\x00\x00\x00\x08\x04\xd2\x16\x2f"),
        (3_306, &mysql),
        (389, ldap),
        (3_389, rdp),
    ] {
        let mut flow = Flow::to(port);
        flow.syn();
        let mut place = 0;
        for part in clear.chunks(11).chain(tls.chunks(500)) {
            flow.at(place, part);
            place += part.len();
        }
        // In small parts, requests of one message cannot be told from other protocols.
        if flow.name().is_none() {
            flow = Flow::to(port);
            flow.syn().at(0, clear);
            flow.at(clear.len(), &tls);
        }
        assert_eq!(
            flow.name(),
            Some(named("mail.example", Source::Tls)),
            "{port}"
        );
    }
}

#[test]
fn dns_is_read_for_as_long_as_its_flow_lives() {
    let mut flow = Flow::to(53);
    for id in 0..100 {
        assert!(flow.client(Carried::Udp, &query(id, "a.example")));
    }
    assert!(flow.client(Carried::Udp, b"nonsense"));
    assert_eq!(flow.found.len(), 100);
    let NameEvidence::Message {
        message, source, ..
    } = &flow.found[99]
    else {
        panic!("{:?}", flow.found);
    };
    assert_eq!((message.id, *source), (99, Source::Dns));
}

#[test]
fn dns_on_another_port_is_known_by_its_question() {
    let mut flow = Flow::to(8_053);
    assert!(flow.client(Carried::Udp, &query(7, "a.example")));
    let told = [Record::Address("a.example", "192.0.2.1", 60)];
    flow.client(Carried::Udp, &response(7, "a.example", &told));
    assert_eq!(flow.found.len(), 2);
    // What begins with something else is none.
    let mut flow = Flow::to(8_053);
    flow.client(Carried::Udp, b"something");
    flow.client(Carried::Udp, &response(7, "a.example", &told));
    assert_eq!(flow.found, []);
}

#[test]
fn multicast_dns_is_read() {
    let mut flow = Flow::to(5_353);
    let told = announcement(&[Record::Address("printer.local", "192.0.2.7", 120)]);
    flow.client(Carried::Udp, &told);
    let [
        NameEvidence::Message {
            source, message, ..
        },
    ] = &flow.found[..]
    else {
        panic!("{:?}", flow.found);
    };
    assert_eq!((*source, message.addresses.len()), (Source::Mdns, 1));
}

/// Messages of DNS over TCP, with their lengths.
fn dns_stream(count: u16) -> Vec<u8> {
    let mut stream = Vec::new();
    for id in 0..count {
        let records = [Record::Address("a.example", "192.0.2.1", 60)];
        let message = response(id, "a.example", &records);
        stream.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend(message);
    }
    stream
}

#[test]
fn dns_over_tcp_is_read_beyond_the_first_bytes() {
    let mut flow = Flow::to(53);
    flow.syn();
    let stream = dns_stream(1_000);
    assert!(stream.len() > 40_000);
    for (number, part) in stream.chunks(1_448).enumerate() {
        assert!(flow.at(number * 1_448, part));
    }
    assert_eq!(flow.found.len(), 1_000);
}

#[test]
fn flows_that_say_nothing_cost_nothing_for_long() {
    let mut reader: NameReader<u32> = NameReader::with_limit(10);
    let mut found = Vec::new();
    for flow in 0..10_000 {
        let payload = Payload {
            source: end("10.0.0.2:40000"),
            destination: end("192.0.2.1:443"),
            carried: Carried::Tcp {
                sequence: 0,
                is_syn: true,
            },
            bytes: &[],
            is_cut: false,
        };
        reader.read(flow, &payload, &mut found);
    }
    assert_eq!(reader.len(), 10);
    assert_eq!(reader.dropped(), 9_990);
    for flow in 0..10_000 {
        reader.forget(flow);
    }
    assert!(reader.is_empty() && reader.order.len() <= 20);
}

proptest! {
    /// However a stream is cut into packets and records, whatever order they come in, and whatever is
    /// sent twice.
    #[test]
    fn cuts_and_orders_change_nothing(
        record in 1_usize..600,
        cuts in prop::collection::vec(1_usize..400, 1..12),
        order in any::<prop::sample::Index>(),
        twice in any::<bool>(),
    ) {
        let stream = records(&hello("www.example.com"), record);
        let mut parts = Vec::new();
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            let next = (at + cut).min(stream.len());
            parts.push((at, stream[at..next].to_vec()));
            at = next;
            if at == stream.len() {
                break;
            }
        }
        let turn = order.index(parts.len());
        parts.rotate_left(turn);
        // More gaps than that are no network.
        prop_assume!(parts.len() <= 60 || turn == 0);
        let mut flow = Flow::to(443);
        flow.syn();
        for (at, part) in &parts {
            if flow.at(*at, part) && twice {
                flow.at(*at, part);
            }
            if !flow.found.is_empty() {
                break;
            }
        }
        prop_assert_eq!(flow.name(), Some(named("www.example.com", Source::Tls)));
    }

    #[test]
    fn any_bytes(
        parts in prop::collection::vec((0_usize..3_000, prop::collection::vec(any::<u8>(), 0..300)), 1..30),
        port in prop::sample::select(vec![53_u16, 443, 25, 5_353, 5_432, 80]),
        is_udp: bool,
        begins in prop::sample::select(vec![&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"\xc0\0\0\0\x01\x08"]),
    ) {
        let mut flow = Flow::to(port);
        if !is_udp {
            flow.syn().at(0, begins);
        }
        for (at, part) in &parts {
            let bytes = [begins, part].concat();
            let goes_on = if is_udp { flow.client(Carried::Udp, &bytes) } else { flow.at(*at, part) };
            if !goes_on {
                break;
            }
        }
    }
}

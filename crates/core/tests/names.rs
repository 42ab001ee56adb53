//! Names of flows, from the packets of a file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;
use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};
use flowner_core::recording::{Output, Recording, RecordingConfig, Rotation};
use flowner_core::{Config, Filter, FlowRecord, Input, Monitor, NameSource, Report, select};

const HOST: [u8; 4] = [10, 0, 0, 1];
const RESOLVER: [u8; 4] = [9, 9, 9, 9];
const SERVER: [u8; 4] = [192, 0, 2, 1];

/// Packets of a host, one after the other, a millisecond apart.
struct Traffic {
    writer: Writer<Vec<u8>>,
    interface: u32,
    time: Duration,
    /// What the file says of its packets.
    comments: Vec<&'static str>,
}

impl Traffic {
    fn new() -> Self {
        let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
        let interface = writer.interface(&Interface::new(LinkType::RawIp)).unwrap();
        let time = Duration::from_secs(1_800_000_000);
        Self {
            writer,
            interface,
            time,
            comments: Vec::new(),
        }
    }

    fn packet(&mut self, packet: &[u8]) {
        self.time += Duration::from_millis(1);
        let length = u32::try_from(packet.len()).unwrap();
        self.writer
            .packet(self.interface, self.time, length, packet, &self.comments)
            .unwrap();
    }

    fn datagram(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) {
        let builder = PacketBuilder::ipv4(from.0, to.0, 64).udp(from.1, to.1);
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        self.packet(&packet);
    }

    /// The host asks for a name, and learns the server's address.
    fn resolve(&mut self, port: u16, name: &str) {
        let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend(label.bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        self.datagram((HOST, port), (RESOLVER, 53), &question);
        let mut answer = question;
        (answer[2], answer[7]) = (0x81, 1);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(SERVER);
        self.datagram((RESOLVER, 53), (HOST, port), &answer);
    }

    /// The host opens a connection and sends this first.
    fn connect(&mut self, port: u16, payload: &[u8]) {
        for (sequence, is_syn, payload) in [(99, true, &b""[..]), (100, false, payload)] {
            let builder = PacketBuilder::ipv4(HOST, SERVER, 64).tcp(port, 80, sequence, 1_024);
            let builder = if is_syn {
                builder.syn()
            } else {
                builder.ack(1)
            };
            let mut packet = Vec::new();
            builder.write(&mut packet, payload).unwrap();
            self.packet(&packet);
        }
    }

    /// The host sends more on a connection.
    fn send(&mut self, port: u16, sequence: u32, payload: &[u8]) {
        let builder = PacketBuilder::ipv4(HOST, SERVER, 64).tcp(port, 80, sequence, 1_024);
        let mut packet = Vec::new();
        builder.ack(1).write(&mut packet, payload).unwrap();
        self.packet(&packet);
    }

    fn read(self, names: bool) -> Arc<Report> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.writer.into_inner()).unwrap();
        let config = Config {
            input: Input::File(file.path().into()),
            local_addresses: vec![HOST.into()],
            names,
            ..Config::default()
        };
        Monitor::builder(&config).start().unwrap().wait()
    }
}

fn flow(report: &Report, port: u16) -> &FlowRecord {
    let mut flows = report.flows.iter();
    flows.find(|flow| flow.local.port() == port).unwrap()
}

/// The name of the flow from this port, and its source.
fn name(report: &Report, port: u16) -> Option<(String, NameSource)> {
    let remote = flow(report, port).remote_name()?;
    Some((remote.name.to_string(), remote.source))
}

#[test]
fn flows_are_named_by_what_the_host_asked_and_by_what_clients_say() {
    let mut traffic = Traffic::new();
    traffic.connect(40_000, b"late: before any answer");
    traffic.resolve(50_000, "www.example.com");
    traffic.connect(40_001, b"no name in here");
    traffic.connect(40_002, b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
    let report = traffic.read(true);
    assert_eq!(name(&report, 40_000), None);
    let by_dns = ("www.example.com".to_owned(), NameSource::Dns);
    assert_eq!(name(&report, 40_001), Some(by_dns));
    let by_http = ("other.example".to_owned(), NameSource::Http);
    assert_eq!(name(&report, 40_002), Some(by_http));
    let questions = flow(&report, 50_000).dns_questions();
    assert_eq!(questions[0].as_str(), "www.example.com");
    for (filter, ports) in [
        ("name:example.com", &[40_001_u16][..]),
        ("name:other.example", &[40_002]),
        ("dns:www.example.com", &[50_000]),
        ("name:ample.com", &[]),
    ] {
        let filter: Filter = filter.parse().unwrap();
        let chosen = select(&report, &filter);
        let found: Vec<u16> = chosen.flows.iter().map(|flow| flow.local.port()).collect();
        assert_eq!(found, ports, "{filter}");
    }
}

#[test]
fn two_names_of_one_address_leave_a_flow_without() {
    let mut traffic = Traffic::new();
    traffic.resolve(50_000, "a.example");
    traffic.resolve(50_001, "b.example");
    traffic.connect(40_000, b"whose is it?");
    let report = traffic.read(true);
    assert_eq!(name(&report, 40_000), None);
    let names = flow(&report, 40_000).names.as_deref().unwrap();
    let others: Vec<&str> = names
        .others
        .iter()
        .map(|other| other.name.as_str())
        .collect();
    assert_eq!(others, ["b.example", "a.example"]);
}

#[test]
fn an_answer_names_no_connection_that_began_at_an_unknown_time() {
    let mut traffic = Traffic::new();
    traffic.resolve(50_000, "www.example.com");
    traffic.send(40_000, 5_000, b"in the middle of something");
    let report = traffic.read(true);
    assert_eq!(name(&report, 40_000), None);
    let names = flow(&report, 40_000).names.as_deref().unwrap();
    assert_eq!(names.others[0].name.as_str(), "www.example.com");
}

#[test]
fn a_question_belongs_to_the_flow_that_its_packet_begins() {
    let mut traffic = Traffic::new();
    // Two programs, one after the other, with the same port.
    for (name, comment) in [
        ("a.example", "rustnet process=first pid=11 attr=exact-tuple"),
        (
            "b.example",
            "rustnet process=second pid=12 attr=exact-tuple",
        ),
    ] {
        traffic.comments = vec![comment];
        traffic.resolve(50_000, name);
    }
    let report = traffic.read(true);
    let asked = report.flows.iter().map(|flow| {
        let names = flow.dns_questions().iter();
        names.map(ToString::to_string).collect::<Vec<_>>()
    });
    let mut asked: Vec<_> = asked.collect();
    asked.sort();
    assert_eq!(asked, [["a.example"], ["b.example"]]);
}

/// Without the packets that say so, a file tells what an address is called; where they are there, they
/// count first.
#[test]
fn the_names_of_a_file_are_claims_of_the_file() {
    let mut traffic = Traffic::new();
    traffic
        .writer
        .name(SERVER.into(), "claimed.example")
        .unwrap();
    traffic
        .writer
        .name([192, 0, 2, 9].into(), "elsewhere.example")
        .unwrap();
    traffic.connect(40_000, b"no name in here");
    traffic.resolve(50_000, "www.example.com");
    traffic.connect(40_001, b"no name in here");
    let report = traffic.read(true);
    let by_file = ("claimed.example".to_owned(), NameSource::Recorded);
    assert_eq!(name(&report, 40_000), Some(by_file));
    let by_dns = ("www.example.com".to_owned(), NameSource::Dns);
    assert_eq!(name(&report, 40_001), Some(by_dns));
    let names = flow(&report, 40_001).names.as_deref().unwrap();
    assert_eq!(names.others[0].name.as_str(), "claimed.example");
    assert_eq!(name(&report, 50_000), None);
}

#[test]
fn several_names_of_a_file_for_one_address_name_nobody() {
    let mut traffic = Traffic::new();
    traffic.writer.name(SERVER.into(), "a.example").unwrap();
    traffic.writer.name(SERVER.into(), "b.example").unwrap();
    traffic.connect(40_000, b"no name in here");
    let report = traffic.read(true);
    assert_eq!(name(&report, 40_000), None);
    let names = flow(&report, 40_000).names.as_deref().unwrap();
    assert_eq!(names.others.len(), 2);
}

#[test]
fn what_a_client_uploads_names_nobody() {
    const FILE: &[u8] = b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n";
    let mut traffic = Traffic::new();
    // A file that looks like a request, on a connection that was seen from its beginning on.
    traffic.connect(40_000, b"EHLO client.example\r\n");
    traffic.send(40_000, 121, FILE);
    // The same where the capture began in between.
    traffic.send(40_001, 5_000, b"DATA\r\n");
    traffic.send(40_001, 5_006, FILE);
    // A request of a connection that began before: that is what the client says first.
    let (first, second) = FILE.split_at(8);
    traffic.send(40_002, 5_000, first);
    traffic.send(40_002, 5_008, second);
    let report = traffic.read(true);
    assert_eq!(name(&report, 40_000), None);
    assert_eq!(name(&report, 40_001), None);
    let by_http = ("bank.example".to_owned(), NameSource::Http);
    assert_eq!(name(&report, 40_002), Some(by_http));
}

#[test]
fn nobody_looks_for_names_who_does_not_want_them() {
    let mut traffic = Traffic::new();
    traffic.resolve(50_000, "www.example.com");
    traffic.connect(40_000, b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
    let report = traffic.read(false);
    assert!(report.flows.iter().all(|flow| flow.names.is_none()));
}

/// Wireshark shows the names of a recording.
#[test]
fn recordings_have_names_that_wireshark_shows() {
    let mut traffic = Traffic::new();
    traffic.resolve(50_000, "www.example.com");
    traffic.connect(40_001, b"no name in here");
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (
        folder.path().join("in.pcapng"),
        folder.path().join("out.pcapng"),
    );
    std::fs::write(&input, traffic.writer.into_inner()).unwrap();
    let config = Config {
        input: Input::File(input),
        local_addresses: vec![HOST.into()],
        ..Config::default()
    };
    let recording = Recording::new(&RecordingConfig {
        output: Output::File(output.clone()),
        overwrite: false,
        rotation: Rotation::default(),
        filter: Filter::default(),
    });
    let account = recording.account();
    Monitor::builder(&config)
        .sink(recording)
        .start()
        .unwrap()
        .wait();
    assert!(account.failure().is_none());
    let file = std::fs::read(&output).unwrap();
    let name = b"\0www.example.com\0";
    let is_name = |bytes: &&[u8]| bytes[1..] == name[1..] && bytes[0] == SERVER[3];
    assert_eq!(
        file.windows(name.len()).filter(is_name).count(),
        1,
        "the block is there once"
    );
    let mut tshark = std::process::Command::new("tshark");
    let fields = [
        "-N",
        "n",
        "-Y",
        "tcp",
        "-T",
        "fields",
        "-e",
        "ip.dst_host",
        "-r",
    ];
    let Ok(shown) = tshark.args(fields).arg(&output).output() else {
        flowner_testing::skipped!("no tshark");
        return;
    };
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.lines().collect::<Vec<_>>(), ["www.example.com"; 2]);
}

mod groups;
mod owners;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flowner_attribution::{
    ExeState, Match, NetworkNamespace, Process, ProcessId, Reason, Socket, SocketState, Unit,
    UnitKind, User, Verdict,
};
use flowner_flows::Direction;

use super::owner::UnitObject;
use super::*;
use crate::model::flow::TcpFacts;
use crate::model::principal::Principal;
use crate::model::program::Program;
use crate::model::totals::{Coverage, Group, ProcessPrincipal, Service, Totals};
use crate::samples::{
    address, contained_flow, container, counters, curl, flow, names, owner, place, translated_flow,
    user,
};

/// The exact line; the expected one may have line breaks.
#[track_caller]
fn check(line: &impl Serialize, expected: &str) {
    let expected: String = expected.lines().map(str::trim).collect();
    assert_eq!(serde_json::to_string(line).unwrap(), expected);
}

fn sshd() -> Unit {
    Unit::new(UnitKind::Service, "sshd.service")
}

#[test]
fn the_first_line() {
    check(
        &HeadLine::new("sockets"),
        r#"{"type":"start","schema":3,"command":"sockets"}"#,
    );
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: true,
    };
    check(
        &HeadLine::watch(&input),
        r#"{"type":"start","schema":3,"command":"watch","input":"eth0","link_type":"ethernet"}"#,
    );
}

/// The example in the documentation.
#[test]
fn a_flow() {
    check(
        &FlowLine::new(&flow(0)),
        r#"{"type":"flow","protocol":"tcp","local":"10.0.0.2:45784","remote":"93.184.216.34:443",
        "direction":"outgoing","device":"eth0","state":"closed",
        "sent":{"packets":5,"bytes":332},"received":{"packets":4,"bytes":300},
        "first_seen":"2026-01-01T00:00:00.000001Z","last_seen":"2026-01-01T00:00:01.500000Z",
        "owner":{"verdict":"process","match":"five-tuple","source":"scripted","processes":[
        {"pid":4242,"name":"curl","path":"/usr/bin/curl","user":"ada",
        "started":"2025-12-31T23:59:59.000000Z"}],
        "program":"curl","program_id":"exe:/usr/bin/curl"},
        "remote_owner":null,"community_id":"1:tnEFGl8SxoV1GV320LBGRdfBPVs="}"#,
    );
}

#[test]
fn a_container_and_what_it_moves() {
    let flow = contained_flow(0);
    let unit = r#"{"kind":"container",
        "name":"9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789",
        "container":"web","image":"nginx:1.27","pod":{"namespace":"default","name":"web-0"}}"#;
    let sums =
        r#""flows":1,"sent":{"packets":5,"bytes":332},"received":{"packets":4,"bytes":300}}"#;
    check(&UnitObject::new(&container()), unit);
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: false,
    };
    let report = Report::of(vec![flow], input, EndState::Complete);
    let line = |key: &str, value: &str| format!(r#"{{"type":"{key}","{key}":{value},{sums}"#);
    check(&GroupLine::unit(&report.units()[0]), &line("unit", unit));
    let containers = report.containers();
    check(
        &GroupLine::container(&containers[0]),
        &line("container", unit),
    );
    let pod = r#"{"namespace":"default","name":"web-0"}"#;
    check(&GroupLine::pod(&report.pods()[0]), &line("pod", pod));
    assert_eq!(
        containers[0].key.as_ref().unwrap().to_string(),
        "web (nginx:1.27)"
    );
}

#[test]
fn a_translated_flow() {
    let flow = translated_flow(0);
    let line = serde_json::to_string(&FlowLine::new(&flow)).unwrap();
    let expected =
        r#""translated_from":{"local":"172.17.0.2:40000","remote":"93.184.216.34:443"}}"#;
    assert!(line.ends_with(expected), "{line}");
    // Where the remote end is that of the container.
    let from_outside = FlowRecord {
        owner: None,
        remote_owner: flow.owner.clone(),
        ..flow
    };
    let from = from_outside.translated_from().unwrap();
    assert_eq!(from.remote, address("172.17.0.2:40000"));
}

#[test]
fn a_flow_of_which_little_is_known() {
    let line = FlowRecord {
        protocol: Protocol::ICMPV6,
        local: address("[fe80::1]:0"),
        remote: address("[ff02::1]:0"),
        direction: Direction::Multicast,
        device: None,
        state: flowner_flows::State::Datagram,
        last_seen: Duration::MAX,
        owner: None,
        ..flow(0)
    };
    check(
        &FlowLine::new(&line),
        r#"{"type":"flow","protocol":"icmpv6","local":"fe80::1","remote":"ff02::1",
        "direction":"multicast","device":null,"state":"datagram",
        "sent":{"packets":5,"bytes":332},"received":{"packets":4,"bytes":300},
        "first_seen":"2026-01-01T00:00:00.000001Z","last_seen":null,
        "owner":null,"remote_owner":null,"community_id":null,"range":"multicast"}"#,
    );
}

#[test]
fn a_flow_that_leads_somewhere() {
    let mut somewhere = flow(0);
    somewhere.place = Some(place("Germany"));
    somewhere.names = Some(names("www.example.com"));
    let line = serde_json::to_string(&FlowLine::new(&somewhere)).unwrap();
    let expected = r#","country":"DE","city":"Berlin","asn":64496,"network_name":"Example Net"}"#;
    assert!(line.ends_with(expected), "{line}");
    let mut private = flow(1);
    private.remote = address("10.0.0.9:443");
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: false,
    };
    let report = Report::of(vec![somewhere, private], input, EndState::Complete);
    let sums =
        r#""flows":1,"sent":{"packets":5,"bytes":332},"received":{"packets":4,"bytes":300}}"#;
    let line = |key: &str| format!("{{{key},{sums}");
    let countries = report.countries();
    let germany = r#""type":"country","country":"DE","country_name":"Germany""#;
    check(&GroupLine::country(&countries[0]), &line(germany));
    let private = r#""type":"country","country":null,"range":"private""#;
    check(&GroupLine::country(&countries[1]), &line(private));
    let networks = report.networks();
    let network = r#""type":"network","asn":64496,"network_name":"Example Net""#;
    check(&GroupLine::network(&networks[0]), &line(network));
    let names = report.names();
    let name = names
        .iter()
        .find(|group| group.key.as_ref().unwrap().0.is_some());
    let known = r#""type":"name","name":"www.example.com""#;
    check(&GroupLine::name(name.unwrap()), &line(known));
    let domains = report.domains();
    let domain = domains
        .iter()
        .find(|group| group.key.as_ref().unwrap().0.is_some());
    let known = r#""type":"domain","domain":"example.com""#;
    check(&GroupLine::domain(domain.unwrap()), &line(known));
}

#[test]
fn a_connection_that_fares_badly() {
    use flowner_flows::{Retransmissions, RoundTrip};

    let time = Duration::from_micros;
    let line = FlowRecord {
        owner: None,
        error: Some(flowner_flows::FlowError::HostUnreachable),
        tcp: Some(TcpFacts {
            sent_again: Retransmissions::new(3, 4_096),
            received_again: Retransmissions::default(),
            round_trip: Some(RoundTrip::new(time(12_345), time(10_000), 7)),
            is_failed: true,
        }),
        ..flow(0)
    };
    let text = serde_json::to_string(&FlowLine::new(&line)).unwrap();
    let expected = concat!(
        r#""error":"host-unreachable","tcp":{"sent_again":{"segments":3,"bytes":4096},"#,
        r#""received_again":{"segments":0,"bytes":0},"rtt_us":12345,"rtt_min_us":10000,"#,
        r#""connect_failed":true}}"#
    );
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_socket() {
    let listener = Socket::new(
        attribution::Protocol::Udp,
        address("[::]:53"),
        Verdict::Unknown(Reason::Denied),
    );
    check(
        &SocketLine::new(&listener),
        r#"{"type":"socket","protocol":"udp","local":"[::]:53","remote":null,"state":"unconnected",
        "owner":{"verdict":"unknown","processes":[],"reason":"not-permitted"}}"#,
    );
    let connected = {
        let mut socket = listener;
        socket.protocol = attribution::Protocol::Tcp;
        socket.remote = Some(address("[::1]:9"));
        socket.state = Some(SocketState::CloseWait);
        socket.owner = Verdict::Process(Arc::new(Process::new(1, "a")));
        socket
    };
    check(
        &SocketLine::new(&connected),
        r#"{"type":"socket","protocol":"tcp","local":"[::]:53","remote":"[::1]:9",
        "state":"close-wait","owner":{"verdict":"process","processes":[
        {"pid":1,"name":"a","path":null,"user":null,"started":null}]}}"#,
    );
}

#[test]
fn an_answer() {
    let query = SocketQuery::udp(address("10.0.0.1:1"), address("10.0.0.2:2"));
    check(
        &OwnershipLine::new(&query, &owner(Verdict::Unknown(Reason::Gone), None)),
        r#"{"type":"ownership","protocol":"udp","local":"10.0.0.1:1","remote":"10.0.0.2:2",
        "owner":{"verdict":"unknown","match":null,"source":"scripted","processes":[],"reason":"process-exited"},
        "observed_at":"2026-01-01T00:00:00.000000Z","source":"scripted"}"#,
    );
}

const SUMS: &str =
    r#""flows":2,"sent":{"packets":5,"bytes":332},"received":{"packets":4,"bytes":300}"#;

#[test]
fn a_summary() {
    let undecodable = [
        ("truncated", counters(1, 60)),
        ("unknown link type", counters(2, 80)),
    ];
    let line = SummaryLine {
        total: counters(12, 772).into(),
        flows: 3,
        owners: Some(Coverages(vec![Group {
            key: Some(Coverage::Unknown(Reason::Gone)),
            totals: Totals {
                sent: counters(2, 7),
                ..Totals::default()
            },
        }])),
        undecodable: Reasons(&undecodable),
        dropped: Some(5),
        devices: vec![DeviceSums {
            name: "eth0",
            packets: 12,
            bytes: 772,
        }],
        seen_again: Some(counters(4, 300).into()),
        unlisted: Unlisted::default(),
        complete: false,
        message: Some("the disk is full"),
        refused_claims: Some(2),
        not_looked_up: Some(3),
    };
    check(
        &line,
        r#"{"type":"summary","total":{"packets":12,"bytes":772},"flows":3,"owners":{
        "process-exited":{"packets":2,"bytes":7}},"undecodable":{
        "truncated":{"packets":1,"bytes":60},"unknown link type":{"packets":2,"bytes":80}},
        "dropped":5,"devices":[{"name":"eth0","packets":12,"bytes":772}],"seen_again":{"packets":4,"bytes":300},"unlisted":{"flows":0,"packets":0,"bytes":0},
        "complete":false,"message":"the disk is full","refused_claims":2,"not_looked_up":3}"#,
    );
    let whole = SummaryLine {
        owners: None,
        undecodable: Reasons(&[]),
        dropped: None,
        devices: Vec::new(),
        seen_again: None,
        complete: true,
        message: None,
        refused_claims: None,
        not_looked_up: None,
        ..line
    };
    check(
        &whole,
        r#"{"type":"summary","total":{"packets":12,"bytes":772},"flows":3,
        "owners":null,"undecodable":{},"dropped":null,
        "unlisted":{"flows":0,"packets":0,"bytes":0},"complete":true}"#,
    );
}

#[test]
fn warnings() {
    let warning = WarningLine::new("the disk is slow");
    check(
        &warning,
        r#"{"type":"warning","message":"the disk is slow"}"#,
    );
    check(&MissedLine::new(7), r#"{"type":"missed","events":7}"#);
}

#[test]
fn a_device() {
    let line = DeviceLine {
        name: "lo",
        description: None,
        addresses: vec![address("127.0.0.1:0").ip(), address("[::1]:0").ip()],
        up: true,
        running: true,
        loopback: true,
        wireless: false,
        default: false,
    };
    check(
        &line,
        r#"{"type":"device","name":"lo","description":null,"addresses":["127.0.0.1","::1"],
        "up":true,"running":true,"loopback":true,"wireless":false,"default":false}"#,
    );
}

#[test]
fn flows_without_a_line_are_counted() {
    let input = InputInfo {
        name: "a.pcap".to_owned(),
        link_type: "EN10MB",
        is_live: false,
    };
    let report = Report::of(Vec::new(), input, EndState::Complete);
    let left_out = Totals {
        flows: 7,
        sent: counters(9, 540),
        ..Totals::default()
    };
    let line = |line: SummaryLine<'_>| serde_json::to_value(line).unwrap();
    let missing = line(SummaryLine::new(&report).with_unlisted(&left_out, false));
    let counted = serde_json::json!({"flows": 7, "packets": 9, "bytes": 540});
    assert_eq!(
        (&missing["unlisted"], &missing["complete"]),
        (&counted, &false.into())
    );
    // A user who wanted fewer lines has all of them.
    let fewer = line(SummaryLine::new(&report).with_unlisted(&left_out, true));
    assert_eq!(
        (&fewer["unlisted"], &fewer["complete"]),
        (&counted, &true.into())
    );
    let missed = line(SummaryLine::new(&report).with_missed(1));
    assert_eq!(missed["complete"], false);
}

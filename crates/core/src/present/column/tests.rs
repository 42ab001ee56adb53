use std::sync::Arc;

use flowner_attribution::{
    NetworkNamespace, Ownership, Process, Protocol, Socket, SocketState, UnitKind, User,
};
use flowner_flows::{Retransmissions, RoundTrip, State};

use super::*;
use crate::model::flow::{FlowRecord, TcpFacts};
use crate::query::sort::{Sort, sort_flows};
use crate::samples::{self, NEW_YEAR, counters, flow};

fn process(pid: u32, name: &str, user: &str) -> Arc<Process> {
    Arc::new({
        let mut process = Process::new(pid, name);
        process.user = Some(samples::user(pid, user));
        process.path = Some(format!("/usr/bin/{name}").into());
        process.unit = Some(flowner_attribution::Unit::new(UnitKind::Service, name));
        process
    })
}

fn with(mut flow: FlowRecord, owner: Ownership) -> FlowRecord {
    flow.principal = Principal::of(Some(&owner));
    flow.owner = Some(owner);
    flow
}

/// Four flows that differ in every column. The second has no owner.
fn flows() -> Vec<FlowRecord> {
    let owner = |verdict| samples::owner(verdict, None);
    let namespace = |inode| Some(Arc::new(NetworkNamespace::new(inode, None)));
    let mut flows = vec![
        with(flow(0), owner(Verdict::Process(process(9, "Beta", "ada")))),
        with(flow(1), owner(Verdict::Unknown(Reason::Gone))),
        with(
            flow(2),
            owner(Verdict::Process(process(10, "alpha", "Zoe"))),
        ),
        with(flow(3), owner(Verdict::Process(process(7, "gamma", "bob")))),
    ];
    for (place, flow) in (0..).zip(&mut flows) {
        flow.sent = counters(1 + place, 500 - 100 * place);
        flow.received = counters(2, 100 * (place * 7 % 5));
        flow.rate.sent = place * 7 % 5;
        flow.rate.received = 10 + place * 2;
        flow.local.set_port(10_000 - u16::try_from(place).unwrap());
        flow.remote
            .set_port([80, 22, 443, 53][usize::try_from(place).unwrap()]);
        flow.service_port = flow.remote.port();
        flow.first_seen = NEW_YEAR + Duration::from_secs(place * 3 % 4);
        flow.last_seen = NEW_YEAR + Duration::from_secs(10 + place);
        let time = Duration::from_micros(1_500 * (4 - place));
        flow.tcp = Some(TcpFacts {
            sent_again: Retransmissions::new(place * 3 % 4, 7),
            received_again: Retransmissions::new(1, 9),
            round_trip: Some(RoundTrip::new(time, time, 2)),
            is_failed: false,
        });
        if let Some(owner) = flow.owner.as_mut().filter(|owner| owner.verdict.is_named()) {
            owner.evidence.namespace = namespace(7 - place);
        }
    }
    flows[0].state = State::Established;
    flows[3].direction = flowner_flows::Direction::Incoming;
    flows
}

/// Both apps sort by the same rule, though one sorts places in a report and the other sorts lines
/// that may be sockets.
#[test]
fn lines_are_sorted_as_flows_are() {
    let now = NEW_YEAR + Duration::from_secs(60);
    for column in Column::ALL
        .into_iter()
        .filter(|it| it.rank_in_flows().is_some())
    {
        let mut expected = flows();
        let sort = Sort {
            key: column.sort_key(),
            descending: false,
        };
        sort_flows(&mut expected, sort);
        let mut lines = flows();
        lines.sort_by_cached_key(|flow| (column.order(&Row::of_flow(flow, now)), flow.id));
        let ids = |flows: &[FlowRecord]| flows.iter().map(|it| it.id.as_u64()).collect::<Vec<_>>();
        assert_eq!(ids(&lines), ids(&expected), "{column:?}");
    }
}

#[test]
fn every_column_has_a_place_and_names() {
    for column in Column::ALL {
        let (title, heading) = (column.title(), column.heading());
        let is_placed = column
            .rank_in_flows()
            .or(column.rank_in_sockets())
            .is_some();
        assert!(is_placed, "{column:?} is in no list");
        assert!(!title.is_empty() && heading == heading.to_uppercase());
        let [min, width, max] = column.widths();
        assert!(min <= width && width <= max, "{column:?}");
        assert!(heading.chars().count() <= usize::from(width), "{column:?}");
    }
}

/// A column without a rank for a kind of line has no value there, and one with a rank has values.
#[test]
fn what_has_a_place_has_a_value() {
    let mut flows = flows();
    flows[0].names = Some(crate::samples::names("www.example.com"));
    let row = Row::of_flow(&flows[0], NEW_YEAR + Duration::from_secs(60));
    let mut socket = Socket::new(
        Protocol::Tcp,
        "10.0.0.1:443".parse().unwrap(),
        Verdict::Process(process(7, "nginx", "ada")),
    );
    socket.remote = Some("10.0.0.2:50000".parse().unwrap());
    socket.state = Some(SocketState::Established);
    socket.namespace = Some(Arc::new(NetworkNamespace::new(1, None)));
    let listed = Row::of_socket(&socket, None);
    for column in Column::ALL {
        let has = |row: &Row<'_>| column.value(row) != Value::Nothing;
        assert_eq!(has(&row), column.rank_in_flows().is_some(), "{column:?}");
        assert_eq!(
            has(&listed),
            column.rank_in_sockets().is_some(),
            "{column:?}"
        );
    }
}

#[track_caller]
fn check(row: &Row<'_>, column: Column, expected: &str) {
    let text = column.value(row).text();
    assert_eq!(text.as_deref().unwrap_or("-"), expected, "{column:?}");
}

#[test]
fn a_flow_is_shown_as_its_end_has_it() {
    let flow = flow(1);
    let now = NEW_YEAR + Duration::from_secs(4_000);
    let row = Row::of_flow(&flow, now);
    for (column, expected) in [
        (Column::Program, "curl"),
        (Column::Owner, "curl[4242]"),
        (Column::Pid, "4242"),
        (Column::User, "ada"),
        (Column::Local, "10.0.0.2:45784"),
        (Column::Remote, "93.184.216.34:443"),
        (Column::Service, "https"),
        (Column::Direction, "outgoing"),
        (Column::State, "closed"),
        (Column::Sent, "332 B"),
        (Column::Received, "300 B"),
        (Column::Bytes, "632 B"),
        (Column::Packets, "9"),
        (Column::Up, "100 B/s"),
        (Column::Down, "50 B/s"),
        (Column::Rate, "150 B/s"),
        (Column::Duration, "1.4 s"),
        (Column::Age, "1 h 6 min"),
        (Column::Path, "/usr/bin/curl"),
        (Column::Unit, "-"),
    ] {
        check(&row, column, expected);
    }
    let far = Row::of_end(&flow, true, now);
    check(&far, Column::Program, super::super::NOT_LOOKED_UP);
    check(&far, Column::Local, "93.184.216.34:443");
    check(&far, Column::Remote, "10.0.0.2:45784");
    check(&far, Column::Sent, "300 B");
    check(&far, Column::Up, "50 B/s");
}

#[test]
fn the_owner_that_is_known_stands_for_the_flow() {
    let known = samples::owner(Verdict::Process(samples::curl()), None);
    let mut one = with(
        flow(1),
        samples::owner(Verdict::Unknown(Reason::Forwarded), None),
    );
    let now = NEW_YEAR;
    check(
        &Row::of_flow(&one, now),
        Column::Program,
        "unknown: forwarded",
    );
    one.remote_principal = Principal::of(Some(&known));
    one.remote_owner = Some(known);
    check(&Row::of_flow(&one, now), Column::Program, "curl");
    check(
        &Row::of_flow(&one, now),
        Column::Owner,
        "unknown: forwarded -> curl[4242]",
    );
    check(
        &Row::of_end(&one, false, now),
        Column::Program,
        "unknown: forwarded",
    );
    check(&Row::of_end(&one, true, now), Column::Program, "curl");
}

#[test]
fn a_socket_whose_process_is_hidden_has_its_user() {
    let user = Some(User::new(0, Some("root".to_owned())));
    let socket = Socket::new(
        Protocol::Udp,
        "0.0.0.0:53".parse().unwrap(),
        Verdict::Partial { user, unit: None },
    );
    let row = Row::of_socket(&socket, None);
    check(&row, Column::User, "root");
    check(&row, Column::Owner, "unknown: not permitted");
    check(&row, Column::Service, "dns/udp");
    check(&row, Column::Remote, "-");
}

#[test]
fn settings_know_a_column_by_its_name() {
    for column in Column::ALL {
        let text = serde_json::to_string(&column).unwrap();
        assert_eq!(serde_json::from_str::<Column>(&text).unwrap(), column);
    }
    let written = serde_json::to_string(&[Column::Program, Column::Bytes]).unwrap();
    assert_eq!(written, r#"["program","bytes"]"#);
}

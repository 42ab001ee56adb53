use std::collections::BTreeMap;
use std::sync::Arc;

use flowner_attribution::Match;
use proptest::prelude::*;

use super::*;
use crate::model::report::{EndState, InputInfo, Report};
use crate::samples::{address, counters, flow, owner};

const LIVE: InputInfo = InputInfo {
    name: String::new(),
    link_type: "ethernet",
    is_live: true,
};

/// An owner with this number; 0 has no lookup, and 1 is an end in another network namespace.
fn end(number: u32) -> Option<Ownership> {
    let process = || Arc::new(Process::new(100 + number, format!("p{number}")));
    Some(match number {
        0 => return None,
        1 => owner(Verdict::Unknown(Reason::Forwarded), None),
        2 => owner(Verdict::Unknown(Reason::Gone), None),
        _ => owner(Verdict::Process(process()), Some(Match::FiveTuple)),
    })
}

/// A flow with these owners at its ends, and their traffic.
fn between(id: u64, direction: Direction, ends: (u32, u32), bytes: (u64, u64)) -> FlowRecord {
    let record = FlowRecord {
        direction,
        local: address("127.0.0.1:40000"),
        remote: address("127.0.0.1:80"),
        sent: counters(bytes.0.min(1), bytes.0),
        received: counters(bytes.1.min(1), bytes.1),
        rate: Rate {
            sent: bytes.0,
            received: bytes.1,
        },
        ..flow(id)
    };
    record.with_owners(end(ends.0), end(ends.1))
}

fn principal(number: u32) -> Principal {
    Principal::of(end(number).as_ref())
}

fn totals(report: &Report, number: u32) -> Totals {
    let groups = report.programs().into_iter();
    let own = groups.filter(|group| group.key == Some(principal(number)));
    own.map(|group| group.totals).next().unwrap_or_default()
}

/// A download over loopback: the downloading program received it, and it counts once for the host.
#[test]
fn traffic_received_on_loopback_counts_as_received() {
    let flows = vec![
        between(1, Direction::Loopback, (3, 4), (100, 9_000)),
        between(2, Direction::Outgoing, (5, 0), (10, 500)),
    ];
    let report = Report::of(flows, LIVE, EndState::Running);
    let (client, server) = (totals(&report, 3), totals(&report, 4));
    assert_eq!((client.sent.bytes, client.received.bytes), (100, 9_000));
    assert_eq!((server.sent.bytes, server.received.bytes), (9_000, 100));
    assert_eq!(client.rates, reversed(server.rates));
    assert_eq!(
        (client.counted().bytes, server.counted().bytes),
        (100, 9_000)
    );
    assert_eq!(report.total().bytes, 9_610);
    assert_eq!(report.within_host().bytes, 9_100);
    // The downloading program has as much traffic as the serving one, and does not come after the
    // third.
    let order: Vec<_> = report.programs().into_iter().map(|it| it.key).collect();
    assert_eq!(order[2], Some(principal(5)));
    // The page of the server has the flow from its own point of view.
    let page = report.of_principal(&principal(4));
    let [flow] = &page.flows[..] else {
        panic!("{:?}", page.flows);
    };
    assert_eq!(flow.local, address("127.0.0.1:80"));
    assert_eq!(flow.remote, address("127.0.0.1:40000"));
    assert_eq!((flow.sent.bytes, flow.received.bytes), (9_000, 100));
    assert_eq!((flow.rate.sent, flow.rate.received), (9_000, 100));
    assert_eq!(
        (&flow.principal, &flow.remote_principal),
        (&principal(4), &principal(3))
    );
}

#[test]
fn from_the_other_end_out_is_in() {
    for (direction, expected) in [
        (Direction::Outgoing, Direction::Incoming),
        (Direction::Incoming, Direction::Outgoing),
        (Direction::Loopback, Direction::Loopback),
        (Direction::Forwarded, Direction::Forwarded),
    ] {
        let flow = between(1, direction, (3, 4), (1, 2));
        let other = flow.clone().from_remote_end();
        assert_eq!(other.direction, expected);
        assert_eq!(other.from_remote_end(), flow);
    }
}

fn any_flows() -> impl Strategy<Value = Vec<FlowRecord>> {
    let direction = prop::sample::select(vec![
        Direction::Outgoing,
        Direction::Incoming,
        Direction::Loopback,
        Direction::Forwarded,
    ]);
    let one = (
        direction,
        (0..6_u32, 0..6_u32),
        (0..5_000_u64, 0..5_000_u64),
    );
    prop::collection::vec(one, 0..12).prop_map(|flows| {
        let flows = (1..).zip(flows);
        flows
            .map(|(id, (direction, ends, bytes))| between(id, direction, ends, bytes))
            .collect()
    })
}

proptest! {
    /// Each program is credited the traffic of its ends; the host's total has each byte once; and
    /// the flows of a program's page add up to the program's totals.
    #[test]
    fn the_sums_add_up(flows in any_flows()) {
        // The traffic of each end, computed independently.
        let mut sent: BTreeMap<Principal, u64> = BTreeMap::new();
        let mut received: BTreeMap<Principal, u64> = BTreeMap::new();
        let mut within = 0;
        for flow in &flows {
            let has_two = flow.direction == Direction::Loopback
                || (flow.remote_owner.is_some() && !is_elsewhere(flow.owner.as_ref()));
            let is_remote = has_two || (flow.remote_owner.is_some());
            let is_local = has_two || !is_remote;
            if is_local {
                *sent.entry(flow.principal.clone()).or_default() += flow.sent.bytes;
                *received.entry(flow.principal.clone()).or_default() += flow.received.bytes;
            }
            if is_remote {
                *sent.entry(flow.remote_principal.clone()).or_default() += flow.received.bytes;
                *received.entry(flow.remote_principal.clone()).or_default() += flow.sent.bytes;
            }
            if has_two {
                within += flow.total().bytes;
            }
        }
        let all: u64 = flows.iter().map(|flow| flow.total().bytes).sum();
        let report = Report::of(flows, LIVE, EndState::Running);
        let programs = report.programs();
        for group in &programs {
            let (principal, totals) = (group.key.as_ref().unwrap(), &group.totals);
            prop_assert_eq!(totals.sent.bytes, sent[principal]);
            prop_assert_eq!(totals.received.bytes, received[principal]);
            prop_assert_eq!(totals.rates.sent, sent[principal]);
            prop_assert_eq!(totals.rates.received, received[principal]);
            let page = report.of_principal(principal);
            let sum = |of: fn(&FlowRecord) -> Counters| page.flows.iter().map(of).sum::<Counters>();
            prop_assert_eq!(sum(|flow| flow.sent), totals.sent);
            prop_assert_eq!(sum(|flow| flow.received), totals.received);
            prop_assert!(page.flows.iter().all(|flow| flow.principal == *principal));
            let hosts = page.hosts().into_iter().map(|it| it.totals.total()).sum::<Counters>();
            prop_assert_eq!(hosts, totals.total());
        }
        prop_assert_eq!(programs.len(), sent.len());
        let once = |groups: &[Totals]| groups.iter().map(|it| it.counted().bytes).sum::<u64>();
        let of_programs: Vec<_> = programs.iter().map(|it| it.totals).collect();
        let of_processes: Vec<_> = report.processes().iter().map(|it| it.totals).collect();
        prop_assert_eq!(once(&of_programs), all);
        prop_assert_eq!(once(&of_processes), all);
        prop_assert_eq!(of_programs.iter().map(|it| it.rate).sum::<u64>(), all);
        prop_assert_eq!(report.total().bytes, all);
        prop_assert_eq!(report.within_host().bytes, within);
    }
}

#[test]
fn the_near_end_has_no_names_of_the_far_one() {
    let mut flow = flow(1);
    flow.names = Some(crate::samples::names("www.example.com"));
    flow.place = Some(crate::samples::place("Germany"));
    let turned = flow.from_remote_end();
    assert_eq!((turned.remote_name(), turned.place()), (None, None));
}

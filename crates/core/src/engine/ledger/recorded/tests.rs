use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use flowner_attribution::{Evidence, Match, User};
use flowner_flows::{LocalAddresses, Origin, Protocol};
use proptest::prelude::*;

use super::*;
use crate::engine::comment;
use crate::engine::ledger::OwnerScope;
use crate::model::config::Limits;
use crate::model::packet_ref::PacketEnd;

const HERE: &str = "10.0.0.1:5000";
const THERE: &str = "10.9.9.9:9";

fn ledger() -> Ledger {
    let limits = Limits {
        flows: 100,
        ended_flows: 1_000,
        groups: 100,
        events: 0,
    };
    let local: LocalAddresses = ["10.0.0.1".parse().unwrap()].into_iter().collect();
    Ledger::new(&limits, Some(local), OwnerScope::Nobody, true)
}

fn packet(number: u64, is_sent: bool, wire_len: u32) -> Packet {
    let (source, destination) = if is_sent {
        (HERE, THERE)
    } else {
        (THERE, HERE)
    };
    Packet {
        time: Duration::from_millis(1_000 + 300 * number),
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Protocol::UDP,
        wire_len,
        payload_len: 0,
        tcp: None,
        icmp: None,
        fragment: None,
        origin: Origin::Unknown,
        device: None,
    }
}

fn ownership(verdict: Verdict) -> Ownership {
    let is_named = verdict.is_named();
    let matched = is_named.then_some(Match::History);
    Ownership::new(
        verdict,
        Evidence::new(matched, UNIX_EPOCH, Source::Recorded),
    )
}

fn process(pid: u32) -> Ownership {
    let mut process = Process::new(pid, format!("p{pid}"));
    process.started = Some(UNIX_EPOCH + Duration::from_secs(pid.into()));
    ownership(Verdict::Process(Arc::new(process)))
}

fn changed() -> Ownership {
    ownership(Verdict::Unknown(Reason::Changed))
}

fn partial() -> Ownership {
    let user = Some(User::new(7, None));
    ownership(Verdict::Partial { user, unit: None })
}

/// What a recording of an owner is read as.
fn read_again(end: PacketEnd, ownership: Ownership) -> Owner {
    let text = comment::write(end, &Owner::from(ownership), None);
    let (read, ownership) = comment::read(&text, UNIX_EPOCH).unwrap();
    assert_eq!(read, end);
    Owner::from(ownership)
}

/// Counts packets of 100 bytes and more with what was recorded of their ends on this host.
fn read(ledger: &mut Ledger, packets: &[(bool, u32, Option<Ownership>)]) -> Vec<PacketRef> {
    let mut effects = Vec::new();
    let mut read = |(number, (is_sent, wire_len, owner)): (usize, &(bool, u32, Option<_>))| {
        let packet = packet(number as u64, *is_sent, *wire_len);
        let of = ledger.packet(&packet, &mut effects).unwrap();
        let owner: Option<Ownership> = owner.clone();
        let owners = if *is_sent {
            [owner.map(|it| read_again(PacketEnd::Source, it)), None]
        } else {
            [None, owner.map(|it| read_again(PacketEnd::Destination, it))]
        };
        ledger.recorded(of, &packet, owners, &mut effects);
        of
    };
    packets.iter().enumerate().map(&mut read).collect()
}

fn name(verdict: &Verdict) -> String {
    match (verdict, verdict.processes()) {
        (Verdict::Partial { .. }, _) => "partial".to_owned(),
        (_, [process, ..]) => process.name.clone(),
        (_, []) => String::new(),
    }
}

/// Owner, sent and received bytes of flows, in the order of their packets.
fn flows(ledger: &mut Ledger) -> Vec<(String, u64, u64)> {
    let mut flows = ledger.flows();
    flows.sort_by_key(|flow| flow.first_seen);
    let row = |flow: &FlowRecord| {
        let owner = flow.owner.as_ref();
        let name = owner.map_or_else(|| "none".to_owned(), |owner| name(&owner.verdict));
        (name, flow.sent.bytes, flow.received.bytes)
    };
    flows.iter().map(row).collect()
}

#[track_caller]
fn check(packets: &[(bool, u32, Option<Ownership>)], expected: &[(&str, u64, u64)]) {
    let mut ledger = ledger();
    read(&mut ledger, packets);
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, sent, received)| ((*name).to_owned(), *sent, *received))
        .collect();
    assert_eq!(flows(&mut ledger), expected);
}

#[test]
fn a_recorded_change_of_owner_cuts_the_flow() {
    check(
        &[
            (true, 100, Some(process(1))),
            (false, 10, Some(process(1))),
            (true, 200, Some(changed())),
            (true, 300, Some(process(2))),
            (false, 20, Some(process(2))),
            (true, 400, Some(process(1))),
        ],
        &[
            ("p1", 100, 10),
            ("", 200, 0),
            ("p2", 300, 20),
            ("p1", 400, 0),
        ],
    );
}

#[test]
fn what_came_before_the_first_owner_is_not_told() {
    check(
        &[
            (true, 100, None),
            (false, 20, None),
            (true, 200, Some(process(1))),
            (false, 10, None),
        ],
        &[("none", 100, 20), ("p1", 200, 10)],
    );
}

#[test]
fn a_connection_has_one_socket() {
    let mut ledger = ledger();
    let mut effects = Vec::new();
    for (number, owner) in [(0, None), (1, Some(process(1))), (2, None)] {
        let packet = Packet {
            protocol: Protocol::TCP,
            ..packet(number, true, 100)
        };
        let of = ledger.packet(&packet, &mut effects).unwrap();
        ledger.recorded(of, &packet, [owner.map(Owner::from), None], &mut effects);
    }
    assert_eq!(flows(&mut ledger), [("p1".to_owned(), 300, 0)]);
}

#[test]
fn packets_without_an_owner_between_two_owners_are_of_neither() {
    check(
        &[
            (true, 100, Some(process(1))),
            (true, 1, None),
            (true, 200, Some(process(1))),
            (true, 2, None),
            (false, 30, None),
            (true, 4, None),
            (true, 300, Some(process(2))),
            (true, 5, None),
            (false, 40, Some(process(2))),
            (true, 6, None),
        ],
        &[("p1", 301, 0), ("", 6, 30), ("p2", 311, 40)],
    );
    // Nor is what came before it was told that the owner is unknown.
    check(
        &[
            (true, 100, Some(process(1))),
            (true, 1, None),
            (true, 200, Some(changed())),
            (true, 2, None),
            (true, 300, Some(process(1))),
        ],
        &[("p1", 100, 0), ("", 1, 0), ("", 202, 0), ("p1", 300, 0)],
    );
}

#[test]
fn a_better_description_of_the_same_owner_is_for_the_whole_flow() {
    let mut told = Process::new(1, "p1");
    told.user = Some(User::new(7, None));
    let told = ownership(Verdict::Process(Arc::new(told)));
    check(
        &[
            (true, 100, Some(partial())),
            (true, 200, Some(told.clone())),
        ],
        &[("p1", 300, 0)],
    );
    let mut other = Process::new(1, "p1");
    other.user = Some(User::new(8, None));
    let other = ownership(Verdict::Process(Arc::new(other)));
    check(
        &[(true, 100, Some(partial())), (true, 200, Some(other))],
        &[("partial", 100, 0), ("p1", 200, 0)],
    );
    check(
        &[(true, 100, Some(told)), (true, 200, Some(partial()))],
        &[("p1", 100, 0), ("partial", 200, 0)],
    );
}

#[test]
fn the_same_pid_of_another_start_or_program_is_another_owner() {
    let with = |change: fn(&mut Process)| {
        let mut process = Process::new(1, "p1");
        process.started = Some(UNIX_EPOCH);
        process.path = Some("/bin/a".into());
        change(&mut process);
        ownership(Verdict::Process(Arc::new(process)))
    };
    let one = with(|_| {});
    assert!(is_same_owner(&one, &one));
    assert!(is_same_owner(&one, &with(|it| it.path = None)));
    assert!(is_same_owner(&one, &with(|it| it.name = "renamed".into())));
    assert!(!is_same_owner(
        &one,
        &with(|it| it.path = Some("/bin/b".into()))
    ));
    assert!(!is_same_owner(
        &one,
        &with(|it| it.started = Some(UNIX_EPOCH + Duration::from_secs(1)))
    ));
    assert!(!is_same_owner(&one, &with(|it| it.pid = 2)));
}

#[test]
fn each_packet_is_still_found_with_its_owner() {
    let mut ledger = ledger();
    let owners = [1, 1, 2, 3, 3, 1];
    let packets = owners.map(|pid| (true, 100, Some(process(pid))));
    let of = read(&mut ledger, &packets);
    for (of, pid) in of.into_iter().zip(owners) {
        let known = ledger.known(of, &Selection::default()).unwrap();
        let [source, _] = known.owners;
        assert_eq!(name(&source.unwrap().ownership.verdict), format!("p{pid}"));
    }
}

#[test]
fn a_change_at_both_ends_cuts_once() {
    let mut ledger = ledger();
    let mut effects = Vec::new();
    for (number, pid) in [(0, 1), (1, 1), (2, 3)] {
        let packet = packet(number, true, 100);
        let of = ledger.packet(&packet, &mut effects).unwrap();
        let owners = [Some(process(pid).into()), Some(process(pid + 1).into())];
        ledger.recorded(of, &packet, owners, &mut effects);
    }
    assert_eq!(
        flows(&mut ledger),
        [("p1".to_owned(), 200, 0), ("p3".to_owned(), 100, 0)]
    );
}

fn any_owner() -> impl Strategy<Value = Ownership> {
    prop_oneof![
        (1..4_u32).prop_map(process),
        Just(changed()),
        Just(ownership(Verdict::Unknown(Reason::Failed))),
        Just(ownership(Verdict::Unknown(Reason::Gone))),
    ]
}

proptest! {
    /// Where some packets have no owners, everybody has at least the bytes that were recorded for them,
    /// and beyond that only those between two of their own packets, or after the last one.
    #[test]
    fn nobody_has_what_may_be_of_another(
        packets in prop::collection::vec((any::<bool>(), 60..1_500_u32, prop::option::of(any_owner())), 1..60),
    ) {
        let mut ledger = ledger();
        read(&mut ledger, &packets);
        // By each packet, who may have it.
        let mut expected = BTreeMap::<String, u64>::new();
        for (number, (_, wire_len, owner)) in packets.iter().enumerate() {
            let told = |it: &(bool, u32, Option<Ownership>)| it.2.as_ref().map(|it| name(&it.verdict));
            let before = packets[..number].iter().rev().find_map(told);
            let after = packets[number..].iter().find_map(told);
            let who = match (owner, before, after) {
                (Some(owner), ..) => name(&owner.verdict),
                (None, Some(before), Some(after)) if before != after => String::new(),
                (None, Some(before), _) => before,
                (None, None, _) => "none".to_owned(),
            };
            *expected.entry(who).or_default() += u64::from(*wire_len);
        }
        let mut found = BTreeMap::<String, u64>::new();
        for (name, sent, received) in flows(&mut ledger) {
            *found.entry(name).or_default() += sent + received;
        }
        prop_assert_eq!(found, expected);
    }

    /// Whatever was recorded, everybody has the bytes of the packets that were recorded for them.
    #[test]
    fn everybody_has_what_was_recorded_for_them(
        packets in prop::collection::vec((any::<bool>(), 60..1_500_u32, any_owner()), 1..60),
    ) {
        let mut ledger = ledger();
        let mut expected = BTreeMap::<String, (u64, u64)>::new();
        for (is_sent, wire_len, owner) in &packets {
            let (sent, received) = expected.entry(name(&owner.verdict)).or_default();
            *(if *is_sent { sent } else { received }) += u64::from(*wire_len);
        }
        let packets: Vec<_> = packets
            .into_iter()
            .map(|(is_sent, wire_len, owner)| (is_sent, wire_len, Some(owner)))
            .collect();
        read(&mut ledger, &packets);
        let mut found = BTreeMap::<String, (u64, u64)>::new();
        let flows = flows(&mut ledger);
        prop_assert!(flows.len() <= packets.len());
        for (name, sent, received) in flows {
            let sums = found.entry(name).or_default();
            sums.0 += sent;
            sums.1 += received;
        }
        prop_assert_eq!(found, expected);
    }
}

//! Whatever happens, the ledger loses nothing.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Packet(Packet),
    Undecodable(u32),
    Advance(u64),
    /// To one of the questions asked so far.
    Answer(usize, Ownership, bool),
    /// What the confirmations from then on say.
    Confirm([Confirmed; 2]),
    /// The socket of that process was closed, at that second.
    Closed(u32, u64),
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let end = prop_oneof![
        (1..3_u8, 0..3_u16).prop_map(|(host, port)| SocketAddr::from(([10, 0, 0, host], port))),
        (1..3_u16).prop_map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
        Just(SocketAddr::from(([224, 0, 0, 251], 5353))),
    ];
    let protocol = proptest::sample::select(vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP]);
    (
        0..300_u64,
        end.clone(),
        end,
        protocol,
        0..100_000_u32,
        any::<u8>(),
        0..2_u32,
    )
        .prop_map(
            |(seconds, source, destination, protocol, wire_len, flags, sequence)| Packet {
                time: Duration::from_secs(seconds),
                source,
                destination,
                protocol,
                wire_len,
                payload_len: wire_len / 2,
                tcp: (protocol == Protocol::TCP).then_some(Tcp::new(TcpFlags(flags), sequence)),
                icmp: None,
                fragment: None,
                origin: Origin::Unknown,
                device: None,
            },
        )
}

fn any_answer() -> impl Strategy<Value = Ownership> {
    let matched = proptest::sample::select(vec![
        Match::History,
        Match::WildcardAddress,
        Match::LocalEndpoint,
        Match::FiveTuple,
    ]);
    let reason = proptest::sample::select(Reason::ALL.to_vec());
    prop_oneof![
        (1..5_u32, matched, any::<bool>()).prop_map(|(pid, matched, is_late)| {
            let mut answer = process(pid, matched);
            // Not every table tells it.
            answer.evidence.socket = SocketId::own(pid.saturating_sub(2).into());
            if is_late {
                answer.evidence.observed_at += Duration::from_secs(3_600);
            }
            answer
        }),
        reason.prop_map(|reason| Ownership::unknown(reason, UNIX_EPOCH, Source::Scripted)),
    ]
}

fn any_confirmed() -> impl Strategy<Value = Confirmed> {
    prop_oneof![
        Just(Confirmed::Same),
        Just(Confirmed::Changed),
        Just(Confirmed::Gone),
        Just(Confirmed::Unknown),
    ]
}

fn close(ledger: &mut Ledger, pid: u32, at: u64) {
    let mut closed = Closed::default();
    let at = UNIX_EPOCH + Duration::from_secs(at);
    let socket = SocketId::own(pid.into());
    let closed_at = |socket| {
        let local = "10.0.0.1:40000".parse().unwrap();
        ClosedSocket::new(socket, at).with_ends(local, None)
    };
    closed.sockets.extend(socket.map(closed_at));
    closed.is_incomplete = pid == 1;
    ledger.sockets_closed(&closed);
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        10 => any_packet().prop_map(Operation::Packet),
        1 => any::<u32>().prop_map(Operation::Undecodable),
        // Less than what is another time, of which nothing is remembered.
        1 => (0..600_u64).prop_map(Operation::Advance),
        6 => (any::<usize>(), any_answer(), any::<bool>())
            .prop_map(|(place, answer, last)| Operation::Answer(place, answer, last)),
        2 => (any_confirmed(), any_confirmed())
            .prop_map(|(local, remote)| Operation::Confirm([local, remote])),
        1 => (1..5_u32, 0..1_000_u64).prop_map(|(pid, at)| Operation::Closed(pid, at)),
    ]
}

fn sum<K>(groups: &[Group<K>]) -> Counters {
    groups.iter().map(|group| group.totals.counted()).sum()
}

proptest! {
    /// Whatever comes, in whatever order: every breakdown adds up to all that was
    /// captured, less what could not be decoded, at every moment.
    #[test]
    fn nothing_is_lost(
        operations in proptest::collection::vec(any_operation(), 0..120),
        flows in 1..5_usize,
        ended_flows in 0..5_usize,
        groups in 0..4_usize,
    ) {
        let mut ledger = ledger(flows, ended_flows, groups);
        let mut waiters = Vec::new();
        let mut confirmed = [Confirmed::Same; 2];
        let mut decoded = Counters::default();
        let mut undecodable = Counters::default();
        for operation in operations {
            let mut effects = Vec::new();
            match operation {
                Operation::Packet(packet) => {
                    ledger.packet(&packet, &mut effects);
                    decoded += Counters {
                        packets: 1,
                        bytes: packet.wire_len.into(),
                        payload_bytes: packet.payload_len.into(),
                    };
                }
                Operation::Undecodable(wire_len) => {
                    ledger.undecodable("malformed", Duration::ZERO, wire_len);
                    undecodable += Counters { packets: 1, bytes: wire_len.into(), payload_bytes: 0 };
                }
                Operation::Advance(seconds) => {
                    let now = Duration::from_secs(seconds);
                    ledger.confirm_due(now, &mut effects);
                    confirm(&mut ledger, &mut effects, confirmed);
                    ledger.advance(now, &mut effects);
                }
                Operation::Confirm(answers) => confirmed = answers,
                Operation::Closed(pid, at) => close(&mut ledger, pid, at),
                Operation::Answer(place, answer, last) => {
                    if let Some(&waiter) = waiters.get(place % waiters.len().max(1)) {
                        ledger.answer(waiter, answer, last, &mut effects);
                    }
                }
            }
            confirm(&mut ledger, &mut effects, confirmed);
            waiters.extend(questions(&effects).into_iter().map(|(waiter, _)| waiter));
            let view = ledger.view(None);
            let (listed, retired) = (view.flows(), &view.retired.all);
            let total = listed.iter().map(FlowRecord::total).sum::<Counters>();
            prop_assert_eq!(total + retired.total.total(), decoded);
            prop_assert_eq!(sum(&retired.programs.and(&listed).groups()), decoded);
            prop_assert_eq!(sum(&retired.processes.and(&listed).groups()), decoded);
            prop_assert_eq!(sum(&retired.hosts.and(&listed).groups()), decoded);
            prop_assert_eq!(sum(&retired.services.and(&listed).groups()), decoded);
            prop_assert_eq!(sum(&retired.protocols.and(&listed).groups()), decoded);
            prop_assert_eq!(sum(&retired.coverage.and(&listed).groups()), decoded);
            let kinds = view.undecodable_by_kind();
            let lost: Counters = kinds.into_iter().map(|(_, counters)| counters).sum();
            prop_assert_eq!(lost, undecodable);
            prop_assert!(ledger.flows().len() <= flows + ended_flows);
        }
    }

    /// The history credits to everybody what the breakdown by program does, whenever
    /// answers come.
    #[test]
    fn the_history_adds_up(
        operations in proptest::collection::vec(any_operation(), 0..120),
        flows in 1..5_usize,
        ended_flows in 0..5_usize,
    ) {
        let mut ledger = ledger(flows, ended_flows, 1_000);
        let mut waiters = Vec::new();
        let mut confirmed = [Confirmed::Same; 2];
        for operation in operations {
            let mut effects = Vec::new();
            match operation {
                Operation::Packet(packet) => {
                    ledger.packet(&packet, &mut effects);
                }
                Operation::Undecodable(_) => {}
                Operation::Advance(seconds) => {
                    let now = Duration::from_secs(seconds);
                    ledger.confirm_due(now, &mut effects);
                    confirm(&mut ledger, &mut effects, confirmed);
                    ledger.advance(now, &mut effects);
                }
                Operation::Confirm(answers) => confirmed = answers,
                Operation::Closed(pid, at) => close(&mut ledger, pid, at),
                // Nobody is answered after the last answer.
                Operation::Answer(place, answer, true) if !waiters.is_empty() => {
                    let waiter = waiters.swap_remove(place % waiters.len());
                    ledger.answer(waiter, answer, true, &mut effects);
                }
                Operation::Answer(place, answer, last) => {
                    if let Some(&waiter) = waiters.get(place % waiters.len().max(1)) {
                        ledger.answer(waiter, answer, last, &mut effects);
                    }
                }
            }
            confirm(&mut ledger, &mut effects, confirmed);
            waiters.extend(questions(&effects).into_iter().map(|(waiter, _)| waiter));
            let programs = programs(&mut ledger).into_iter();
            let mut programs: Vec<_> = programs
                .map(|Group { key, totals }| {
                    (key, totals.sent, totals.received, totals.received_here)
                })
                .filter(|(_, sent, received, _)| sent.packets + received.packets > 0)
                .collect();
            // In minutes, for which nothing is too old here.
            let series = ledger.view(None).history.history().series(Duration::ZERO, Duration::from_secs(3_600), 60);
            prop_assert_eq!(series.step.as_secs(), 60);
            let mut lines: Vec<_> = series
                .lines
                .into_iter()
                .map(|Line { principal, total, .. }| {
                    (principal, total.sent, total.received, total.received_here)
                })
                .collect();
            lines.sort_by(|a, b| a.0.cmp(&b.0));
            programs.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(lines, programs);
        }
    }

    /// Reading the ledger changes nothing in it, nor what it asks for and tells.
    #[test]
    fn looking_changes_nothing(
        operations in proptest::collection::vec(any_operation(), 0..120),
        flows in 1..5_usize,
        ended_flows in 0..70_usize,
        groups in 0..4_usize,
        at in 0..1_000_u64,
    ) {
        let run = |is_looked_at: bool| {
            let mut ledger = ledger(flows, ended_flows, groups);
            let mut told = Vec::new();
            let mut waiters = Vec::new();
            let mut confirmed = [Confirmed::Same; 2];
            let mut views = Vec::new();
            for operation in operations.clone() {
                let mut effects = Vec::new();
                match operation {
                    Operation::Packet(packet) => {
                        ledger.packet(&packet, &mut effects);
                    }
                    Operation::Undecodable(len) => {
                        ledger.undecodable("other", Duration::from_secs(1), len);
                    }
                    Operation::Advance(seconds) => {
                        let now = Duration::from_secs(seconds);
                        ledger.confirm_due(now, &mut effects);
                        ledger.advance(now, &mut effects);
                    }
                    Operation::Confirm(answers) => confirmed = answers,
                    Operation::Closed(pid, at) => close(&mut ledger, pid, at),
                    Operation::Answer(place, answer, last) => {
                        if let Some(&waiter) = waiters.get(place % waiters.len().max(1)) {
                            ledger.answer(waiter, answer, last, &mut effects);
                        }
                    }
                }
                told.push(format!("{effects:?}"));
                confirm(&mut ledger, &mut effects, confirmed);
                waiters.extend(questions(&effects).into_iter().map(|(waiter, _)| waiter));
                if is_looked_at {
                    let view = ledger.view(Some(Duration::from_secs(at)));
                    let (flows, all) = (view.flows(), view.retired.all.programs.groups());
                    views.push((view, flows, all));
                }
            }
            // What was looked at stays as it was, whatever came after that.
            for (view, flows, all) in views {
                assert_eq!((view.flows(), view.retired.all.programs.groups()), (flows, all));
            }
            let view = ledger.view(None);
            let all = view.retired.all.processes.and(&view.flows()).groups();
            let flows = view.flows();
            let history = view.history.history();
            let series = history.series(Duration::ZERO, Duration::from_secs(3_600), 60);
            (told, flows, all, series, ledger.now())
        };
        prop_assert_eq!(run(true), run(false));
    }
}

//! Properties that hold for any sequence of events.

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Packet(Packet),
    Advance(Duration),
    Local(Option<u8>),
    Drain,
    /// Remembers the current mark of a flow.
    Mark(usize),
    /// Cuts a flow at that mark, or at the current one.
    Cut(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => any_packet().prop_map(Step::Packet),
        2 => any_time().prop_map(Step::Advance),
        2 => proptest::option::of(1..4_u8).prop_map(Step::Local),
        1 => Just(Step::Drain),
        5 => (0..6_usize).prop_map(Step::Mark),
        5 => (0..6_usize).prop_map(Step::Cut),
    ]
}

proptest! {
    /// Every packet is in exactly one flow, live or ended; the bound holds; every opened flow is
    /// live or has left for a reason; and the same packets give the same flows.
    #[test]
    fn nothing_is_lost(
        steps in proptest::collection::vec(any_step(), 0..200),
        capacity in 1..6_usize,
    ) {
        let run = || {
            let mut table = table(capacity);
            let mut ended = Vec::new();
            let mut expected = Counters::default();
            let mut marks = HashMap::new();
            for step in &steps {
                match step {
                    Step::Packet(packet) => {
                        let update = table.ingest(packet, &mut ended);
                        prop_assert!(table.flow(update.id).is_some());
                        expected += Counters::one(packet.wire_len, packet.payload_len);
                    }
                    Step::Advance(now) => table.advance(*now, &mut ended),
                    Step::Local(host) => table.set_local_addresses(
                        host.map(|host| [[10, 0, 0, host].into()].into_iter().collect()),
                    ),
                    Step::Drain => table.drain(&mut ended),
                    Step::Mark(place) => {
                        let flow = nth(&table, *place);
                        marks.extend(flow.map(|flow| (flow.id(), flow.mark())));
                    }
                    Step::Cut(place) => {
                        let Some(flow) = nth(&table, *place) else { continue };
                        let (id, all, state) = (flow.id(), flow.mark(), flow.state());
                        let mark = marks.remove(&id).unwrap_or(all);
                        let rest = table.cut(id, &mark, all.last_seen, &mut ended);
                        let rest = rest.expect("something was counted");
                        prop_assert!(table.flow(id).is_none());
                        let live = table.flow(rest).expect("it goes on");
                        prop_assert_eq!(live.mark(), all.since(&mark));
                        prop_assert_eq!((live.state(), live.is_continued()), (state, true));
                        let part = &ended.last().expect("the part").flow;
                        prop_assert_eq!((part.id(), part.mark()), (id, mark));
                    }
                }
                prop_assert!(table.len() <= capacity);
                let live = table.iter().map(Flow::total);
                let left = ended.iter().map(|ended| ended.flow.total());
                prop_assert_eq!(live.chain(left).sum::<Counters>(), expected);
            }
            table.drain(&mut ended);
            prop_assert!(table.is_empty());
            let done = table.statistics();
            prop_assert_eq!(done.packets, expected.packets);
            prop_assert_eq!(done.opened, ended.len() as u64);
            let count = |reason| ended.iter().filter(|e| e.reason == reason).count() as u64;
            prop_assert_eq!(
                [done.closed, done.expired, done.evicted, done.replaced, done.cut],
                [
                    EndReason::Closed,
                    EndReason::Expired,
                    EndReason::Evicted,
                    EndReason::Replaced,
                    EndReason::OwnerChanged,
                ]
                .map(count)
            );
            let ids: std::collections::HashSet<_> = ended.iter().map(|e| e.flow.id()).collect();
            prop_assert_eq!(ids.len(), ended.len());
            Ok(ended)
        };
        prop_assert_eq!(run()?, run()?);
    }
}

//! Packets that are captured before and after this host translates their ends.

use std::num::NonZeroU32;

use flowner_attribution::TranslatedFrom;
use flowner_flows::{DeviceLink, EndReason, Topology};

use super::*;
use crate::engine::ledger::CapturedDevices;

const INSIDE: &str = "10.8.0.2:5000";
const OUTSIDE: &str = "10.0.0.1:61000";
const FAR: &str = "192.0.2.1:443";

fn captured(device: u32, origin: Origin, ends: [&str; 2]) -> Packet {
    Packet {
        origin,
        device: NonZeroU32::new(device),
        ..packet(ends[0], ends[1], 100)
    }
}

/// The answer comes after so many packets of the flow outside.
#[test]
fn a_packet_counts_for_its_program_once() {
    for before in 1..6 {
        let mut ledger =
            ledger_asking(OwnerScope::All, 10, 10, 10).counting_once(Some(CapturedDevices::All));
        let links = [1, 2].map(|index| DeviceLink::new(NonZeroU32::new(index).unwrap()));
        ledger.set_devices(&[], Some(Topology::new(links)));
        let mut effects = Vec::new();
        let ways = [
            [
                captured(1, Origin::Received, [INSIDE, FAR]),
                captured(2, Origin::Sent, [OUTSIDE, FAR]),
            ],
            [
                captured(2, Origin::Received, [FAR, OUTSIDE]),
                captured(1, Origin::Sent, [FAR, INSIDE]),
            ],
        ];
        for (number, way) in ways.iter().cycle().take(6).enumerate() {
            for packet in way {
                ledger.packet(packet, &mut effects);
            }
            if number + 1 != before {
                continue;
            }
            for (waiter, question) in questions(&effects) {
                let local = question.query.local().to_string();
                let owner = process(7, Match::FiveTuple);
                let from = TranslatedFrom::new(INSIDE.parse().unwrap(), FAR.parse().unwrap());
                match &*local {
                    OUTSIDE => ledger.answer(waiter, owner.translated(from), true, &mut effects),
                    INSIDE => ledger.answer(waiter, owner, true, &mut effects),
                    _ => {}
                }
            }
        }
        let flows = ledger.flows();
        let of = |end: &str| {
            let end = end.parse().unwrap();
            flows.iter().find(move |flow| flow.local == end).unwrap()
        };
        assert_eq!(
            (of(INSIDE).sent.packets, of(INSIDE).received.packets),
            (3, 3)
        );
        assert_eq!(
            (of(OUTSIDE).sent.packets, of(OUTSIDE).received.packets),
            (0, 0)
        );
        assert_eq!(of(OUTSIDE).ended, Some(EndReason::Translated));
        check_programs(&mut ledger, &[("p7", 600)]);
        let history = ledger.view(None).history.history();
        let series = history.series(Duration::ZERO, Duration::from_secs(3_600), 60);
        let all = series
            .lines
            .iter()
            .map(|line| line.total.sent.bytes + line.total.received.bytes);
        assert_eq!(all.sum::<u64>(), 600, "{before}: {series:?}");
    }
}

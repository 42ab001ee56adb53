//! The addresses of the host, and the origins of packets.

use super::*;

#[test]
fn changed_addresses_apply_to_later_flows() {
    let mut table = table(10);
    let mut ended = Vec::new();
    let before = table.ingest(&udp(1, A, B), &mut ended).id;
    table.set_local_addresses(Some(["10.0.0.2".parse().unwrap()].into_iter().collect()));
    let after = table.ingest(&udp(1, "10.0.0.1:1", B), &mut ended).id;
    table.set_local_addresses(None);
    let unknown = table.ingest(&udp(1, "10.0.0.1:2", B), &mut ended).id;
    table.ingest(&udp(2, A, B), &mut ended);
    let direction = |id| table.flow(id).unwrap().direction();
    assert_eq!(direction(before), Direction::Outgoing);
    assert_eq!(direction(after), Direction::Incoming);
    assert_eq!(direction(unknown), Direction::Unknown);
}

/// Packets of one five-tuple with different origins, on the host 10.0.0.1.
#[test]
fn packets_not_sent_here_are_in_separate_flows() {
    let from = |origin, packet| Packet { origin, ..packet };
    let (ours, answer) = (udp(1, A, B), udp(1, B, A));
    let packets = [
        from(Origin::Sent, ours),
        from(Origin::Received, answer),
        from(Origin::Received, ours),
        from(Origin::OtherHost, ours),
        from(Origin::OtherHost, answer),
        from(Origin::Sent, ours),
        from(Origin::Loopback, ours),
        from(Origin::Unknown, ours),
    ];
    let mut table = table(10);
    feed(&mut table, &packets);
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    let found: Vec<_> = flows
        .iter()
        .map(|flow| {
            (
                flow.direction(),
                flow.sent().packets,
                flow.received().packets,
            )
        })
        .collect();
    let expected = [
        (Direction::Outgoing, 4, 1),
        (Direction::Spoofed, 0, 1),
        (Direction::Overheard, 0, 2),
    ];
    assert_eq!(found, expected);
    // The end with the host's address is the local one, though no process there sent it.
    assert_eq!(flows[1].local().to_string(), A);
    assert!(
        flows
            .iter()
            .all(|flow| flow.key().ends() == flows[0].key().ends())
    );
    assert_eq!(flows[1].rate(seconds(2)).sent, 0);
    assert_eq!(flows[1].rate(seconds(2)).received, 20);
}

#[test]
fn link_local_addresses_belong_to_a_device() {
    let on = |device, packet| Packet {
        device: NonZeroU32::new(device),
        ..packet
    };
    let (one, other) = ("[fe80::1]:40000", "[fe80::2]:443");
    let mut local = LocalAddresses::default();
    local.add_on("fe80::1".parse().unwrap(), NonZeroU32::new(2).unwrap());
    let mut table = FlowTable::<()>::new(TableConfig {
        local: Some(local),
        ..TableConfig::default()
    });
    let packets = [
        on(2, udp(1, one, other)),
        on(3, udp(1, one, other)),
        on(2, udp(1, other, one)),
        on(0, udp(1, one, other)),
    ];
    feed(&mut table, &packets);
    let mut flows: Vec<_> = table.iter().collect();
    flows.sort_by_key(|flow| flow.id());
    let found: Vec<_> = flows
        .iter()
        .map(|flow| {
            (
                flow.local().to_string(),
                flow.direction(),
                flow.total().packets,
            )
        })
        .collect();
    let expected = [
        ("[fe80::1%2]:40000".to_owned(), Direction::Outgoing, 2),
        // It belongs to another host, though this one has the same address on another device.
        ("[fe80::1%3]:40000".to_owned(), Direction::Forwarded, 1),
        ("[fe80::1]:40000".to_owned(), Direction::Outgoing, 1),
    ];
    assert_eq!(found, expected);
    assert_eq!(flows[0].remote().to_string(), "[fe80::2%2]:443");
    assert_eq!(flows[0].device(), NonZeroU32::new(2));
}

proptest! {
    /// A packet that arrived with this host's address, or in a frame for another host, never adds a
    /// byte to other flows, whatever its five-tuple. No packet is lost.
    #[test]
    fn classes_are_never_added_up(
        packets in proptest::collection::vec(any_packet(), 0..100),
    ) {
        let ours: std::net::IpAddr = "10.0.0.1".parse().unwrap();
        let mut table = table(1_000);
        let mut ended = Vec::new();
        let mut expected = [Counters::default(); 3];
        for packet in &packets {
            table.ingest(packet, &mut ended);
            let class = match packet.origin {
                Origin::OtherHost
                    if [packet.source, packet.destination].iter().any(|end| end.ip() == ours) =>
                {
                    2
                }
                Origin::Received if packet.source.ip() == ours => 1,
                _ => 0,
            };
            expected[class] += Counters::one(packet.wire_len, packet.payload_len);
        }
        let mut counted = [Counters::default(); 3];
        for flow in table.iter().chain(ended.iter().map(|ended| &ended.flow)) {
            let class = match flow.direction() {
                Direction::Overheard => 2,
                Direction::Spoofed => 1,
                _ => 0,
            };
            counted[class] += flow.total();
            prop_assert_eq!(flow.sent() + flow.received(), flow.total());
            prop_assert!(class == 0 || flow.sent() == Counters::default());
        }
        prop_assert_eq!(counted, expected);
    }
}

//! Which flows leave and when: after silence, and when the table is full.

use super::*;

#[test]
fn silence_ends_flows() {
    let times = Timeouts::default();
    for (packets, timeout) in [
        (vec![tcp(0, A, B, SYN, 1)], times.tcp_opening),
        (vec![tcp(0, A, B, ACK, 1)], times.tcp_established),
        (vec![tcp(0, A, B, FIN, 1)], times.tcp_closing),
        (vec![tcp(0, A, B, RST, 1)], times.tcp_over),
        (vec![udp(0, A, B)], times.udp_one_way),
        (vec![udp(0, A, B), udp(0, B, A)], times.udp),
        (
            vec![packet(0, "10.0.0.1:0", "10.0.0.2:0", Protocol::ICMP)],
            times.icmp,
        ),
        (
            vec![packet(0, "10.0.0.1:0", "10.0.0.2:0", Protocol::ESP)],
            times.other,
        ),
    ] {
        let mut table = table(10);
        feed(&mut table, &packets);
        let mut ended = Vec::new();
        table.advance(timeout.saturating_sub(Duration::from_nanos(1)), &mut ended);
        assert_eq!(ended.len(), 0, "{:?}", packets[0]);
        table.advance(timeout, &mut ended);
        assert_eq!(ended.len(), 1, "{:?}", packets[0]);
    }
}

#[test]
fn the_least_recent_flow_is_evicted_but_finished_ones_first() {
    let (c, d) = ("10.0.0.3:1", "10.0.0.4:1");
    let (_, ended) = feed(
        &mut table(2),
        &[udp(1, A, c), udp(2, A, d), udp(3, c, A), udp(4, A, B)],
    );
    assert_eq!(ended, [(1, EndReason::Evicted)]);
    let (_, ended) = feed(
        &mut table(2),
        &[udp(1, A, c), tcp(2, A, B, RST, 1), udp(3, A, d)],
    );
    assert_eq!(ended, [(1, EndReason::Evicted)]);
}

#[test]
fn extreme_times_are_harmless() {
    let at = |time| Packet {
        time,
        ..udp(0, A, B)
    };
    let mut table = table(10);
    feed(
        &mut table,
        &[at(Duration::MAX), at(Duration::ZERO), at(seconds(1))],
    );
    assert_eq!(table.statistics().backwards, 1);
    assert_eq!(table.iter().next().unwrap().total().packets, 3);
    // Time continues from where it went back to.
    let (mut ended, silence) = (Vec::new(), Timeouts::default().udp_one_way);
    table.advance(silence, &mut ended);
    assert_eq!(ended.len(), 0);
    table.advance(silence + seconds(1), &mut ended);
    assert_eq!(ended.len(), 1);
    table.advance(Duration::MAX, &mut ended);
    table.advance(Duration::ZERO, &mut ended);
}

#[test]
fn eviction_is_in_the_order_of_packets_where_time_stands_still() {
    let (c, d) = ("10.0.0.3:1", "10.0.0.4:1");
    let icmp = packet(5, "10.0.0.1:0", "10.0.0.2:0", Protocol::ICMP);
    // Different classes, and times that go back.
    let packets = [tcp(5, A, B, ACK, 1), icmp, udp(4, A, c), udp(3, A, d)];
    let (_, ended) = feed(&mut table(3), &packets);
    assert_eq!(ended, [(0, EndReason::Evicted)]);
    let again = [packets[0], icmp, udp(4, A, c), packets[0], udp(3, A, d)];
    let (_, ended) = feed(&mut table(3), &again);
    assert_eq!(ended, [(1, EndReason::Evicted)]);
}

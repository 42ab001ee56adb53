//! Cuts of flows where their owner changes.

use super::*;

#[test]
fn the_part_before_a_cut_is_another_flow() {
    let mut table = table(10);
    feed(&mut table, &[udp(1, A, B), udp(2, B, A)]);
    let sure = nth(&table, 0).unwrap().mark();
    feed(&mut table, &[udp(3, A, B)]);
    let mut ended = Vec::new();
    let id = FlowId::from_u64(0);
    let rest = table.cut(id, &sure, seconds(3), &mut ended).unwrap();
    assert_eq!(
        (ended[0].flow.id(), ended[0].reason),
        (id, EndReason::OwnerChanged)
    );
    assert_eq!(
        (ended[0].flow.total().packets, ended[0].flow.last_seen()),
        (2, seconds(2))
    );
    let live = table.flow(rest).unwrap();
    assert_eq!((live.total().packets, live.first_seen()), (1, seconds(3)));
    assert_eq!(live.rate(seconds(3)).sent, 20);
    // A cut of everything: the rest has no packets, and is not listed until one comes.
    let all = live.mark();
    let rest = table.cut(rest, &all, seconds(3), &mut ended).unwrap();
    assert_eq!((table.iter().count(), table.statistics().opened), (0, 2));
    let update = table.ingest(&udp(9, B, A), &mut ended);
    assert_eq!((update.id, update.change), (rest, Opened));
    let live = table.flow(rest).unwrap();
    // The cut keeps the initiator.
    assert_eq!(
        (live.first_seen(), live.initiator()),
        (seconds(9), A.parse().unwrap())
    );
    // Before the beginning there is nothing to cut.
    assert_eq!(
        table.cut(rest, &Mark::default(), seconds(9), &mut ended),
        None
    );
    assert_eq!(ended.len(), 2);
}

#[test]
fn a_connection_goes_on_after_a_cut() {
    let mut table = table(10);
    let (one, other) = (tcp(1, A, B, SYN, 7), tcp(1, B, A, SYN | ACK, 9));
    feed(&mut table, &[one, other, tcp(2, A, B, ACK, 8)]);
    let flow = nth(&table, 0).unwrap();
    let (id, mark) = (flow.id(), flow.mark());
    let rest = table.cut(id, &mark, seconds(2), &mut Vec::new()).unwrap();
    // Neither a repeated packet nor a late SYN opens another one.
    let (changes, ended) = feed(
        &mut table,
        &[tcp(3, A, B, ACK, 8), one, tcp(4, A, B, FIN, 8)],
    );
    assert_eq!(
        (changes, ended),
        (vec![Opened, Continued, Continued], vec![])
    );
    assert_eq!(table.flow(rest).unwrap().state(), State::Closing);
}

//! Connections that a process accepts, for itself or to pass them on.

use super::*;

/// Sends the packets of a short connection from a port. Answers its lookup with `found`, and each
/// confirmation with `answer`. Returns the number of confirmations.
fn connection(ledger: &mut TestLedger, port: u16, found: &Ownership, answer: Confirmed) -> usize {
    let begin = ms(u64::from(port) * 10);
    let tcp = |after, is_local, flags, payload_len| {
        let mut packet = packet(begin + ms(after), is_local);
        let other = if is_local {
            &mut packet.destination
        } else {
            &mut packet.source
        };
        other.set_port(port);
        // Each end sends 60 bytes between the segments that open and close.
        let sequence = [0, 0, 1, 1, 61, 61, 62][usize::try_from(after).unwrap()];
        Packet {
            protocol: Protocol::TCP,
            tcp: Some(flowner_flows::Tcp::new(flags, sequence)),
            payload_len,
            ..packet
        }
    };
    let (syn, ack, fin) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::FIN | TcpFlags::ACK);
    ledger.packet(&tcp(0, false, syn, 0));
    let waiter = ledger.asked().unwrap();
    let mut found = found.clone();
    found.evidence.observed_at = wall_clock(begin);
    ledger
        .inner
        .answer(waiter, found, false, &mut ledger.effects);
    ledger.packet(&tcp(1, true, syn | ack, 0));
    ledger.packet(&tcp(2, false, ack, 60));
    assert_eq!(ledger.confirm(Confirmed::Unknown), 0);
    ledger.packet(&tcp(3, true, ack, 60));
    let confirmed = ledger.confirm(answer);
    ledger.packet(&tcp(4, false, fin, 0));
    ledger.packet(&tcp(5, true, fin, 0));
    ledger.packet(&tcp(6, false, ack, 0));
    ledger.claims();
    confirmed
}

fn accepted(pid: u32) -> Ownership {
    let mut owner = owner(pid, pid.into(), ms(0));
    owner.evidence.matched = Some(Match::FiveTuple);
    owner
}

#[test]
fn what_the_first_connections_of_an_end_answer_shows_whether_they_are_kept() {
    let mut ledger = TestLedger::new();
    for port in 101..105 {
        let asked = connection(&mut ledger, port, &accepted(1), Confirmed::Same);
        assert_eq!(asked, 1);
    }
    // The ledger trusts the acceptor.
    assert_eq!(
        connection(&mut ledger, 105, &accepted(1), Confirmed::Same),
        0
    );
    ledger.check(&[("p1 (1)", 7); 5]);
}

#[test]
fn one_who_passes_connections_on_is_named_for_those_only_that_were_kept() {
    let mut ledger = TestLedger::new();
    // The answers about these two prove nothing yet.
    connection(&mut ledger, 101, &accepted(1), Confirmed::Unknown);
    let asked = connection(&mut ledger, 102, &owner(1, 1, ms(0)), Confirmed::Unknown);
    assert_eq!(asked, 1);
    ledger.check(&[("p1 (1)", 7), ("p1 (1)", 7)]);
    connection(&mut ledger, 103, &accepted(1), Confirmed::Changed);
    connection(&mut ledger, 104, &accepted(1), Confirmed::Unknown);
    connection(&mut ledger, 105, &accepted(2), Confirmed::Unknown);
    connection(&mut ledger, 106, &accepted(1), Confirmed::Same);
    let flows = ledger.flows();
    let of = |who: &str| flows.iter().filter(|(named, _)| named == who).count();
    assert_eq!(of(CHANGED), 4, "{flows:?}");
    assert_eq!(of("p2 (2)"), 1, "{flows:?}");
    // The SYN of the third connection, and the last connection.
    assert_eq!(of("p1 (1)"), 2, "{flows:?}");
}

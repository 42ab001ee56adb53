//! Whose capture a file is, where nobody says so. Pure.
//!
//! A host sees its own traffic: it is an end of most flows, with many others at the other
//! end. Where no address stands out like that, as in what was captured on a router or a
//! mirrored port, or where two talk to each other alone, there is no guess.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use flowner_flows::{Direction, FlowTable, Packet, TableConfig};

/// Of the flows of a family of addresses, one address must be an end of so many in a hundred.
const SHARE: usize = 66;
/// Fewer flows are no evidence of one more address.
const MIN_FLOWS: usize = 3;
/// Addresses that one host has in one family at most: a few, by privacy extensions.
const MAX_ADDRESSES: usize = 4;

/// The addresses of the host that captured these packets, IPv4 first; none where it cannot be
/// told.
pub(crate) fn infer_local_addresses(packets: impl Iterator<Item = Packet>) -> Vec<IpAddr> {
    let mut table: FlowTable = FlowTable::new(TableConfig {
        capacity: usize::MAX,
        ..TableConfig::default()
    });
    let mut ended = Vec::new();
    for packet in packets {
        table.ingest(&packet, &mut ended);
    }
    let flows = table.iter().chain(ended.iter().map(|ended| &ended.flow));
    let ends: Vec<_> = flows
        .filter(|flow| flow.direction() == Direction::Unknown)
        .map(|flow| [flow.initiator().ip(), flow.responder().ip()])
        .filter(|ends| ends.iter().all(is_a_hosts))
        .collect();
    let (v4, v6): (Vec<_>, Vec<_>) = ends.into_iter().partition(|[one, _]| one.is_ipv4());
    [v4, v6].into_iter().flat_map(of_family).collect()
}

/// Whether a host may have it for others: it is not of the host alone, nor of nobody.
fn is_a_hosts(address: &IpAddr) -> bool {
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

fn of_family(mut flows: Vec<[IpAddr; 2]>) -> Vec<IpAddr> {
    let all = flows.len();
    let mut own = Vec::new();
    // What is left after the first address may be noise.
    while own.len() < MAX_ADDRESSES
        && flows.len() >= MIN_FLOWS
        && (own.is_empty() || flows.len() * 20 >= all)
        && let Some(address) = most_frequent(&flows)
    {
        own.push(address);
        flows.retain(|ends| !ends.contains(&address));
    }
    own
}

/// What is known of an address.
#[derive(Default)]
struct Seen {
    flows: usize,
    peers: HashSet<IpAddr>,
}

/// The address that stands out as an end of most flows.
fn most_frequent(flows: &[[IpAddr; 2]]) -> Option<IpAddr> {
    let mut seen: HashMap<IpAddr, Seen> = HashMap::new();
    for [one, other] in flows {
        for (address, peer) in [(one, other), (other, one)] {
            let seen = seen.entry(*address).or_default();
            seen.flows += 1;
            seen.peers.insert(*peer);
        }
    }
    let often = seen
        .iter()
        .filter(|(_, seen)| seen.flows * 100 >= flows.len() * SHARE && seen.peers.len() > 1);
    // Of two that are as often an end, such as a host and the only server of its network, the
    // one with more peers, then the private one.
    let rank = |address: &IpAddr, seen: &Seen| (seen.flows, seen.peers.len(), is_private(*address));
    let mut often: Vec<_> = often
        .map(|(address, seen)| (rank(address, seen), *address))
        .collect();
    often.sort_unstable();
    match often[..] {
        [.., (second, _), (first, _)] if first == second => None,
        [.., (_, address)] => Some(address),
        [] => None,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        // The last are those of providers that share addresses (RFC 6598).
        IpAddr::V4(address) => {
            address.is_private()
                || address.is_link_local()
                || (address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use flowner_flows::{Origin, Protocol};

    use super::*;

    /// Flows from one end to another, one a line of `initiator responder`.
    #[track_caller]
    fn check(flows: &[(&str, &str)], expected: &[&str]) {
        let address = |text: &str, port| SocketAddr::new(text.parse().unwrap(), port);
        let packets = flows.iter().zip(40_000..).map(|((from, to), port)| Packet {
            time: Duration::from_secs(1),
            source: address(from, port),
            destination: address(to, 443),
            protocol: Protocol::UDP,
            wire_len: 100,
            payload_len: 0,
            tcp: None,
            icmp: None,
            fragment: None,
            origin: Origin::Unknown,
            device: None,
        });
        let guess: Vec<String> = infer_local_addresses(packets)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(guess, expected);
    }

    #[test]
    fn a_host_is_an_end_of_most_flows() {
        let own = "192.168.1.2";
        check(
            &[(own, "1.1.1.1"), (own, "9.9.9.9"), (own, "8.8.8.8")],
            &[own],
        );
        check(
            &[
                (own, "1.1.1.1"),
                ("9.9.9.9", own),
                (own, "8.8.8.8"),
                ("192.168.1.7", "224.0.0.251"),
                ("192.168.1.7", "192.168.1.8"),
            ],
            &[own],
        );
        // A server with a public address.
        let server = "203.0.113.5";
        check(
            &[
                ("1.1.1.1", server),
                ("9.9.9.9", server),
                ("8.8.8.8", server),
            ],
            &[server],
        );
    }

    #[test]
    fn a_host_may_have_several_addresses() {
        let (v4, v6, other) = ("10.0.0.2", "2001:db8::2", "2001:db8::77");
        check(
            &[
                (v6, "2001:db8:1::1"),
                (v4, "1.1.1.1"),
                (v6, "2001:db8:1::2"),
                (v4, "9.9.9.9"),
                (v6, "2001:db8:1::3"),
                (v6, "2001:db8:1::4"),
                (v6, "2001:db8:1::5"),
                (v6, "2001:db8:1::6"),
                (other, "2001:db8:1::3"),
                (v4, "8.8.8.8"),
                (other, "2001:db8:1::1"),
                (other, "2001:db8:1::2"),
            ],
            &[v4, v6, other],
        );
    }

    #[test]
    fn where_nobody_stands_out_there_is_no_guess() {
        check(&[], &[]);
        // Two alone, and too few.
        let two = ("10.0.0.1", "10.0.0.2");
        check(&[two; 9], &[]);
        check(&[("10.0.0.1", "1.1.1.1"), ("10.0.0.1", "9.9.9.9")], &[]);
        // A router.
        check(
            &[
                ("10.0.0.1", "1.1.1.1"),
                ("10.0.0.2", "9.9.9.9"),
                ("10.0.0.3", "8.8.8.8"),
                ("10.0.0.4", "8.8.4.4"),
            ],
            &[],
        );
        // Everybody's own.
        check(
            &[
                ("127.0.0.1", "127.0.0.2"),
                ("127.0.0.1", "127.0.0.3"),
                ("127.0.0.1", "127.0.0.4"),
            ],
            &[],
        );
    }
}

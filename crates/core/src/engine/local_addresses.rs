//! Infers the addresses of the capturing host, if the user does not give them. Pure.
//!
//! A host captures its own traffic: it is an end of most flows, with many others at the other end.
//! If no address stands out like that, as in a capture on a router or a mirror port, or between
//! only two hosts, this infers nothing.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use flowner_flows::{Direction, FlowTable, Packet, TableConfig};

/// The percentage of a family's flows of which one address must be an end.
const SHARE: usize = 66;
/// Fewer flows are no evidence for another address.
const MIN_FLOWS: usize = 3;
/// The number of addresses that one host has in one family: a few, because of privacy extensions.
const MAX_ADDRESSES: usize = 4;

/// The addresses of the host that captured these packets, IPv4 first; none if that is unclear.
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

/// Whether an address can belong to a host: not a loopback, group or unspecified address.
fn is_a_hosts(address: &IpAddr) -> bool {
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

fn of_family(mut flows: Vec<[IpAddr; 2]>) -> Vec<IpAddr> {
    let all = flows.len();
    let mut own = Vec::new();
    // After the first address, the rest may be noise.
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

/// The counters of an address.
#[derive(Default)]
struct EndOfFlows {
    flows: usize,
    peers: HashSet<IpAddr>,
}

/// The address that is an end of most flows.
fn most_frequent(flows: &[[IpAddr; 2]]) -> Option<IpAddr> {
    let mut seen: HashMap<IpAddr, EndOfFlows> = HashMap::new();
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
    // If two are equally frequent, such as a host and the only server of its network, the one with
    // more peers wins, then the private one.
    let rank =
        |address: &IpAddr, seen: &EndOfFlows| (seen.flows, seen.peers.len(), is_private(*address));
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
        // The last network is that of providers with shared addresses (RFC 6598).
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
    fn without_a_frequent_address_nothing_is_inferred() {
        check(&[], &[]);
        // Only two hosts, and too few flows.
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
        // Addresses that every host has.
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

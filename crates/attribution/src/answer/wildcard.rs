//! Decides which addresses a socket serves by its bound address. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a socket bound to an address receives packets to `address`: it is bound to that address,
/// to all addresses of its family, or to all addresses of both families (RFC 3493, 3.7).
pub(crate) fn covers(bound: IpAddr, v6_only: bool, address: IpAddr) -> bool {
    let serves_family = bound.is_ipv6() == address.is_ipv6() || (bound.is_ipv6() && !v6_only);
    bound == address || (bound.is_unspecified() && serves_family)
}

/// Every address to which a socket can be bound that [covers](covers) `address`, each once, the
/// closest one first.
pub(crate) fn covering(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let all = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let all = all.into_iter();
    let others = all.filter(move |bound| *bound != address && covers(*bound, false, address));
    std::iter::once(address).chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bound: &str, address: &str, expected: (bool, bool)) {
        let (bound, address) = (bound.parse().unwrap(), address.parse().unwrap());
        let found = [false, true].map(|v6_only| covers(bound, v6_only, address));
        assert_eq!(found, [expected.0, expected.1], "{bound} {address}");
        let is_listed = covering(address).any(|one| one == bound);
        assert_eq!(is_listed, expected.0, "{bound} {address}");
    }

    #[test]
    fn a_socket_on_all_addresses_serves_its_family_and_perhaps_the_other() {
        check("10.0.0.1", "10.0.0.1", (true, true));
        check("10.0.0.1", "10.0.0.2", (false, false));
        check("0.0.0.0", "10.0.0.1", (true, true));
        check("0.0.0.0", "::1", (false, false));
        check("::", "::1", (true, true));
        check("::", "10.0.0.1", (true, false));
        check("::", "0.0.0.0", (true, false));
        check("0.0.0.0", "::", (false, false));
        check("10.0.0.1", "0.0.0.0", (false, false));
        check("::1", "::1", (true, true));
        check("fe80::1", "::1", (false, false));
    }

    #[test]
    fn each_covering_address_is_listed_once() {
        let list = |address: &str| covering(address.parse().unwrap()).collect::<Vec<IpAddr>>();
        let parsed = |all: &[&str]| {
            all.iter()
                .map(|one| one.parse().unwrap())
                .collect::<Vec<IpAddr>>()
        };
        assert_eq!(list("10.0.0.1"), parsed(&["10.0.0.1", "0.0.0.0", "::"]));
        assert_eq!(list("0.0.0.0"), parsed(&["0.0.0.0", "::"]));
        assert_eq!(list("::1"), parsed(&["::1", "::"]));
        assert_eq!(list("::"), parsed(&["::"]));
    }
}

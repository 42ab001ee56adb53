//! The system's resolver.

use std::net::IpAddr;

/// The name that the system finds for an address. It asks hosts file, mDNS and DNS, in the order of
/// the system's settings, and may take as long as these do.
pub(super) fn name_of(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    // Without a name, the library gives the address as text, with a scope perhaps.
    let numeric = name.split('%').next().unwrap_or_default();
    let is_address = numeric.parse::<IpAddr>().is_ok();
    (!is_address).then_some(name)
}

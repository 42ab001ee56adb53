//! The multicast groups that sockets of this network namespace have joined, as `/proc/net/igmp` and
//! `/proc/net/igmp6` list them (`proc_pid_net(5)`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::proc;
use super::proc::{Proc, ReadBuffers};
use crate::answer::memberships::Memberships;

/// The number of bytes that this reads of each list.
const MAX: usize = 4 << 20;

/// The groups of the network namespace of this thread. A family is unknown if its list cannot be
/// read as a whole.
pub(crate) fn read(proc: &Proc) -> Memberships {
    let mut buffers = ReadBuffers::default();
    let mut memberships = Memberships::default();
    let mut read = |name, is_v4, parse: fn(&str) -> Vec<(u32, IpAddr)>| {
        let text = proc::read(proc.root(), name, MAX, &mut buffers);
        let text = text.ok().filter(|text| text.len() < MAX);
        if let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()) {
            memberships.add_all(is_v4, parse(text));
        }
    };
    read(c"thread-self/net/igmp", true, groups);
    read(c"thread-self/net/igmp6", false, groups6);
    memberships
}

/// A line for each device, followed by one for each group on it (`igmp_mc_seq_show` in
/// `net/ipv4/igmp.c`).
fn groups(text: &str) -> Vec<(u32, IpAddr)> {
    let mut device = None;
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split_ascii_whitespace();
        let Some(first) = fields.next() else {
            continue;
        };
        if !line.starts_with(['\t', ' ']) {
            device = first.parse::<u32>().ok();
            continue;
        }
        // A word in the byte order of memory.
        let group = u32::from_str_radix(first, 16).map(u32::to_ne_bytes);
        if let (Some(device), Ok(group)) = (device, group) {
            found.push((device, Ipv4Addr::from(group).into()));
        }
    }
    found
}

/// A line for each group on each device (`igmp6_mc_seq_show` in `net/ipv6/mcast.c`).
fn groups6(text: &str) -> Vec<(u32, IpAddr)> {
    let group = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let device = fields.next()?.parse().ok()?;
        let address = fields.nth(1).filter(|address| address.len() == 32)?;
        let address = u128::from_str_radix(address, 16).ok()?;
        Some((device, Ipv6Addr::from(address).into()))
    };
    text.lines().filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(found: &[(u32, IpAddr)]) -> Vec<(u32, String)> {
        let found = found.iter();
        found
            .map(|(device, ip)| (*device, ip.to_string()))
            .collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn groups_are_read_by_device() {
        // As observed.
        let text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                    1\tlo        :     1      V3\n\
                    \t\t\t\t010000E0     1 0:00000000\t\t0\n\
                    4\teth0      :     2      V3\n\
                    \t\t\t\tFB0000E0     1 0:00000000\t\t0\n\
                    \t\t\t\t010000E0     1 0:00000000\t\t0\n";
        let expected = [(1, "224.0.0.1"), (4, "224.0.0.251"), (4, "224.0.0.1")];
        let expected = expected.map(|(device, ip)| (device, ip.to_owned()));
        assert_eq!(all(&groups(text)), expected);
    }

    #[test]
    fn groups_of_ipv6_are_read_by_device() {
        let text = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
                    4    eth0            ff0200000000000000000000000000fb     1 00000004 0\n";
        let expected = [(1, "ff02::1"), (4, "ff02::fb")];
        let expected = expected.map(|(device, ip)| (device, ip.to_owned()));
        assert_eq!(all(&groups6(text)), expected);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[0-9A-Fa-f \t\n:]{0,200}") {
            groups(&text);
            groups6(&text);
        }
    }
}

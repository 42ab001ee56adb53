//! This host's own addresses, at the time when a packet is counted.
//!
//! A packet that contradicts them shows that they have changed: the kernel marks it as sent here,
//! but its source address is unknown, such as the first packet from a new address. Then this checks
//! the system's notifications, which costs a system call. Only if there are any, it lists the
//! devices, which costs more and has a limit.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use flowner_capture::{AddressChanges, Device, OwnAddress};
use flowner_flows::{LocalAddresses, Origin, Packet};

use super::budget::Budget;
use super::config::Config;

/// How long an address stays the host's own after its removal: packets from it may still wait to be
/// counted. A host that uses it now is not mistaken for this one, because its packets arrive.
const GRACE: Duration = Duration::from_secs(2);
/// The number of recent changes that are remembered.
const MOST_RECENT: usize = 256;

/// The addresses, with their recent changes.
#[derive(Debug)]
pub(super) struct OwnAddresses {
    local: LocalAddresses,
    changes: Option<AddressChanges>,
    is_stale: bool,
    /// Addresses that were added or removed recently, with the time when this noticed it, oldest
    /// first.
    recent: VecDeque<(OwnAddress, Instant)>,
    budget: Budget,
    readings: Readings,
}

/// Whether the last read of the addresses succeeded.
#[derive(Debug, Default)]
struct Readings {
    have_failed: bool,
    warning: Option<String>,
}

impl Readings {
    /// Records the result of a read. Warns when it changes between success and failure.
    fn observe(&mut self, result: Result<(), &str>) {
        let have_failed = result.is_err();
        if have_failed != std::mem::replace(&mut self.have_failed, have_failed) {
            self.warning = Some(match result {
                Err(error) => format!(
                    "this host's addresses cannot be read: {error}; those from before are used, \
                     and it is tried again"
                ),
                Ok(()) => "this host's addresses can be read again".to_owned(),
            });
        }
    }
}

impl OwnAddresses {
    /// The addresses from when the input was opened; they may have changed since.
    pub(super) fn new(local: LocalAddresses, now: Instant) -> Self {
        let changes = AddressChanges::watch();
        let changes = changes.inspect_err(|error| {
            tracing::debug!(%error, "changes of this host's addresses are found late");
        });
        Self {
            local,
            changes: changes.ok(),
            is_stale: true,
            recent: VecDeque::new(),
            budget: Budget::full(now),
            readings: Readings::default(),
        }
    }

    /// The warning about the last reads, once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.readings.warning.take()
    }

    /// Whether a packet is impossible if these are the host's addresses.
    pub(super) fn are_contradicted_by(&self, packet: &Packet) -> bool {
        let is_ours = |end: std::net::SocketAddr| self.local.contains_on(end.ip(), packet.device);
        match packet.origin {
            Origin::Sent => !is_ours(packet.source),
            Origin::Received => {
                let to = packet.destination;
                is_ours(packet.source) || !(is_ours(to) || self.local.is_group(to.ip()))
            }
            _ => false,
        }
    }

    /// Whether they have changed and may be read again now.
    pub(super) fn may_be_read(&mut self, now: Instant) -> bool {
        // Without notifications, this reads them once a second, like the kernel's counters.
        let changed = self.changes.as_mut().and_then(AddressChanges::take);
        self.is_stale |= changed.is_some();
        for address in changed.into_iter().flatten() {
            if self.recent.len() == MOST_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back((address, now));
        }
        self.is_stale && self.budget.has_any(now)
    }

    /// As [`may_be_read`](Self::may_be_read), called once a second. Without notifications, this
    /// reads them if flows without an own end appeared. It takes notifications in any case: flows
    /// of a removed address look like the host's own for as long as it counts as one.
    pub(super) fn are_due(&mut self, now: Instant, saw_foreign: bool) -> bool {
        let is_old = |(_, since): &(_, Instant)| now.duration_since(*since) >= GRACE;
        self.is_stale |= match &self.changes {
            Some(_) => self.recent.front().is_some_and(is_old),
            None => saw_foreign,
        };
        self.may_be_read(now)
    }

    /// Lists the devices again. If that fails, the known addresses stay, and a later call retries.
    pub(super) fn read(&mut self, config: &Config) -> Option<LocalAddresses> {
        let began = Instant::now();
        self.recent
            .retain(|(_, since)| began.duration_since(*since) < GRACE);
        // A later notification reports changes during the list.
        let local = match &mut self.changes {
            Some(changes) => changes
                .addresses()
                .map(|mut own| {
                    own.extend(self.recent.iter().map(|(address, _)| *address));
                    of_host(&own, config)
                })
                .map_err(|error| error.to_string()),
            None => flowner_capture::devices()
                .map(|devices| of_devices(&devices, config))
                .map_err(|error| error.to_string()),
        };
        self.budget.spend(began.elapsed());
        self.readings
            .observe(local.as_ref().map(|_| ()).map_err(String::as_str));
        match local {
            Ok(local) => {
                self.is_stale = false;
                self.local = local.clone();
                Some(local)
            }
            Err(error) => {
                tracing::debug!(%error, "this host's addresses could not be read again");
                None
            }
        }
    }
}

fn given_addresses(given: &Config) -> LocalAddresses {
    let mut local: LocalAddresses = given.local_addresses.iter().copied().collect();
    for network in &given.local_networks {
        local.add_network(network.address(), network.prefix());
    }
    local
}

/// Adds own addresses from a route; most routes are for the single address of a device.
fn add_network(local: &mut LocalAddresses, ip: IpAddr, prefix: u8) {
    let is_single = match ip {
        IpAddr::V4(_) => prefix >= 32,
        IpAddr::V6(_) => prefix >= 128,
    };
    if is_single {
        local.add(ip);
    } else {
        local.add_network(ip, prefix);
    }
}

/// The addresses of this host, and those from the configuration.
fn of_host(own: &[OwnAddress], given: &Config) -> LocalAddresses {
    let mut local = given_addresses(given);
    for address in own {
        if let Some(prefix) = address.network {
            add_network(&mut local, address.ip, prefix);
            continue;
        }
        match NonZeroU32::new(address.device) {
            Some(device) => local.add_on(address.ip, device),
            None => local.add(address.ip),
        }
        if let Some(broadcast) = address.broadcast {
            local.add_broadcast(broadcast);
        }
    }
    local
}

/// The addresses of devices and routes, and those from the configuration.
pub(super) fn of_this_host(devices: &[Device], config: &Config) -> LocalAddresses {
    let mut local = of_devices(devices, config);
    let own = AddressChanges::watch().and_then(|mut changes| changes.addresses());
    for address in own.into_iter().flatten() {
        if let Some(prefix) = address.network {
            add_network(&mut local, address.ip, prefix);
        }
        // The devices have it only if an address has its own.
        if let Some(broadcast) = address.broadcast {
            local.add_broadcast(broadcast);
        }
    }
    local
}

/// The addresses of devices, and those from the configuration.
pub(super) fn of_devices(devices: &[Device], given: &Config) -> LocalAddresses {
    let mut local = given_addresses(given);
    for device in devices {
        let counts =
            |ip| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback());
        let mut addresses = device.addresses.iter();
        let index = addresses
            .any(|address| counts(address.ip))
            .then(|| device.index().and_then(NonZeroU32::new))
            .flatten();
        for address in &device.addresses {
            match index {
                Some(index) => local.add_on(address.ip, index),
                None => local.add(address.ip),
            }
        }
        let broadcast = device.addresses.iter();
        for broadcast in broadcast.filter_map(|address| address.broadcast) {
            local.add_broadcast(broadcast);
        }
    }
    local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_read_cause_one_warning() {
        let mut readings = Readings::default();
        let mut after = |result| {
            readings.observe(result);
            readings.warning.take()
        };
        assert_eq!(after(Ok(())), None);
        let failed = after(Err("no memory")).unwrap();
        assert!(failed.contains("no memory"), "{failed}");
        assert_eq!(after(Err("no memory")), None);
        assert!(after(Ok(())).unwrap().contains("again"));
        assert_eq!(after(Ok(())), None);
    }
}

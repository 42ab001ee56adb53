//! This host's own addresses, as they are when a packet is counted.
//!
//! A packet that contradicts them is a sign that they have changed: one that the kernel says was
//! sent here, from an address that is nobody's here, as the first one from an address that was
//! added a moment ago. The system is then asked for its notices, which costs a system call, and
//! only if there are any for its devices, which costs more, and is bounded.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use flowner_capture::{AddressChanges, Device, OwnAddress};
use flowner_flows::{LocalAddresses, Origin, Packet};

use super::budget::Budget;
use super::config::Config;

/// An address that was removed stays the host's own for so long: packets that were sent from it
/// may still wait to be counted. A host that uses it now is not taken for this host, since what it
/// send arrives.
const GRACE: Duration = Duration::from_secs(2);
/// Those that are remembered at most.
const MOST_RECENT: usize = 256;

/// The addresses, and what is known of their changes.
#[derive(Debug)]
pub(super) struct OwnAddresses {
    local: LocalAddresses,
    changes: Option<AddressChanges>,
    is_stale: bool,
    /// Those that were added or removed lately, and when that was noticed, the oldest first.
    recent: VecDeque<(OwnAddress, Instant)>,
    budget: Budget,
    readings: Readings,
}

/// Whether the addresses could be read last.
#[derive(Debug, Default)]
struct Readings {
    have_failed: bool,
    warning: Option<String>,
}

impl Readings {
    /// Takes what came of one. A warning says it when that changes.
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
    /// Those that were read when the input was opened; they may have changed since.
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

    /// What is to be told of the last readings, once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.readings.warning.take()
    }

    /// Whether a packet cannot be what it is, if these are the host's addresses.
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
        // Where nobody tells, that is asked for once a second, as all else of the kernel.
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

    /// As [`may_be_read`](Self::may_be_read), where somebody asks once a second.
    /// What nobody tells of is looked for when flows appeared that are not this host's. Notices
    /// are taken whether or not they did: those of an address that was removed look like its own
    /// for as long as it counts as one.
    pub(super) fn are_due(&mut self, now: Instant, saw_foreign: bool) -> bool {
        let is_old = |(_, since): &(_, Instant)| now.duration_since(*since) >= GRACE;
        self.is_stale |= match &self.changes {
            Some(_) => self.recent.front().is_some_and(is_old),
            None => saw_foreign,
        };
        self.may_be_read(now)
    }

    /// Lists the devices again. Where that fails, what was known stays, and it is tried again.
    pub(super) fn read(&mut self, config: &Config) -> Option<LocalAddresses> {
        let began = Instant::now();
        self.recent
            .retain(|(_, since)| began.duration_since(*since) < GRACE);
        // What changes meanwhile is heard of later.
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

/// Adds what a route makes own addresses; most are for the single address of a device.
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

/// The addresses of this host, and those that were given.
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

/// The addresses of devices, what routes make own ones, and those that were given.
pub(super) fn of_this_host(devices: &[Device], config: &Config) -> LocalAddresses {
    let mut local = of_devices(devices, config);
    let own = AddressChanges::watch().and_then(|mut changes| changes.addresses());
    for address in own.into_iter().flatten() {
        if let Some(prefix) = address.network {
            add_network(&mut local, address.ip, prefix);
        }
        // Which the devices tell only where an address has one of its own.
        if let Some(broadcast) = address.broadcast {
            local.add_broadcast(broadcast);
        }
    }
    local
}

/// The addresses of devices, and those that were given.
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
    fn addresses_that_cannot_be_read_are_told_of_once() {
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

//! This host's own addresses, as they are when a packet is counted.
//!
//! A packet that contradicts them is a sign that they have changed: one that the kernel says was
//! sent here, from an address that is nobody's here, as the first one from an address that was
//! added a moment ago. The system is then asked for its notices, which costs a system call, and
//! only if there are any for its devices, which costs more, and is bounded.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use flowner_capture::{AddressChanges, Device};
use flowner_flows::{LocalAddresses, Origin, Packet};

use crate::config::Config;

/// The part of its time that the capturing thread may spend listing devices, and how much of that
/// it may save up: enough for a burst of changes, while a host that adds and removes addresses all
/// day, as one with many containers, pays no more than this.
const SHARE: u32 = 20;
const SAVED: Duration = Duration::from_millis(200);

/// The addresses, and what is known of their changes.
#[derive(Debug)]
pub(super) struct OwnAddresses {
    local: LocalAddresses,
    changes: Option<AddressChanges>,
    is_stale: bool,
    budget: Budget,
}

/// Time that may be spent.
#[derive(Debug)]
struct Budget {
    left: Duration,
    /// Until when that has grown.
    at: Instant,
}

impl Budget {
    fn has_any(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.left = SAVED.min(self.left + passed / SHARE);
        self.at = self.at.max(now);
        !self.left.is_zero()
    }

    /// What was spent is paid back before anything is spent again.
    fn spend(&mut self, time: Duration) {
        let debt = time.saturating_sub(self.left);
        self.left = self.left.saturating_sub(time);
        self.at += debt * SHARE;
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
            budget: Budget {
                left: SAVED,
                at: now,
            },
        }
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
        let has_changed = self.changes.as_ref().is_some_and(AddressChanges::take);
        self.is_stale |= has_changed;
        self.is_stale && self.budget.has_any(now)
    }

    /// As [`may_be_read`](Self::may_be_read), where somebody asks once a second.
    pub(super) fn are_due(&mut self, now: Instant) -> bool {
        self.is_stale |= self.changes.is_none();
        self.may_be_read(now)
    }

    /// Lists the devices again. Where that fails, what was known stays, and it is tried again.
    pub(super) fn read(&mut self, config: &Config) -> Option<LocalAddresses> {
        let began = Instant::now();
        // What changes meanwhile is heard of later.
        let devices = flowner_capture::devices();
        let local = devices.map(|devices| of_devices(&devices, config));
        self.budget.spend(began.elapsed());
        match local {
            Ok(local) => {
                self.is_stale = false;
                self.local = local.clone();
                Some(local)
            }
            Err(error) => {
                tracing::debug!(%error, "devices could not be listed again");
                None
            }
        }
    }
}

/// The addresses of devices, and those that were given.
pub(super) fn of_devices(devices: &[Device], given: &Config) -> LocalAddresses {
    let mut local: LocalAddresses = given.local_addresses.iter().copied().collect();
    for network in &given.local_networks {
        local.add_network(network.address(), network.prefix());
    }
    for device in devices {
        let is_link_local =
            |ip| matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
        let mut addresses = device.addresses.iter();
        let index = addresses
            .any(|address| is_link_local(address.ip))
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
    fn what_is_spent_is_paid_back() {
        let start = Instant::now();
        let mut budget = Budget {
            left: SAVED,
            at: start,
        };
        assert!(budget.has_any(start));
        budget.spend(Duration::from_millis(500));
        assert!(!budget.has_any(start + Duration::from_secs(5)));
        // 300 ms of debt, at a twentieth of the time.
        assert!(!budget.has_any(start + Duration::from_millis(5_999)));
        assert!(budget.has_any(start + Duration::from_millis(6_100)));
    }
}

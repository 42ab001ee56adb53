//! The namespaces that have an address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Effort, Namespace, Namespaces, Trouble};
use crate::answer::SocketQuery;
use crate::policy::freshness::NAMESPACES;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};

impl Namespaces {
    /// The namespaces that have the local address of a query, which is not our own.
    ///
    /// If several have it, this returns those that the packet's device leads to, with the devices
    /// through which the packet came. If the device leads to none of them, it returns all that have
    /// the address, but none that [cannot](Devices::may_come_from) have sent the packet. If no
    /// known namespace has the address, or the device leads to no known one, this searches for new
    /// ones with the given effort, unless it did so since the given time.
    pub(crate) fn with_address_of(
        &mut self,
        query: &SocketQuery,
        (since, effort): (Instant, Effort),
        proc: &Proc,
        buffers: &mut ReadBuffers,
    ) -> Vec<(Vec<u32>, &mut Namespace)> {
        let ip = query.local().ip();
        let device = query.device_or_scope();
        let own = self.own_addresses.as_ref();
        let own = own.map(|own| Arc::clone(&own.known().devices));
        let through = |other: &Namespace| match (&own, device) {
            (Some(own), Some(device)) => own.leads_to(device, &other.addresses.known().devices),
            _ => Vec::new(),
        };
        let leads_away = own.as_ref().zip(device);
        let leads_away = leads_away.is_some_and(|(own, device)| own.leads_away(device));
        let known = self.with_known_address(ip);
        let is_led_to = known.iter().any(|other| !through(other).is_empty());
        let is_there = !known.is_empty() && (is_led_to || !leads_away);
        // A namespace that this closed, or did not enter, may have the address as well.
        let is_whole = self.trouble.is_none() && !self.hides_some && self.searched.is_some();
        // So may a new namespace: nothing here tells two with the same address apart.
        let now = Instant::now();
        let is_recent = self.is_searched_since(now.checked_sub(NAMESPACES).unwrap_or(now));
        let is_enough = is_there && is_whole && is_recent;
        if !is_enough && !self.is_searched_since(since) {
            self.search(proc, buffers);
            if self.with_known_address(ip).is_empty() {
                self.search_threads(proc, buffers, (since, effort));
            }
        }
        let all = self
            .others
            .iter()
            .filter(|_| query.is_sender() && !is_led_to);
        let devices: Vec<_> = all
            .map(|it| Arc::clone(&it.addresses.known().devices))
            .collect();
        let may_come_from = |other: &Namespace| {
            let from = &other.addresses.known().devices;
            let all = || devices.iter().map(|one| &**one);
            (own.as_ref()).is_none_or(|own| own.may_come_from(query, from, all()))
        };
        let all = self.with_known_address(ip).into_iter();
        let all: Vec<_> = all.map(|other| (through(other), other)).collect();
        let is_led_to = all.iter().any(|(through, _)| !through.is_empty());
        let all = all.into_iter();
        all.filter(|(through, other)| !through.is_empty() || (!is_led_to && may_come_from(other)))
            .collect()
    }

    /// The known namespaces that have an address. If the addresses of one cannot be read any more,
    /// this closes it, and the next search opens it again.
    fn with_known_address(&mut self, ip: IpAddr) -> Vec<&mut Namespace> {
        let mut with = Vec::new();
        let mut failed = Vec::new();
        for (index, other) in self.others.iter_mut().enumerate() {
            match other.has_asked(ip) {
                Ok(true) => with.push(index),
                Ok(false) => {}
                Err(error) => failed.push((other.id, error)),
            }
        }
        for (id, error) in failed {
            self.forget(id);
            with.clear();
            self.trouble = Some(Trouble::new("addresses of a network namespace", &error));
        }
        let others = self.others.iter_mut().enumerate();
        let others = others.filter(|(index, _)| with.contains(index));
        others.map(|(_, other)| other).collect()
    }
}

//! The sockets of the network namespace of a known socket, and whether the address of a packet still
//! leads to that namespace.
//!
//! An address moves from one namespace to another (VRRP does that), and the sockets on its port stay
//! open in both. The device of the packet may show which of them it reaches.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::{Confirmation, Where, is_to};
use crate::answer::devices::Devices;
use crate::answer::query::{normalize, unscoped};
use crate::answer::{Match, Ownership, Protocol, SocketQuery};
use crate::tables::fast_lookup::Confirmed;
use crate::tables::linux::candidates::Candidates;
use crate::tables::linux::namespaces::{self, Namespace, Namespaces};
use crate::tables::linux::netlink::message::DiagSocket;
use crate::tables::linux::sockets;

impl Confirmation<'_> {
    /// The result if a packet of the query may belong to a socket of another namespace by now.
    /// `local` is the local end of the known socket.
    pub(super) fn moved(
        &mut self,
        query: &SocketQuery,
        place: &Where,
        (local, known): (Option<SocketAddr>, &Ownership),
    ) -> io::Result<Option<Confirmed>> {
        let Some(is_own) = self.lookup.is_own(query) else {
            return Ok(Some(Confirmed::Unanswered));
        };
        let changed = Ok(Some(Confirmed::Changed));
        match place {
            Where::Here if is_own => return Ok(None),
            // Only a socket on exactly this address stands in for another host.
            Where::Here => {
                let ip = |end: SocketAddr| unscoped(normalize(end)).ip();
                if local.is_some_and(|local| ip(local) != ip(query.local())) {
                    return changed;
                }
            }
            Where::There(_) | Where::Closed if is_own => return changed,
            Where::There(other) => {
                if !namespaces::lock(other).has_asked(query.local().ip())? {
                    return changed;
                }
            }
            Where::Closed => {}
        }
        let has_rival = self.has_rival_elsewhere(query, place, known)?
            || (!matches!(place, Where::Here) && self.has_rival_standing_in(query, known)?);
        Ok(has_rival.then_some(Confirmed::Changed))
    }

    /// Whether another namespace has the address, and a socket that the packet may reach.
    fn has_rival_elsewhere(
        &mut self,
        query: &SocketQuery,
        place: &Where,
        known: &Ownership,
    ) -> io::Result<bool> {
        let is_led_here = match place {
            Where::There(other) => !self
                .through(query, &namespaces::lock(other).addresses.known().devices)
                .is_empty(),
            Where::Here | Where::Closed => false,
        };
        let is_known = |other: &Arc<Mutex<Namespace>>| match place {
            Where::There(known) => Arc::ptr_eq(known, other),
            Where::Here => false,
            Where::Closed => {
                let namespace = known.evidence.namespace.as_ref();
                namespace.is_some_and(|it| it.id == namespaces::lock(other).public.id)
            }
        };
        let others = namespaces::lock(&self.lookup.others).clone();
        for other in others.into_iter().filter(|other| !is_known(other)) {
            let mut other = namespaces::lock(&other);
            if !other.has_asked(query.local().ip()).unwrap_or(false) {
                continue;
            }
            let devices = Arc::clone(&other.addresses.known().devices);
            let through = self.through(query, &devices);
            match (is_led_here, through.is_empty()) {
                // The device decides.
                (true, true) => continue,
                (false, false) if matches!(place, Where::There(_)) => return Ok(true),
                _ => {}
            }
            let reach = devices.reach_through(query, &through);
            let found = sockets::quick(&mut other.sockets, query, &reach)?;
            if self.is_rival(query, found, known) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a socket of our own namespace stands in for the address.
    pub(super) fn has_rival_standing_in(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
    ) -> io::Result<bool> {
        let reach = self.lookup.reach(query);
        let found = sockets::standing_in(&mut self.lookup.sockets, query, &reach)?;
        Ok(self.is_rival(query, found, known))
    }

    /// Whether one of these sockets may have the packets, and other processes than the named ones
    /// hold it.
    fn is_rival(&mut self, query: &SocketQuery, found: Candidates, known: &Ownership) -> bool {
        match found {
            Candidates::None => false,
            // A listener is none of a connection that exists.
            Candidates::Open(matched, _)
                if query.protocol() == Protocol::Tcp && matched != Match::FiveTuple =>
            {
                false
            }
            Candidates::Open(_, sockets) => {
                let mut sockets = sockets.iter();
                sockets.any(|socket| !self.do_all_hold(known, socket.inode))
            }
            Candidates::Closed(_) => query.protocol() == Protocol::Tcp,
        }
    }

    /// The sockets that the kernel finds for these ends: in another namespace, one for each device
    /// through which a packet can have arrived there.
    pub(super) fn exact_in(
        &mut self,
        place: &Where,
        query: &SocketQuery,
        remote: SocketAddr,
    ) -> io::Result<Vec<DiagSocket>> {
        let (protocol, local) = (query.protocol(), query.local());
        match place {
            Where::There(other) => self.found_there(other, query),
            Where::Here | Where::Closed => {
                let device = query.device_or_scope().unwrap_or_default();
                let sockets = &mut self.lookup.sockets;
                let found = sockets.exact_on(device, protocol, local, remote)?;
                Ok(found.into_iter().collect())
            }
        }
    }

    /// As [`exact_in`](Self::exact_in): the connection, if there is one.
    pub(super) fn connection_in(
        &mut self,
        place: &Where,
        query: &SocketQuery,
        remote: SocketAddr,
    ) -> io::Result<Option<DiagSocket>> {
        let found = self.exact_in(place, query, remote)?;
        let mut connections = found.iter().filter(|found| is_to(found, remote));
        Ok(connections.next().or(found.first()).copied())
    }

    /// The sockets that wait for peers on the port of a query.
    pub(super) fn waiting_in(
        &mut self,
        place: &Where,
        query: &SocketQuery,
    ) -> io::Result<Vec<DiagSocket>> {
        let (protocol, port) = (query.protocol(), query.local().port());
        match place {
            Where::There(other) => namespaces::lock(other)
                .sockets
                .waiting(protocol, port, None),
            Where::Here | Where::Closed => self.lookup.sockets.waiting(protocol, port, None),
        }
    }

    /// The sockets that the kernel finds in another namespace for packets of the query: on the
    /// devices that the packet's device leads to, or on any.
    fn found_there(
        &self,
        other: &Mutex<Namespace>,
        query: &SocketQuery,
    ) -> io::Result<Vec<DiagSocket>> {
        let mut other = namespaces::lock(other);
        let devices = Arc::clone(&other.addresses.known().devices);
        let reach = devices.reach_through(query, &self.through(query, &devices));
        sockets::found_by_kernel(&mut other.sockets, query, &reach, false)
    }

    /// The devices of another namespace to which the packet's device leads.
    fn through(&self, query: &SocketQuery, other: &Devices) -> Vec<u32> {
        let namespaces = self.lookup.namespaces.as_ref();
        let devices = namespaces.and_then(Namespaces::own_devices);
        match (devices, query.device_or_scope()) {
            (Some(own), Some(device)) => own.leads_to(device, other),
            _ => Vec::new(),
        }
    }
}

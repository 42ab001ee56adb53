//! All sockets of a host at one time, and the search among them.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;

use super::devices::Devices;
use super::matching::{self, Finding, Fitting};
use super::ownership::{Evidence, Match, Ownership, Source, Verdict};
use super::port_owners::PortOwners;
use super::query::{Protocol, SocketQuery, normalize, scoped};
use super::reason::Reason;
use super::socket::{Socket, SocketState};
use super::surroundings::{Original, Place, Surroundings, Translations};
use super::translated::TranslatedFrom;

/// All sockets with their owners, read between two points in time.
#[derive(Debug, Clone)]
pub struct Snapshot {
    source: Source,
    started_at: SystemTime,
    finished_at: SystemTime,
    /// Sorted by protocol and local port, then by [`order`].
    sockets: Vec<Socket>,
    /// `None` if the table reads none of it.
    surroundings: Option<Arc<Surroundings>>,
    translations: Arc<Translations>,
}

impl Snapshot {
    /// The sockets that a table read between two wall-clock times, in any order and with addresses as
    /// the system gives them. This normalises the addresses and sorts the sockets.
    pub fn new(
        source: Source,
        started_at: SystemTime,
        finished_at: SystemTime,
        mut sockets: Vec<Socket>,
    ) -> Self {
        for socket in &mut sockets {
            let scoped = |end| scoped(normalize(end), socket.device);
            (socket.local, socket.remote) = (scoped(socket.local), socket.remote.map(scoped));
        }
        Self::of_normalized(source, started_at, finished_at, sockets)
    }

    /// As [`new`](Self::new), for sockets with normalised addresses.
    pub(crate) fn of_normalized(
        source: Source,
        started_at: SystemTime,
        finished_at: SystemTime,
        mut sockets: Vec<Socket>,
    ) -> Self {
        sort(&mut sockets);
        Self {
            source,
            started_at,
            finished_at,
            sockets,
            surroundings: None,
            translations: Arc::default(),
        }
    }

    /// The same, with facts about the host.
    pub(crate) fn within(self, surroundings: Option<Surroundings>) -> Self {
        Self {
            surroundings: surroundings.map(Arc::new),
            ..self
        }
    }

    /// The devices of the host, as far as the table knows them.
    pub(crate) fn devices(&self) -> Arc<Devices> {
        let surroundings = self.surroundings.as_ref();
        surroundings.map_or_else(Arc::default, |it| Arc::clone(&it.own.devices))
    }

    /// Every socket, by protocol, local port, local and remote address.
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// Every socket, in the same order.
    pub fn iter(&self) -> std::slice::Iter<'_, Socket> {
        self.sockets.iter()
    }

    /// The processes that use a port, on any address: each one that listens on it, is bound to it, or
    /// receives datagrams on it. TCP connections do not count, because those of a server have the port
    /// of its listener. If this snapshot has sockets of other network namespaces, they count, too. For
    /// [`Protocol::Raw`], the port is the number of the protocol.
    pub fn port_owners(&self, protocol: Protocol, port: u16) -> PortOwners {
        let on_port = self.on_port(protocol, port).iter();
        PortOwners::of(on_port.filter(|socket| socket.occupies_port()).cloned())
    }

    /// The sockets that receive from any remote end; see [`Socket::is_listener`].
    pub fn listeners(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.is_listener())
    }

    /// The sockets that a process holds, alone or with others.
    pub fn held_by(&self, pid: u32) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(move |socket| {
            let mut processes = socket.owner.processes().iter();
            processes.any(|process| process.pid == pid)
        })
    }

    /// Wall-clock time before the first socket was read.
    pub const fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Wall-clock time after the last socket was read.
    pub const fn finished_at(&self) -> SystemTime {
        self.finished_at
    }

    /// The table that read it.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Answers one query from this snapshot, by the rules of [matching](crate#matching). If the
    /// snapshot has the sockets of all namespaces, the answer equals a lookup at that time, with
    /// one exception: where only the kernel's own lookup decides among several sockets, the
    /// snapshot names all of their owners.
    ///
    /// A query about an address that is not this host's own is about the namespaces that have it, if
    /// the table [knows](crate::Capabilities::local_addresses) them. Otherwise, only sockets of other
    /// namespaces with exactly this address match, and none with a loopback address.
    ///
    /// On Linux, the snapshot attributes packets that the host translated at that time to the
    /// socket with their original ends ([`Evidence::translated_from`]), in its own network
    /// namespace. The portable table gives [`Reason::Translated`] for those with other original
    /// ends. If this process may not read the translations, or there are too many to list, a socket
    /// that matches only by its port is no answer ([`Reason::MayBeTranslated`]).
    pub fn find(&self, query: &SocketQuery) -> Ownership {
        self.find_among(query, |_| true)
    }

    /// As [`find`](Self::find), but only among sockets with a connection. If the table does not
    /// know remote ends, it may be another connection.
    pub(crate) fn find_connected(&self, query: &SocketQuery) -> Ownership {
        self.find_among(query, Socket::is_connection)
    }

    /// As [`find`](Self::find), for a connection that a listener may have accepted. The answer also
    /// names the owner of the listener, because the table does not show which of its connections it
    /// is.
    pub(crate) fn find_accepted(&self, query: &SocketQuery) -> Ownership {
        let any = self.find(query);
        let is_listener = |socket: &Socket| socket.state == Some(SocketState::Listen);
        let listening = self.find_among(query, is_listener);
        if !any.verdict.is_named() || matches!(listening.verdict, Verdict::Unknown(_)) {
            return any;
        }
        let verdict = matching::merge(&[&any.verdict, &listening.verdict]);
        Ownership { verdict, ..any }
    }

    /// As [`find`](Self::find), but only among unconnected sockets.
    pub(crate) fn find_waiting(&self, query: &SocketQuery) -> Ownership {
        self.find_among(query, |socket| socket.remote.is_none())
    }

    fn find_among(&self, query: &SocketQuery, counts: impl Fn(&Socket) -> bool) -> Ownership {
        // Only a table that reads no other network namespace gets here.
        let hidden = self.translations.of(query);
        if hidden != Original::Same {
            let mut answer = self.answer(Reason::Translated, None);
            if let Original::Ends(from) = hidden {
                answer.evidence.translated_from = Some(Box::new(from));
            }
            return answer;
        }
        let Fit {
            found,
            reason,
            translated_from,
        } = self.fitting(query, counts);
        let found = found.iter().map(Finding::of);
        let found = found.reduce(|one, other| one.or(&other));
        let matched = found.as_ref().map(|found| found.matched);
        let why_not = |matched| self.translations.why_not(query, matched);
        let why_not = matched.and_then(why_not);
        let why_not = why_not.or_else(|| matching::beyond_sockets(query, matched));
        let mut answer = match why_not {
            Some(reason) => self.answer(reason, None),
            None => self.answer(reason, found),
        };
        answer.evidence.translated_from = translated_from.map(Box::new);
        answer
    }

    /// The sockets behind the answer of [`find`](Self::find): all that match the query best, equally
    /// well. If the query may be about several namespaces, the best of each.
    pub fn sockets_of(&self, query: &SocketQuery) -> Vec<&Socket> {
        let found = self.fitting(query, |_| true).found.into_iter();
        found.flat_map(|found| found.sockets).collect()
    }

    /// The sockets that match best, by their original ends.
    fn fitting(&self, query: &SocketQuery, counts: impl Fn(&Socket) -> bool) -> Fit<'_> {
        let around = self.surroundings.as_ref();
        let hidden = around.map_or(Original::Same, |around| around.translations.of(query));
        if hidden == Original::Same {
            return self.fitting_ends(query, counts);
        }
        let translated = |from: TranslatedFrom| {
            let fit = self.fitting_ends(&query.translated(from), &counts);
            let reason = match fit.reason {
                // Behind this host is another host or a virtual machine.
                Reason::Forwarded => Reason::Translated,
                reason => reason,
            };
            let translated_from = Some(from);
            Fit {
                reason,
                translated_from,
                ..fit
            }
        };
        let translated = match hidden {
            Original::Ends(from) => translated(from),
            Original::Same | Original::Several => Fit::nothing(Reason::Translated),
        };
        if around.is_some_and(|around| around.own.is_own(query)) {
            return translated;
        }
        // A capture may read the packets before the host translates them, and the end may belong to
        // another host.
        let fit = self.fitting_ends(query, &counts);
        let is_neither = fit.found.is_empty() && translated.found.is_empty();
        if fit.is_connection() || is_neither {
            fit
        } else {
            translated
        }
    }

    /// The sockets with these ends that match best, in each candidate namespace, and the reason if
    /// there are none.
    fn fitting_ends(&self, query: &SocketQuery, counts: impl Fn(&Socket) -> bool) -> Fit<'_> {
        let sockets = || self.candidates(query).filter(|one| counts(one));
        let of_one = |found: Option<_>| Fit::new(found.into_iter().collect(), Reason::NotFound);
        let Some(around) = &self.surroundings else {
            let reach = Devices::default().reach(query);
            let sockets = sockets().filter(|socket| matching::is_reached(query, socket));
            return of_one(matching::best_sockets(query, &reach, sockets));
        };
        let reach = around.own.devices.reach(query);
        let own = || sockets().filter(|socket| socket.namespace.is_none());
        if around.own.is_own(query) {
            let found = matching::best_sockets(query, &reach, own());
            let matched = found.as_ref().map(|found| found.matched);
            let why_not = |matched| around.translations.why_not(query, matched);
            return match matched.and_then(why_not) {
                Some(reason) => Fit::nothing(reason),
                None => of_one(found),
            };
        }
        // A proxy may have such a socket, which stands in for another host.
        let is_held = |socket: &&Socket| socket.owner != Verdict::Unknown(Reason::Gone);
        let is_connected = query.protocol() == Protocol::Tcp && query.remote().is_some();
        let ours = own().filter(|socket| is_connected && socket.remote.is_some());
        let ours = matching::best_sockets(query, &reach, ours.filter(is_held));
        if ours.is_some() {
            return of_one(ours);
        }
        let ip = query.local().ip();
        // A socket may be bound to an address that no device has (`IP_FREEBIND`).
        let bound = own().filter(|socket| socket.local.ip() == ip);
        let bound = matching::best_sockets(query, &reach, bound.filter(is_held));
        let others = around.others.iter();
        let others = others.filter(|(_, place)| place.has(ip));
        let leads_to = |place: &Place| match query.device_or_scope() {
            Some(device) => around.own.devices.leads_to(device, &place.devices),
            None => Vec::new(),
        };
        let others: Vec<_> = others.map(|(id, it)| (id, it, leads_to(it))).collect();
        let may_come_from = |place: &Place| {
            let all = around.others.iter().map(|(_, other)| &*other.devices);
            let own = &around.own.devices;
            own.may_come_from(query, &place.devices, all)
        };
        let is_there = !others.is_empty();
        // The namespaces to which the packet's device leads; all of them if it leads to none.
        let is_any_led_to = others.iter().any(|(.., through)| !through.is_empty());
        let others = others.into_iter();
        let others = others.filter(|(_, place, through)| {
            !through.is_empty() || (!is_any_led_to && may_come_from(place))
        });
        let found = others.filter_map(|(id, place, through)| {
            let is_in_it = |socket: &&Socket| {
                let namespace = socket.namespace.as_ref();
                namespace.is_some_and(|namespace| namespace.id == *id)
            };
            let reach = place.devices.reach_through(query, &through);
            matching::best_sockets(query, &reach, sockets().filter(is_in_it))
        });
        let reason = if is_there {
            Reason::NotFound
        } else {
            around.why_nobody(ip)
        };
        Fit::new(bound.into_iter().chain(found).collect(), reason)
    }

    /// The answer, or the reason why there is none.
    fn answer(&self, reason: Reason, found: Option<Finding>) -> Ownership {
        let (verdict, matched, namespace, socket) = match found {
            Some(Finding {
                matched,
                verdict,
                namespace,
                socket,
            }) => (verdict, Some(matched), namespace, socket),
            None => (Verdict::Unknown(reason), None, None, None),
        };
        Ownership {
            verdict,
            evidence: Evidence {
                matched,
                observed_at: self.started_at,
                source: self.source,
                namespace,
                socket,
                found_by: Some(self.finished_at),
                translated_from: None,
            },
        }
    }

    /// The sockets with the protocol and local port of a query.
    fn candidates(&self, query: &SocketQuery) -> impl Iterator<Item = &Socket> {
        /// `IPPROTO_RAW` (raw(7)): a socket that only sends, any protocol.
        const SENDS_ONLY: u16 = 255;
        let (protocol, port) = (query.protocol(), query.local().port());
        let raw = match protocol {
            Protocol::Icmp | Protocol::Raw => query.of_raw_sockets(),
            _ => None,
        };
        let raw = raw.map_or(&[][..], |raw| {
            self.on_port(Protocol::Raw, raw.local().port())
        });
        let is_any = matches!(protocol, Protocol::Icmp | Protocol::Raw) && port != SENDS_ONLY;
        let any = if is_any {
            self.on_port(Protocol::Raw, SENDS_ONLY)
        } else {
            &[]
        };
        let own = if protocol == Protocol::Raw {
            &[]
        } else {
            self.on_port(protocol, port)
        };
        own.iter().chain(raw).chain(any)
    }

    fn on_port(&self, protocol: Protocol, port: u16) -> &[Socket] {
        let wanted = (protocol, port);
        let key = |socket: &Socket| (socket.protocol, socket.local.port());
        let start = self.sockets.partition_point(|socket| key(socket) < wanted);
        let rest = &self.sockets[start..];
        &rest[..rest.partition_point(|socket| key(socket) == wanted)]
    }
}

/// Every socket, as [`Snapshot::sockets`] lists them.
impl<'a> IntoIterator for &'a Snapshot {
    type Item = &'a Socket;
    type IntoIter = std::slice::Iter<'a, Socket>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Snapshot {
    type Item = Socket;
    type IntoIter = std::vec::IntoIter<Socket>;

    fn into_iter(self) -> Self::IntoIter {
        self.sockets.into_iter()
    }
}

/// For the portable table.
#[cfg(any(feature = "portable", not(target_os = "linux")))]
impl Snapshot {
    /// The same, with facts about the translations of the host.
    pub(crate) fn translating(self, translations: Translations) -> Self {
        Self {
            translations: Arc::new(translations),
            ..self
        }
    }
}

/// A total order, so that the same sockets always have the same order.
fn order(one: &Socket, other: &Socket) -> Ordering {
    let rest = |socket: &Socket| {
        let owner = socket.owner.processes().first();
        let owner = owner.map(|process| process.id());
        let namespace = socket.namespace.as_ref().map(|namespace| namespace.id);
        let identity = (socket.device, socket.id);
        (namespace, socket.remote, identity, socket.state, owner)
    };
    // Most ports differ; this compares the rest only if they are equal.
    let port = |socket: &Socket| (socket.protocol, socket.local.port());
    let by_port = port(one).cmp(&port(other));
    let by_address = || one.local.ip().cmp(&other.local.ip());
    by_port
        .then_with(by_address)
        .then_with(|| rest(one).cmp(&rest(other)))
}

/// Sorts by [`order`]. Sockets are large, so in a list that is already sorted by protocol and port
/// this only sorts the sockets with the same port.
/// The sockets that match a query.
struct Fit<'a> {
    /// The best matches in each candidate namespace.
    found: Vec<Fitting<'a>>,
    /// Why there are no matches, if there are none.
    reason: Reason,
    /// The original ends, if the host translates the packets of the query.
    translated_from: Option<TranslatedFrom>,
}

impl<'a> Fit<'a> {
    const fn new(found: Vec<Fitting<'a>>, reason: Reason) -> Self {
        Self {
            found,
            reason,
            translated_from: None,
        }
    }

    const fn nothing(reason: Reason) -> Self {
        Self::new(Vec::new(), reason)
    }

    fn is_connection(&self) -> bool {
        let is_one = |found: &Fitting<'_>| found.matched == Match::FiveTuple;
        !self.found.is_empty() && self.found.iter().all(is_one)
    }
}

fn sort(sockets: &mut [Socket]) {
    let port = |socket: &Socket| (socket.protocol, socket.local.port());
    if !sockets.is_sorted_by_key(port) {
        sockets.sort_unstable_by(order);
        return;
    }
    for on_port in sockets.chunk_by_mut(|one, other| port(one) == port(other)) {
        on_port.sort_unstable_by(order);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::answer::process::{NetworkNamespace, Process};

    prop_compose! {
        fn socket()(
            protocol in proptest::sample::select(&Protocol::ALL[..]),
            local in ends(),
            remote in proptest::option::of(ends()),
            pid in 0_u32..3,
            inode in proptest::option::of(0_u64..2),
        ) -> Socket {
            let namespace = inode.map(|id| Arc::new(NetworkNamespace::new(id, None)));
            let owner = Verdict::Process(Arc::new(Process::new(pid, "p")));
            let state = Some(SocketState::Established);
            Socket { remote, state, namespace, ..Socket::new(protocol, local, owner) }
        }
    }

    /// Few distinct values, so that many ends are partly equal.
    fn ends() -> impl Strategy<Value = SocketAddr> {
        const ADDRESSES: [&str; 6] = ["0.0.0.0", "127.0.0.1", "255.0.0.2", "::", "::1", "fe80::1"];
        let address = proptest::sample::select(&ADDRESSES[..]);
        let port = proptest::sample::select(&[0, 1, 443, u16::MAX][..]);
        (address, port).prop_map(|(address, port)| SocketAddr::new(address.parse().unwrap(), port))
    }

    proptest! {
        #[test]
        fn all_are_listed_in_order(sockets in proptest::collection::vec(socket(), 0..60)) {
            let mut by_port = sockets.clone();
            by_port.sort_by_key(|socket| (socket.protocol, socket.local.port()));
            let mut expected = sockets.clone();
            expected.sort_by(order);
            let now = SystemTime::now();
            for listed in [sockets, by_port] {
                let snapshot = Snapshot::new(Source::Scripted, now, now, listed);
                prop_assert_eq!(snapshot.sockets(), &expected[..]);
            }
        }
    }
}

//! Whether this host translates the addresses of a packet, according to conntrack.
//!
//! A socket that is bound to a port gets no packets that the host translates to another host, nor
//! those that another host sends behind an address of ours. Only conntrack distinguishes those
//! packets from the socket's own (`nfnetlink_conntrack.h`, `nf_conntrack-sysctl.rst`).

mod message;
mod rules;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use message::{Connection, NEW, Tuple, request, request_all};
#[cfg(feature = "fuzzing")]
pub(crate) use message::{answers, listed};
use rules::Rules;

use super::exchange::{Answer, Location, Netlink, Part};
use super::frame::Malformed;
use crate::answer::query::unscoped;
use crate::answer::surroundings::Translations;
use crate::answer::{Protocol, SocketQuery, TranslatedFrom};
use crate::policy::freshness::{UNTRACKED, ZONES, ZONES_OF_SAME_ENDS};

/// The number of connections in this network namespace: 0 if conntrack tracks nothing.
const COUNT: &str = "sys/net/netfilter/nf_conntrack_count";
/// The list, where the kernel has it (`CONFIG_NF_CONNTRACK_PROCFS`).
const LIST: &str = "net/nf_conntrack";
/// Whether this network namespace is a router (`ip-sysctl.rst`).
const FORWARDS_V4: &str = "sys/net/ipv4/ip_forward";
const FORWARDS_V6: &str = "sys/net/ipv6/conf/all/forwarding";

/// The number of connections up to which this lists all to find their zones. (For a list, the
/// kernel visits its whole table, some 10 ms if it has 262,144 buckets.)
const MOST_LISTED: u64 = 16_384;
/// The number of zones that this requests for each query.
const MOST_ZONES: usize = 8;

/// What conntrack knows about the packets between two ends, one of which is an address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Translation {
    /// Conntrack tracks nothing on this host, or does not translate these packets.
    None,
    /// The packets are translated: the socket has these original ends.
    From(TranslatedFrom),
    /// The packets are translated, in two zones to different ends. It is unknown which of them
    /// applies.
    Several,
    /// Conntrack has no entry for them.
    NotSeen,
    /// This host translates, and this process may not query conntrack.
    NotTold,
    /// Only the list of all connections shows it, and this thread has no time to read that.
    NotNow,
}

impl Translation {
    /// This knowledge, together with another connection of the same ends.
    fn and(self, other: Option<TranslatedFrom>) -> Self {
        let other = other.map_or(Self::None, Self::From);
        match self {
            Self::NotSeen => other,
            this if this == other => this,
            _ => Self::Several,
        }
    }
}

/// How the lookup found a socket that may not be the packet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Nothing,
    /// By its port.
    Port,
    /// It has both ends of the packets. A host behind an address of ours may have used the same
    /// ends first; then the kernel gives the packets of this socket another port on their way.
    Connection,
}

/// How far to search beyond the exact request, which takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// Not at all.
    Exact,
    /// Not at all, but return [`NotNow`](Translation::NotNow) for connections that may be in an
    /// unknown zone.
    Known,
    Whole,
}

/// How this process can read translations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Conntrack tracks nothing.
    Nothing,
    Asked,
    /// From its list in `/proc`.
    Listed,
    Denied,
}

/// Queries conntrack of this network namespace.
#[derive(Debug)]
pub(crate) struct Conntrack {
    proc: PathBuf,
    count: Option<File>,
    /// Until when conntrack counts as tracking nothing.
    untracked_until: Option<Instant>,
    /// Opened at the first use, because that loads a kernel module.
    netlink: Option<Netlink>,
    /// Whether the kernel refused the request.
    is_denied: bool,
    rules: Rules,
    /// Whether this thread has time to list all connections: some 10 ms.
    may_list: bool,
    /// The zones with connections, and the time of the last search for them.
    zones: Arc<Mutex<Zones>>,
}

#[derive(Debug, Default)]
struct Zones {
    seen: Vec<u16>,
    looked_for: Option<Instant>,
}

impl Conntrack {
    /// Reads `/proc` at this path.
    pub(crate) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            count: None,
            untracked_until: None,
            netlink: None,
            is_denied: false,
            rules: Rules::default(),
            may_list: true,
            zones: Arc::default(),
        }
    }

    /// A second one for a thread that has no time to list all connections: it uses the zones that
    /// the first one finds.
    pub(crate) fn another(&self) -> Self {
        Self {
            may_list: false,
            zones: Arc::clone(&self.zones),
            ..Self::new(&self.proc)
        }
    }

    /// What conntrack knows about the packets of a query, if it has two ends.
    pub(crate) fn translation(
        &mut self,
        query: &SocketQuery,
        fit: Fit,
        search: Search,
    ) -> Translation {
        let Some(remote) = query.remote() else {
            return Translation::None;
        };
        let local = query.local();
        let is_within = local.ip().is_loopback() && remote.ip().is_loopback();
        let same_family = local.is_ipv4() == remote.is_ipv4();
        // The id of echo requests stands in place of a port.
        let has_ports = query.protocol().has_ports() || query.protocol() == Protocol::Icmp;
        if is_within || !same_family || !has_ports {
            return Translation::None;
        }
        let now = Instant::now();
        let ends = (query.protocol(), unscoped(local), unscoped(remote));
        match fit {
            Fit::Nothing if !self.may_be_translated(now) => Translation::None,
            // If this host is no router, no other host is behind its addresses.
            Fit::Nothing => match self.told(ends, search, now) {
                Translation::NotTold if self.is_denied && !self.forwards(local) => {
                    Translation::None
                }
                told => told,
            },
            Fit::Port if self.tracked() == 0 => Translation::None,
            Fit::Port => self.told(ends, search, now),
            Fit::Connection if !self.may_translate(now) => Translation::None,
            // A process that may not query conntrack would name no owner: nearly always it is that
            // socket.
            Fit::Connection => match self.told(ends, search, now) {
                Translation::NotTold => Translation::None,
                Translation::NotNow if self.is_denied => Translation::None,
                told => told,
            },
        }
    }

    /// Tests how this process can read translations.
    pub(crate) fn access(&mut self) -> Access {
        if self.tracked() == 0 {
            return Access::Nothing;
        }
        // A request for a connection that does not exist.
        let end = SocketAddr::from(([127, 0, 0, 1], 9));
        let tuple = Tuple {
            protocol: Protocol::Udp,
            from: end,
            to: end,
        };
        match self.find(&tuple, 0) {
            Ok(_) if self.is_denied => Access::Listed,
            Ok(_) => Access::Asked,
            Err(_) => Access::Denied,
        }
    }

    /// The packets of this network namespace whose original ends differ.
    pub(crate) fn translations(&mut self) -> Translations {
        if self.tracked() == 0 || !(self.is_denied || self.do_rules_translate(Instant::now())) {
            return Translations::default();
        }
        let mut all = Vec::new();
        let take = |connection: Connection| {
            let protocol = connection.original.protocol;
            let ends = connection.received().into_iter();
            all.extend(ends.map(|((local, remote), from)| ((protocol, local, remote), from)));
        };
        match self.list(take) {
            Ok(true) => Translations::of_all(&all),
            Ok(false) => Translations::unknown(),
            Err(error) => {
                tracing::debug!(%error, "conntrack could not be listed");
                Translations::unknown()
            }
        }
    }

    /// Whether this process may query conntrack and the host may translate. Caches for a moment
    /// that it does not.
    /// moment that nothing is.
    fn may_translate(&mut self, now: Instant) -> bool {
        !self.is_denied && self.may_be_translated(now)
    }

    fn may_be_translated(&mut self, now: Instant) -> bool {
        if self.untracked_until.is_some_and(|until| now < until) {
            return false;
        }
        if self.tracked() == 0 {
            self.untracked_until = Some(now + UNTRACKED);
            return false;
        }
        self.is_denied || self.do_rules_translate(now)
    }

    /// Whether this host forwards packets of an end's family.
    fn forwards(&self, end: SocketAddr) -> bool {
        let file = if end.is_ipv4() {
            FORWARDS_V4
        } else {
            FORWARDS_V6
        };
        let read = std::fs::read(self.proc.join(file));
        // If the setting cannot be read, it may be on.
        read.map_or(true, |text| text.trim_ascii() != b"0")
    }

    fn do_rules_translate(&mut self, now: Instant) -> bool {
        if let Err(error) = self.open() {
            tracing::debug!(%error, "could not read the rules");
        }
        let netlink = self.netlink.as_mut();
        netlink.is_none_or(|netlink| self.rules.translate(&self.proc, netlink, now))
    }

    /// The number of connections in conntrack; more than can be listed if that is unknown.
    fn tracked(&mut self) -> u64 {
        // The file exists when the module is loaded.
        if self.count.is_none() {
            self.count = File::open(self.proc.join(COUNT)).ok();
        }
        let Some(file) = &self.count else {
            return 0;
        };
        let mut bytes = [0; 20];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        let text = std::str::from_utf8(&bytes[..read]).unwrap_or_default();
        // If it cannot be read, there may be any number.
        text.trim_end().parse().unwrap_or(u64::MAX)
    }

    fn told(
        &mut self,
        ends: (Protocol, SocketAddr, SocketAddr),
        search: Search,
        now: Instant,
    ) -> Translation {
        let told = self.exact(ends).and_then(|told| {
            // Another connection with the same ends may be in an unknown zone.
            let is_known = match (told, search) {
                (Translation::Several | Translation::NotNow, _)
                | (_, Search::Exact)
                | (Translation::None | Translation::From(_), Search::Known) => true,
                (Translation::None | Translation::From(_), Search::Whole) => {
                    self.are_zones_known(now, ZONES_OF_SAME_ENDS)
                }
                _ => self.are_zones_known(now, ZONES),
            };
            if is_known {
                return Ok(told);
            }
            if search == Search::Known {
                return Ok(Translation::NotNow);
            }
            let not_listed = match told {
                Translation::NotSeen => Translation::NotTold,
                told => told,
            };
            Ok(self.somewhere(ends)?.unwrap_or(not_listed))
        });
        told.unwrap_or_else(|error| {
            tracing::debug!(%error, "could not query conntrack");
            Translation::NotTold
        })
    }

    /// Whether a recent search has found all zones, if that matters.
    fn are_zones_known(&mut self, now: Instant, good_for: Duration) -> bool {
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |at| now.saturating_duration_since(at) < good_for;
        let is_known = zones.looked_for.is_some_and(is_known);
        drop(zones);
        is_known || self.is_denied || !self.do_rules_translate(now)
    }

    /// The answer to the exact query, in each known zone.
    fn exact(
        &mut self,
        (protocol, local, remote): (Protocol, SocketAddr, SocketAddr),
    ) -> io::Result<Translation> {
        let zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = zones.seen.clone();
        drop(zones);
        let mut told = Translation::NotSeen;
        // The arriving packet decides. A packet that leaves may belong to a socket here whose
        // packets get another port, while another end has got this one.
        for (from, to) in [(remote, local), (local, remote)] {
            for zone in [0].into_iter().chain(seen.iter().copied()) {
                let tuple = Tuple { protocol, from, to };
                let found = match self.find(&tuple, zone) {
                    // Reading the list in `/proc` takes as long.
                    Err(_) if self.is_denied && !self.may_list => return Ok(Translation::NotNow),
                    found => found?,
                };
                if let Some(found) = found {
                    told = told.and(found.translated_from(local, remote));
                }
            }
            if told != Translation::NotSeen {
                break;
            }
        }
        Ok(told)
    }

    /// The answer from the list of all connections; `None` if there are too many.
    fn somewhere(
        &mut self,
        (protocol, local, remote): (Protocol, SocketAddr, SocketAddr),
    ) -> io::Result<Option<Translation>> {
        let tuple = |from, to| Tuple { protocol, from, to };
        let ways = [tuple(remote, local), tuple(local, remote)];
        let mut told = [Translation::NotSeen; 2];
        let is_listed = self.list(|connection| {
            for (way, told) in ways.iter().zip(&mut told) {
                if connection.has(way) {
                    *told = told.and(connection.translated_from(local, remote));
                }
            }
        });
        // As in the exact query.
        let [came_in, went_out] = told;
        let told = if came_in == Translation::NotSeen {
            went_out
        } else {
            came_in
        };
        Ok(is_listed?.then_some(told))
    }

    /// Passes all connections of all zones to `take`; `false` if there are too many.
    fn list(&mut self, mut take: impl FnMut(Connection)) -> io::Result<bool> {
        debug_assert!(self.may_list, "a thread lists that has no time for it");
        if !self.may_list || self.tracked() > MOST_LISTED {
            return Ok(false);
        }
        let mut all = Vec::new();
        if !self.is_denied {
            let mut zones = Vec::new();
            match self.dump(&mut all, &mut zones) {
                Ok(()) => self.learn(zones),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.is_denied = true;
                }
                Err(error) => return Err(error),
            }
        }
        if self.is_denied {
            let list = std::fs::read(self.proc.join(LIST))?;
            all = message::listed(&list).collect();
        }
        all.into_iter().for_each(&mut take);
        Ok(true)
    }

    fn learn(&self, mut found: Vec<u16>) {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.looked_for = Some(Instant::now());
        found.sort_unstable();
        found.dedup();
        found.truncate(MOST_ZONES);
        // A zone may reappear after its last connection has ended.
        let room = MOST_ZONES - found.len();
        let before = zones.seen.iter().filter(|zone| !found.contains(zone));
        let before: Vec<_> = before.copied().take(room).collect();
        found.extend(before);
        zones.seen = found;
    }

    fn dump(&mut self, all: &mut Vec<Connection>, zones: &mut Vec<u16>) -> io::Result<()> {
        self.open()?.ask(Answer::Dump, request_all, |part| {
            match part {
                Part::Begin => {
                    all.clear();
                    zones.clear();
                }
                Part::Message(NEW, body) => {
                    all.extend(message::connection(body)?);
                    message::zones(body, |zone| {
                        if zones.last() != Some(&zone) {
                            zones.push(zone);
                        }
                    })?;
                }
                Part::Message(..) => return Err(Malformed),
            }
            Ok(())
        })
    }

    /// The connection to which packets of this tuple belong, in either direction.
    fn find(&mut self, tuple: &Tuple, zone: u16) -> io::Result<Option<Connection>> {
        if !self.is_denied {
            match self.ask(tuple, zone) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.is_denied = true;
                }
                found => return found,
            }
        }
        if !self.may_list {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let list = std::fs::read(self.proc.join(LIST))?;
        Ok(message::listed(&list).find(|connection| connection.has(tuple)))
    }

    fn open(&mut self) -> io::Result<&mut Netlink> {
        let netlink = if let Some(netlink) = self.netlink.take() {
            netlink
        } else {
            let netfilter = rustix::net::netlink::NETFILTER;
            Netlink::open(Some(netfilter), 0, Location::Own)?
        };
        Ok(self.netlink.insert(netlink))
    }

    fn ask(&mut self, tuple: &Tuple, zone: u16) -> io::Result<Option<Connection>> {
        let mut found = None;
        let asked = self.open()?.ask(
            Answer::One,
            |sequence| request(tuple, zone, sequence),
            |part| {
                found = match part {
                    Part::Begin => None,
                    Part::Message(NEW, body) => message::connection(body)?,
                    Part::Message(..) => return Err(Malformed),
                };
                Ok(())
            },
        );
        match asked {
            Ok(()) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

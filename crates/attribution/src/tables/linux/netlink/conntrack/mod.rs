//! Whether this host translates the addresses of a packet: what conntrack knows of it.
//!
//! A socket that is bound to a port gets nothing that is translated to another host, or that
//! another host sends behind an address of ours: only conntrack distinguishes those packets from the
//! socket's own (`nfnetlink_conntrack.h`, `nf_conntrack-sysctl.rst`).

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

/// How many connections there are in this network namespace: none where nothing is tracked.
const COUNT: &str = "sys/net/netfilter/nf_conntrack_count";
/// The list, where the kernel has it (`CONFIG_NF_CONNTRACK_PROCFS`).
const LIST: &str = "net/nf_conntrack";
/// Whether this network namespace is a router (`ip-sysctl.rst`).
const FORWARDS_V4: &str = "sys/net/ipv4/ip_forward";
const FORWARDS_V6: &str = "sys/net/ipv6/conf/all/forwarding";

/// Connections of which all are listed to find the zones that they are in. (The kernel goes
/// through its whole table for that, some 10 ms where it has 262,144 places.)
const MOST_LISTED: u64 = 16_384;
/// Zones that are asked for each question.
const MOST_ZONES: usize = 8;

/// What is known of the packets between two ends, of which one is an address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Translation {
    /// Nothing is tracked on this host, or these packets are not translated.
    None,
    /// They are translated: the socket has these ends for itself.
    From(TranslatedFrom),
    /// They are, and in two zones of conntrack to different ends: which of them it is, is not known.
    Several,
    /// Conntrack has not seen them, or does not look at them.
    NotSeen,
    /// This host translates, and this process may not ask what.
    NotTold,
    /// Only the list of all connections shows it, and this thread has no time to read it.
    NotNow,
}

impl Translation {
    /// What is known, with another connection of the same ends.
    fn and(self, other: Option<TranslatedFrom>) -> Self {
        let other = other.map_or(Self::None, Self::From);
        match self {
            Self::NotSeen => other,
            told if told == other => told,
            _ => Self::Several,
        }
    }
}

/// How a socket was found that may be another one than the packet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// None was found.
    Nothing,
    /// By its port.
    Port,
    /// It has both ends of the packets. Who is behind an address of ours may have got the same
    /// ones first, and the kernel then gives this one's packets another port on their way.
    Connection,
}

/// How far it is looked for what the exact question does not find: that takes some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// No further.
    Exact,
    /// No further, either, but what may be in a zone that is not known yet is
    /// [not told now](Translation::NotNow).
    Known,
    /// In zones that are not known yet.
    Whole,
}

/// How this process may learn what is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is tracked.
    Nothing,
    /// By asking conntrack.
    Asked,
    /// From its list in `/proc`.
    Listed,
    Denied,
}

/// Asks conntrack of this network namespace.
#[derive(Debug)]
pub(crate) struct Conntrack {
    /// Where the process file system is.
    proc: PathBuf,
    count: Option<File>,
    /// Until when nothing is tracked.
    untracked_until: Option<Instant>,
    /// Opened when it is needed first, as it loads a module of the kernel.
    netlink: Option<Netlink>,
    /// Whether it was refused.
    is_denied: bool,
    rules: Rules,
    /// Whether this thread has the time to list all connections: some 10 ms.
    may_list: bool,
    /// The zones in which connections were seen, and when that was looked for.
    zones: Arc<Mutex<Zones>>,
}

#[derive(Debug, Default)]
struct Zones {
    seen: Vec<u16>,
    looked_for: Option<Instant>,
}

impl Conntrack {
    /// With the process file system at a path.
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

    /// A second one, for a thread that has no time to list all connections: it learns of zones
    /// what the first one finds.
    pub(crate) fn another(&self) -> Self {
        Self {
            may_list: false,
            zones: Arc::clone(&self.zones),
            ..Self::new(&self.proc)
        }
    }

    /// What is known of the packets that a question is about, if it has two ends.
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
            // Without a router, nobody stands behind an address of this host.
            Fit::Nothing => match self.told(ends, search, now) {
                Translation::NotTold if self.is_denied && !self.forwards(local) => {
                    Translation::None
                }
                told => told,
            },
            Fit::Port if self.tracked() == 0 => Translation::None,
            Fit::Port => self.told(ends, search, now),
            Fit::Connection if !self.may_translate(now) => Translation::None,
            // Who may not ask would name nobody: nearly always it is that socket.
            Fit::Connection => match self.told(ends, search, now) {
                Translation::NotTold => Translation::None,
                Translation::NotNow if self.is_denied => Translation::None,
                told => told,
            },
        }
    }

    /// How this process may learn what is translated, by trying it.
    pub(crate) fn access(&mut self) -> Access {
        if self.tracked() == 0 {
            return Access::Nothing;
        }
        // Of a connection that there is not.
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

    /// What packets of this network namespace show that stand for other ends.
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

    /// Whether this process may ask for it, and anything may be translated; it is known for a
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

    /// Whether this host passes packets of the family of an end on from others.
    fn forwards(&self, end: SocketAddr) -> bool {
        let file = if end.is_ipv4() {
            FORWARDS_V4
        } else {
            FORWARDS_V6
        };
        let read = std::fs::read(self.proc.join(file));
        // What cannot be read may be so.
        read.map_or(true, |text| text.trim_ascii() != b"0")
    }

    fn do_rules_translate(&mut self, now: Instant) -> bool {
        if let Err(error) = self.open() {
            tracing::debug!(%error, "rules could not be asked for");
        }
        let netlink = self.netlink.as_mut();
        netlink.is_none_or(|netlink| self.rules.translate(&self.proc, netlink, now))
    }

    /// How many connections conntrack knows; more than can be listed if that is unknown.
    fn tracked(&mut self) -> u64 {
        // There when its module is loaded.
        if self.count.is_none() {
            self.count = File::open(self.proc.join(COUNT)).ok();
        }
        let Some(file) = &self.count else {
            return 0;
        };
        let mut bytes = [0; 20];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        let text = std::str::from_utf8(&bytes[..read]).unwrap_or_default();
        // What cannot be read may be anything.
        text.trim_end().parse().unwrap_or(u64::MAX)
    }

    fn told(
        &mut self,
        ends: (Protocol, SocketAddr, SocketAddr),
        search: Search,
        now: Instant,
    ) -> Translation {
        let told = self.exact(ends).and_then(|told| {
            // Another one with the same ends may be in a zone of which nothing is known yet.
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
            tracing::debug!(%error, "conntrack could not be asked");
            Translation::NotTold
        })
    }

    /// Whether all zones are asked for each question that there were a moment ago, if it matters.
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
        // What comes in decides; what goes out may be of a socket here whose packets get
        // another port, while another end has got this one.
        for (from, to) in [(remote, local), (local, remote)] {
            for zone in [0].into_iter().chain(seen.iter().copied()) {
                let tuple = Tuple { protocol, from, to };
                let found = match self.find(&tuple, zone) {
                    // The list in `/proc` is as long.
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

    /// Hands over all connections, of all zones; `false` if there are too many.
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
        // One whose last connection has ended comes again.
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

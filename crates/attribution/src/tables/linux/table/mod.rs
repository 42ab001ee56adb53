//! The native table: from a query to sockets, their holders and an answer.

mod holder_search;
mod listing;
mod lists;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::candidates::Candidates;
use super::containers;
use super::fast::{LinuxFastLookup, OwnerLookup, SeenSenders};
use super::fd_scanner::FdScanner;
use super::namespaces::{Effort, Namespaces};
use super::netlink::conntrack::{Conntrack, Fit, Search, Translation};
use super::options::LinuxOptions;
use super::procfs::cgroup::Cgroups;
use super::procfs::proc::ReadBuffers;
use super::sockets;
use super::source::Sockets;
use super::user_names::{LIST_PATIENCE, PATIENCE};
use super::verdicts::{either, ownership};
use holder_search::HolderSearch;
use lists::Listing;

use crate::answer::devices::{Devices, Reach};
use crate::answer::matching;
use crate::answer::{
    Capabilities, Error, Evidence, Match, NetworkNamespace, Ownership, Reason, SkippedNamespaces,
    Snapshot, SocketId, SocketNamespace, SocketQuery, Source, TcpInfo, TranslatedFrom,
};
use crate::observers::Observer;
use crate::observers::linux::send_watcher::SendWatchers;
use crate::policy::freshness::NAMESPACES_OF_REQUEST;
use crate::tables::SocketTable;
use crate::tables::fast_lookup::FastLookup;

/// How long one lookup searches threads for network namespaces without a whole process. After that,
/// the lookup cannot know whether such a namespace has the address.
const SEARCH_DEADLINE: Duration = Duration::from_secs(3);

/// The native table of Linux.
#[derive(Debug)]
pub struct LinuxTable {
    sockets: Sockets,
    listing: Listing,
    /// `None` if the kernel does not even show our own namespace.
    namespaces: Option<Namespaces>,
    scanner: Arc<FdScanner>,
    /// `None` if cgroups are not mounted.
    groups: Option<Cgroups>,
    buffers: ReadBuffers,
    options: LinuxOptions,
    conntrack: Conntrack,
    /// The senders that the send watchers observe, for the lookups that confirm.
    seen: Arc<Mutex<SeenSenders>>,
}

impl LinuxTable {
    /// Opens the table.
    ///
    /// # Errors
    /// [`Error::File`] if `/proc` is missing, or neither `sock_diag` nor `/proc/net` gives sockets.
    pub fn new() -> Result<Self, Error> {
        Self::with_options(&LinuxOptions::default())
    }

    /// Opens the table with only some of the kernel's interfaces.
    ///
    /// # Errors
    /// [`Error::File`] if even those are missing.
    pub fn with_options(options: &LinuxOptions) -> Result<Self, Error> {
        let unread = |path: &str, source| Error::File {
            path: options.proc.join(path),
            source,
        };
        let scanner = FdScanner::open(options).map_err(|error| unread("", error))?;
        let sockets = Sockets::open(scanner.proc(), options.sock_diag);
        let mut buffers = ReadBuffers::default();
        Ok(Self {
            sockets: sockets.map_err(|error| unread("net", error))?,
            listing: Listing::default(),
            namespaces: Namespaces::new(scanner.proc(), options.other_namespaces).ok(),
            groups: Cgroups::open(scanner.proc(), &mut buffers),
            scanner: Arc::new(scanner),
            buffers,
            options: options.clone(),
            conntrack: Conntrack::new(&options.proc),
            seen: Arc::default(),
        })
    }

    /// A fast lookup, for another thread.
    fn owner_lookup(&mut self) -> io::Result<OwnerLookup> {
        let sockets = Sockets::open(self.scanner.proc(), self.options.sock_diag)?;
        let others = self.namespaces.as_mut().map(Namespaces::share);
        let mut lookup = OwnerLookup::new(
            sockets,
            others.unwrap_or_default(),
            Arc::clone(&self.scanner),
            self.conntrack.another(),
        );
        lookup.seen = Arc::clone(&self.seen);
        Ok(lookup)
    }

    /// Answers a query. It reuses scans that began after `asked`, and a search for new network
    /// namespaces that is younger than `patience` then.
    fn answer(
        &mut self,
        query: &SocketQuery,
        asked: Instant,
        patience: Duration,
    ) -> Result<Ownership, Error> {
        if self.is_own(query)? {
            return match self.answer_here(query, asked) {
                Ok(Here::Answer(answer)) => Ok(answer),
                Ok(Here::Translated(from)) => self.answer_translated(query, from, asked, patience),
                Err(error) => Err(failed(&query, None, error)),
            };
        }
        let answer = self.answer_elsewhere(query, asked, patience)?;
        // A container connects to an address that stands for another one, or to one that no device
        // has. Its connection shows its packets before translation.
        if answer.evidence.matched == Some(Match::FiveTuple) {
            return Ok(answer);
        }
        match self
            .conntrack
            .translation(query, Fit::Nothing, Search::Whole)
        {
            Translation::From(from) => {
                let translated = self.answer_translated(query, from, asked, patience)?;
                // The end may belong to another host, whichever address its packets get here.
                let is_there = translated.evidence.matched.is_some();
                Ok(if is_there { translated } else { answer })
            }
            Translation::Several if answer.evidence.matched.is_some() => {
                let Evidence {
                    observed_at,
                    source,
                    ..
                } = answer.evidence;
                Ok(Ownership::unknown(Reason::Translated, observed_at, source))
            }
            _ => Ok(answer),
        }
    }

    fn is_own(&mut self, query: &SocketQuery) -> Result<bool, Error> {
        let is_own = match &mut self.namespaces {
            Some(namespaces) => namespaces.is_own(query),
            None => Ok(true),
        };
        is_own.map_err(|error| failed(&"the addresses of this host", None, error))
    }

    /// Answers a query about packets that this host translates, by the original ends of their
    /// socket: in our own namespace, or in the one that has its address.
    fn answer_translated(
        &mut self,
        query: &SocketQuery,
        from: TranslatedFrom,
        asked: Instant,
        patience: Duration,
    ) -> Result<Ownership, Error> {
        let mut query = query.translated(from);
        let answer = if self.is_own(&query)? {
            let answer = self.answer_socket_here(&query, asked);
            answer.map_err(|error| failed(&query, None, error))?
        } else {
            let namespaces = self.namespaces.as_ref();
            let device = namespaces.and_then(|all| all.device_towards(query.local().ip()));
            query = query.on_device(device.unwrap_or_default());
            self.answer_elsewhere(&query, asked, patience)?
        };
        Ok(answer.translated(from))
    }

    /// All sockets, with or without those of other namespaces.
    fn list(&mut self, with_others: bool) -> Result<Snapshot, Error> {
        let started_at = SystemTime::now();
        let mut sockets = self
            .all_sockets(with_others)
            .map_err(|error| failed(&"all sockets", None, error))?;
        let finished_at = SystemTime::now();
        let owners = sockets.iter_mut().map(|socket| &mut socket.owner);
        let names = self.scanner.facts().names();
        names.complete(owners, LIST_PATIENCE);
        let containers = self.scanner.facts().containers();
        containers.wait(containers::LIST_PATIENCE);
        let namespaces = self.namespaces.as_mut();
        let surroundings = namespaces.map_or(Ok(None), |all| {
            all.surroundings(with_others, self.scanner.proc())
        });
        let surroundings =
            surroundings.map_err(|error| failed(&"the addresses of this host", None, error))?;
        let source = Source::SockDiag;
        let translations = self.conntrack.translations();
        let surroundings = surroundings.map(|known| known.translating(translations));
        let snapshot = Snapshot::of_normalized(source, started_at, finished_at, sockets);
        Ok(snapshot.within(surroundings))
    }

    /// Adds names of users that were unknown when the processes were read.
    fn complete<'a>(&self, answers: impl Iterator<Item = &'a mut Ownership>) {
        let verdicts = answers.map(|answer| &mut answer.verdict);
        let names = self.scanner.facts().names();
        names.complete(verdicts, PATIENCE);
        self.scanner.facts().containers().wait(containers::PATIENCE);
    }

    fn holder_search(&mut self, asked: Instant) -> HolderSearch<'_> {
        HolderSearch {
            sockets: &mut self.sockets,
            scanner: &self.scanner,
            groups: self.groups.as_mut(),
            buffers: &mut self.buffers,
            asked,
        }
    }

    fn answer_here(&mut self, query: &SocketQuery, asked: Instant) -> io::Result<Here> {
        let observed_at = SystemTime::now();
        let reach = self.reach(query);
        let candidates = sockets::thorough(&mut self.sockets, query, &reach)?;
        let found_by = SystemTime::now();
        if let Some(reason) = matching::beyond_sockets(query, candidates.matched()) {
            let unowned = Ownership::unknown(reason, observed_at, Source::SockDiag);
            return Ok(Here::Answer(unowned));
        }
        let fit = candidates.fit(query.protocol());
        // A packet without an entry in conntrack belongs to a socket here, because conntrack sees
        // what it translates.
        let reason = match self.conntrack.translation(query, fit, Search::Whole) {
            Translation::From(from) => return Ok(Here::Translated(from)),
            Translation::None | Translation::NotSeen => None,
            Translation::Several => Some(Reason::Translated),
            Translation::NotTold | Translation::NotNow => Some(Reason::MayBeTranslated),
        };
        if let Some(reason) = reason {
            let unowned = Ownership::unknown(reason, observed_at, Source::SockDiag);
            return Ok(Here::Answer(unowned));
        }
        let resolved = self
            .holder_search(asked)
            .resolve(query.protocol(), candidates);
        let times = (observed_at, found_by);
        Ok(Here::Answer(ownership(resolved, times, None)))
    }

    /// Answers a query about a socket of our own namespace with exactly these ends.
    fn answer_socket_here(&mut self, query: &SocketQuery, asked: Instant) -> io::Result<Ownership> {
        let observed_at = SystemTime::now();
        let reach = self.reach(query);
        let candidates = sockets::thorough(&mut self.sockets, query, &reach)?;
        let found_by = SystemTime::now();
        let resolved = self
            .holder_search(asked)
            .resolve(query.protocol(), candidates);
        Ok(ownership(resolved, (observed_at, found_by), None))
    }

    fn reach(&self, query: &SocketQuery) -> Reach {
        match &self.namespaces {
            Some(namespaces) => namespaces.reach(query, self.scanner.proc()),
            None => Devices::default().reach(query),
        }
    }

    /// Answers a query about an address that is not our own.
    fn answer_elsewhere(
        &mut self,
        query: &SocketQuery,
        asked: Instant,
        patience: Duration,
    ) -> Result<Ownership, Error> {
        let observed_at = SystemTime::now();
        // A proxy may have such a socket, which stands in for another host.
        let reach = self.reach(query);
        let ours = sockets::standing_in(&mut self.sockets, query, &reach);
        let ours = ours.map_err(|error| failed(&query, None, error))?;
        let found_by = SystemTime::now();
        let is_to_be_accepted = matches!(ours, Candidates::Closed(_));
        let mut best = None;
        if ours != Candidates::None {
            let resolved = self.holder_search(asked).resolve(query.protocol(), ours);
            // With a transparent proxy, the process for which it stands in may have the same ends.
            let found = ownership(resolved, (observed_at, found_by), None);
            // The listener that accepts it has another port.
            if is_to_be_accepted {
                return Ok(found);
            }
            best = Some(found);
        }
        let nowhere = |reason| Ownership::unknown(reason, observed_at, Source::SockDiag);
        let Some(namespaces) = self.namespaces.as_mut() else {
            return Ok(best.unwrap_or_else(|| nowhere(Reason::NotFound)));
        };
        let (ip, proc, buffers) = (query.local().ip(), self.scanner.proc(), &mut self.buffers);
        let since = asked.checked_sub(patience).unwrap_or(asked);
        // After an incomplete search, it is unknown whether some namespace has the address.
        let effort = if patience.is_zero() {
            Effort::Within(SEARCH_DEADLINE)
        } else {
            Effort::Bounded
        };
        let places = namespaces.with_address_of(query, (since, effort), proc, buffers);
        let mut broken = None;
        for (through, place) in places {
            let devices = &place.addresses.known().devices;
            let reach = devices.reach_through(query, &through);
            let candidates = match sockets::thorough(&mut place.sockets, query, &reach) {
                Ok(candidates) => candidates,
                Err(error) => {
                    broken = Some((place.id, failed(&query, Some(&place.public), error)));
                    break;
                }
            };
            let found_by = SystemTime::now();
            if let Some(reason) = matching::beyond_sockets(query, candidates.matched()) {
                return Ok(nowhere(reason));
            }
            let mut holder_search = HolderSearch {
                sockets: &mut place.sockets,
                scanner: &self.scanner,
                groups: self.groups.as_mut(),
                buffers: &mut *buffers,
                asked,
            };
            let resolved = holder_search.resolve(query.protocol(), candidates);
            let found = ownership(resolved, (observed_at, found_by), Some(&place.public));
            best = Some(match best {
                Some(best) => either(best, found),
                None => found,
            });
        }
        // The owner in the other namespaces may not be the only one.
        if let Some((id, error)) = broken {
            namespaces.forget(id);
            return Err(error);
        }
        if let Some(best) = best {
            return Ok(best);
        }
        if let Some(error) = namespaces.trouble() {
            return Err(failed(&"the network namespaces of this host", None, error));
        }
        Ok(nowhere(if namespaces.may_be_hidden(ip) {
            Reason::OtherNamespace
        } else if namespaces.is_searched_since(asked) {
            Reason::Forwarded
        } else {
            Reason::NotFound
        }))
    }
}

/// The result of a query in our own namespace.
enum Here {
    Answer(Ownership),
    /// The host translates its packets: the socket has these ends.
    Translated(TranslatedFrom),
}

impl SocketTable for LinuxTable {
    fn source(&self) -> Source {
        Source::SockDiag
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        self.list(false)
    }

    fn snapshot_all_namespaces(&mut self) -> Result<Snapshot, Error> {
        self.list(true)
    }

    fn tcp_info(&mut self) -> Result<HashMap<SocketId, TcpInfo>, Error> {
        let asked = &"the state of connections";
        let own = self.sockets.tcp_info();
        let own = own.map_err(|error| failed(asked, None, error))?;
        let mut found = HashMap::new();
        let mut add = |namespace, all: Vec<(u64, TcpInfo)>| {
            let all = all.into_iter();
            let all =
                all.filter_map(|(cookie, info)| Some((SocketId::new(namespace, cookie)?, info)));
            found.extend(all);
        };
        add(SocketNamespace::Own, own);
        for other in self.namespaces.iter_mut().flat_map(Namespaces::others) {
            let namespace = SocketNamespace::Other(other.public.id);
            match other.sockets.tcp_info() {
                Ok(all) => add(namespace, all),
                Err(error) => {
                    tracing::debug!(%error, %other.public, "the state of connections is not told");
                }
            }
        }
        Ok(found)
    }

    fn find(&mut self, query: &SocketQuery) -> Result<Ownership, Error> {
        let mut answer = self.answer(query, Instant::now(), Duration::ZERO);
        self.complete(answer.iter_mut());
        answer
    }

    fn find_each(&mut self, queries: &[SocketQuery]) -> Vec<Result<Ownership, Error>> {
        let asked = Instant::now();
        let answers = queries.iter();
        let answers = answers.map(|query| self.answer(query, asked, NAMESPACES_OF_REQUEST));
        let mut answers: Vec<_> = answers.collect();
        self.complete(answers.iter_mut().flatten());
        answers
    }

    fn fast_lookup(&mut self) -> Option<Box<dyn FastLookup>> {
        // After this, everything from before the first packet is known.
        self.scanner.refresh(None, &mut self.buffers);
        let lookup = self.owner_lookup();
        let lookup = lookup
            .inspect_err(|error| tracing::warn!(%error, "no fast lookups: owners come later"));
        if let Some(namespaces) = &mut self.namespaces {
            namespaces.search(self.scanner.proc(), &mut self.buffers);
        }
        Some(Box::new(LinuxFastLookup::new(lookup.ok()?)))
    }

    fn observer(&mut self) -> Option<Box<dyn Observer>> {
        if !self.options.send_watchers {
            return None;
        }
        let lookup = self.owner_lookup();
        let lookup = lookup.inspect_err(|error| tracing::debug!(%error, "no send watcher runs"));
        let watchers = SendWatchers::new(lookup.ok()?, self.options.realtime);
        Some(Box::new(watchers))
    }

    fn release_idle(&mut self) {
        if let Some(namespaces) = &mut self.namespaces {
            namespaces.close();
        }
    }

    fn skipped_namespaces(&self) -> Option<SkippedNamespaces> {
        self.namespaces.as_ref()?.skipped()
    }

    fn capabilities(&self) -> Capabilities {
        let knows_own = self.namespaces.as_ref().is_some_and(Namespaces::knows_own);
        Capabilities::new()
            .with_remote_addresses(true)
            .with_local_addresses(knows_own)
            .with_translations(knows_own)
            .with_point_lookup(true)
    }
}

/// The request that failed, its namespace if not our own, and the error.
fn failed(
    what: &dyn std::fmt::Display,
    namespace: Option<&NetworkNamespace>,
    source: io::Error,
) -> Error {
    let request = match namespace {
        Some(namespace) => format!("asking the kernel for {what} in {namespace}"),
        None => format!("asking the kernel for {what}"),
    };
    Error::Sockets { request, source }
}

//! Lists all sockets with their owners.
//!
//! If there are many processes, two threads share the requests: one begins with the sockets, the
//! other with the changed processes.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::time::{Instant, SystemTime};

use super::lists::{List, Listing, Work};
use super::{HolderSearch, LinuxTable};
use crate::answer::{Protocol, Reason, Socket, Verdict};
use crate::policy::freshness::NAMESPACES;
use crate::tables::linux::fd_scanner::index::Count;
use crate::tables::linux::netlink::message::DiagSocket;
use crate::tables::linux::procfs::proc::ReadBuffers;
use crate::tables::linux::sockets;
use crate::tables::linux::verdicts::{closed, infer_unaccepted, verdict};

/// The number of other namespaces whose bound sockets are listed.
const MAX_WITH_BOUND: u16 = 16;

impl LinuxTable {
    /// Lists the sockets of our own namespace. If that takes long, or may, this thread searches for
    /// other namespaces and scans changed processes meanwhile.
    fn list_own(&mut self, with_others: bool) -> io::Result<()> {
        let (sockets, scanner, buffers) = (&mut self.sockets, &self.scanner, &mut self.buffers);
        let namespaces = &mut self.namespaces;
        let mut search = |buffers: &mut ReadBuffers| {
            // A namespace that an existing process enters during this may be missed.
            let now = Instant::now();
            let recent = now.checked_sub(NAMESPACES).unwrap_or(now);
            let old = namespaces.as_mut();
            let old = old.filter(|n| with_others && !n.is_searched_since(recent));
            if let Some(namespaces) = old {
                namespaces.search(scanner.proc(), buffers);
            }
        };
        let Listing { second, lists, .. } = &mut self.listing;
        lists.iter_mut().for_each(List::clear);
        let [first_list, second_list] = lists;
        let is_first = scanner.is_empty();
        if !is_first && !scanner.are_many() {
            search(buffers);
            return first_list.add_all(sockets);
        }
        if second.is_none() {
            *second = sockets.another();
        }
        let work = Work {
            scanner,
            checks: OnceLock::new(),
            next_part: AtomicUsize::new(0),
        };
        let has_new_processes = scanner.has_new_processes();
        let listed = std::thread::scope(|scope| {
            let listing = std::thread::Builder::new().spawn_scoped(scope, || {
                scanner.ignore_this_thread();
                let listed = work.list(sockets, first_list);
                work.check();
                listed
            });
            if !is_first {
                let checks = || scanner.checks(has_new_processes, buffers);
                work.checks.get_or_init(checks);
                work.check();
            }
            search(buffers);
            let second = second.as_mut();
            let listed = second.map_or(Ok(()), |second| work.list(second, second_list));
            let Ok(listing) = listing else {
                return listed.map(|()| false);
            };
            let others = listing.join();
            let others = others.unwrap_or_else(|_panicked| Err(io::ErrorKind::Other.into()));
            listed.and(others).map(|()| true)
        });
        let listed = match listed {
            // No second thread could be started: this one lists the remaining parts.
            Ok(false) => work.list(sockets, first_list),
            listed => listed.map(drop),
        };
        if let Some(checks) = work.checks.into_inner() {
            scanner.look_at_changed(checks, None, buffers);
        }
        listed
    }

    pub(crate) fn all_sockets(&mut self, with_others: bool) -> io::Result<Vec<Socket>> {
        let first_look = self.scanner.next_check();
        self.list_own(with_others)?;
        let [list, second_list] = &mut self.listing.lists;
        list.append(second_list);
        let places = &mut self.listing.places;
        places.clear();
        list.add_places(0, 0, places);
        let mut namespaces = vec![(None, &mut self.sockets)];
        if let Some(all) = self.namespaces.as_mut().filter(|_| with_others) {
            for (other, number) in all.others().iter_mut().zip(1..) {
                let (namespace, start) = (&other.public, list.sockets.len());
                let listed = if number <= MAX_WITH_BOUND {
                    list.add_all(&mut other.sockets)
                } else {
                    list.add_all_used(&mut other.sockets)
                };
                if let Err(error) = listed {
                    tracing::debug!(%error, %namespace, "sockets are not listed");
                }
                list.add_places(start, number, places);
                namespaces.push((Some(namespace), &mut other.sockets));
            }
        }
        places.sort_unstable();
        // Sockets without known holder were opened during the listing.
        let asked = Instant::now();
        // After the lists: then one more scan is enough for the sockets without holder.
        if self.scanner.is_empty() {
            self.scanner.scan_all(None, &mut self.buffers);
        } else if !self.scanner.are_many() {
            self.scanner.refresh(None, &mut self.buffers);
        }
        let since = (first_look, self.scanner.young_since());
        let mut all = Vec::with_capacity(places.len());
        let mut unaccepted = Vec::with_capacity(places.len());
        for place in places {
            let (namespace, sockets) = &mut namespaces[usize::from(place.namespace)];
            let mut holder_search = HolderSearch {
                sockets,
                scanner: &self.scanner,
                groups: self.groups.as_mut(),
                buffers: &mut self.buffers,
                asked,
            };
            let found = &list.sockets[place.index];
            let owner = holder_search.listed_owner(place.protocol, found, since);
            all.push(found.with_owner(place.protocol, *namespace, owner));
            unaccepted.push(found.unaccepted);
        }
        infer_unaccepted(&mut all, &unaccepted);
        Ok(all)
    }
}

impl HolderSearch<'_> {
    /// The owner of a socket of a list, after a scan of every changed process. A holder that a scan
    /// since the given one found still has it. A holder that started since the given time may have
    /// it from another process.
    fn listed_owner(
        &mut self,
        protocol: Protocol,
        found: &DiagSocket,
        (since, young_since): (u64, Option<SystemTime>),
    ) -> Verdict {
        if found.inode == 0 {
            return closed(self.scanner, found);
        }
        let known = self.scanner.only_known(found, self.asked, young_since);
        let processes = match known {
            Ok(process) => return Verdict::Process(process),
            // This list shows what the process holds, but not whether its parent holds it, too.
            Err(Count::OneAtLeast) => self.scanner.known(found.inode, 0, self.buffers),
            Err(Count::Several) => self.scanner.known(found.inode, since, self.buffers),
            Err(Count::None) if self.scanner.is_unowned(found.inode) => Vec::new(),
            Err(Count::None) if !sockets::is_open(self.sockets, protocol, found) => {
                return Verdict::Unknown(Reason::Gone);
            }
            Err(Count::None) => {
                let wanted = found.wanted();
                let scanner = self.scanner;
                let processes = scanner.all(&wanted, self.asked, self.buffers, || true);
                // If the socket closed meanwhile, a missing holder says nothing.
                if processes.is_empty() && !sockets::is_open(self.sockets, protocol, found) {
                    return Verdict::Unknown(Reason::Gone);
                }
                processes
            }
        };
        let processes = self.without_gone(protocol, found, processes);
        self.scanner.remember(found.cookie, &processes);
        let verdict = verdict(self.scanner, processes, found, true);
        self.with_unit(verdict, found)
    }
}

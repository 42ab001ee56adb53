//! Names of addresses for lists that are made once, such as those of sockets.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use flowner_names::reverse::{Answer, Options, ReverseLookups};
use flowner_names::{AskedBy, HostName, Hosts, HostsFile, Name, Source};

use super::now;
use crate::model::error::Error;
use crate::model::flow::FlowRecord;
use crate::model::names::FlowNames;
use crate::system::privileges::without_capabilities;

/// How often it is looked whether an answer is there.
const LOOK: Duration = Duration::from_millis(20);

/// The names of addresses: from the hosts file of this host, and from reverse lookups if the user wants
/// them.
///
/// A reverse lookup makes traffic, and shows a server the addresses on the user's screen.
#[derive(Debug)]
pub struct AddressNames {
    hosts: Hosts,
    reverse: Option<ReverseLookups>,
    known: HashMap<IpAddr, HostName>,
}

impl AddressNames {
    /// Those of the hosts file, as it is now, and of reverse lookups if `resolve` says so.
    ///
    /// # Errors
    /// When the system has no threads for the lookups.
    pub fn new(resolve: bool) -> Result<Self, Error> {
        let mut file = HostsFile::of_system();
        if let Err(error) = without_capabilities(|| file.refresh()) {
            tracing::debug!(%error, path = %file.path().display(), "no names of the hosts file");
        }
        let reverse = if resolve {
            let started = ReverseLookups::start(Options::default());
            Some(started.map_err(Error::Thread)?)
        } else {
            None
        };
        Ok(Self {
            hosts: file.hosts().clone(),
            reverse,
            known: HashMap::new(),
        })
    }

    /// Looks these addresses up, the most important ones first, and waits for answers, no longer than
    /// `patience`. Other ones that wait are cancelled. Returns how many have no answer yet.
    pub fn find(
        &mut self,
        addresses: impl IntoIterator<Item = IpAddr>,
        patience: Duration,
    ) -> usize {
        let Some(reverse) = &self.reverse else {
            return 0;
        };
        let addresses = addresses.into_iter().map(|it| it.to_canonical());
        let is_open = |address: &IpAddr| self.hosts.names_of(*address).is_empty();
        let mut seen = HashSet::new();
        let mut open: Vec<IpAddr> = addresses
            .filter(|address| is_open(address) && can_have_a_name(*address))
            .filter(|address| seen.insert(*address))
            .collect();
        let begun = Instant::now();
        loop {
            open.retain(|address| match reverse.answer(*address) {
                Answer::Unknown => true,
                Answer::Name(text) => {
                    if let Some(name) = Name::from_text(text.as_bytes()) {
                        let mut name = HostName::new(name, Source::Reverse, AskedBy::None);
                        name.observed_at = Some(now());
                        self.known.insert(*address, name);
                    }
                    false
                }
                _ => {
                    self.known.remove(address);
                    false
                }
            });
            reverse.wanted(open.iter().copied());
            if open.is_empty() || begun.elapsed() >= patience {
                return open.len();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The name of an address, as far as it is known now. Loopback addresses have none here: all hosts
    /// give them the same.
    pub fn name_of(&self, address: IpAddr) -> Option<HostName> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        let of_hosts = || {
            let first = self.hosts.names_of(address).first()?;
            let name = Name::from_text(first.as_bytes())?;
            Some(HostName::new(name, Source::Hosts, AskedBy::None))
        };
        of_hosts().or_else(|| self.known.get(&address).cloned())
    }

    /// Names the remote ends of flows that have no name, as [`find`](Self::find) finds them; flows with
    /// most bytes come first. The hosts file names none: the flows may be those of another host.
    pub fn name_flows(&mut self, flows: &mut [FlowRecord], patience: Duration) -> usize {
        let unnamed = |flow: &FlowRecord| flow.remote_name().is_none();
        let mut all: Vec<&FlowRecord> = flows.iter().filter(|flow| unnamed(flow)).collect();
        all.sort_by_key(|flow| Reverse(flow.total().bytes));
        let addresses: Vec<_> = all.iter().map(|flow| flow.remote.ip()).collect();
        let missing = self.find(addresses, patience);
        for flow in flows.iter_mut().filter(|flow| unnamed(flow)) {
            let address = flow.remote.ip().to_canonical();
            if let Some(name) = self.known.get(&address) {
                let names = flow.names.as_deref().cloned().unwrap_or_default();
                let remote = Some(name.clone());
                flow.names = FlowNames { remote, ..names }.shared();
            }
        }
        missing
    }
}

/// What is asked for at all: what a server may know, or another host has.
fn can_have_a_name(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    let is_of_nobody = address.is_unspecified() || address.is_multicast() || is_broadcast;
    !(is_of_nobody || address.is_loopback())
}

//! The names that a capture file gives addresses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::{AskedBy, HostName};
use crate::{Name, Source};

/// Names of one address; more than a few say no more.
const MAX_OF_ADDRESS: usize = 8;

/// The names by address, the oldest addresses out first.
#[derive(Debug)]
pub(super) struct Recorded {
    of: HashMap<IpAddr, Vec<Name>>,
    order: VecDeque<IpAddr>,
    limit: usize,
}

impl Recorded {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            of: HashMap::new(),
            order: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    pub(super) fn put(&mut self, address: IpAddr, name: Name) {
        let names = self.of.entry(address).or_insert_with(|| {
            self.order.push_back(address);
            Vec::new()
        });
        if names.len() < MAX_OF_ADDRESS && !names.contains(&name) {
            names.push(name);
        }
        while self.of.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    /// All names of an address. If there are several, the file does not say which one a flow is about.
    pub(super) fn names(&self, address: IpAddr) -> impl Iterator<Item = HostName> {
        let names = self.of.get(&address).map_or(&[][..], Vec::as_slice);
        let of_file = |name: &Name| HostName::new(name.clone(), Source::Recorded, AskedBy::None);
        names.iter().map(of_file)
    }

    /// The name of an address, if the file has one alone.
    pub(super) fn only_name(&self, address: IpAddr) -> Option<HostName> {
        let mut names = self.names(address);
        let first = names.next()?;
        names.next().is_none().then_some(first)
    }
}

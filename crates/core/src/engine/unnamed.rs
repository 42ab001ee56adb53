//! Flows without a name, by address: what a reverse lookup may name.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use flowner_flows::FlowId;

/// Addresses that are kept; the oldest ones go first.
const ADDRESSES: usize = 4_096;
/// Flows of one address. Later ones get the name that the address has by then.
const FLOWS: usize = 64;

/// The flows whose remote end has no name yet.
#[derive(Debug, Default)]
pub(crate) struct Unnamed {
    flows: HashMap<IpAddr, Vec<FlowId>>,
    /// The oldest first.
    order: VecDeque<IpAddr>,
}

impl Unnamed {
    pub(crate) fn add(&mut self, address: IpAddr, id: FlowId) {
        let flows = self.flows.entry(address).or_insert_with(|| {
            self.order.push_back(address);
            Vec::new()
        });
        if flows.len() < FLOWS {
            flows.push(id);
        }
        while self.order.len() > ADDRESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.flows.remove(&oldest);
        }
    }

    pub(crate) fn take(&mut self, address: IpAddr) -> Vec<FlowId> {
        let flows = self.flows.remove(&address);
        if flows.is_some() {
            self.order.retain(|other| *other != address);
        }
        flows.unwrap_or_default()
    }

    /// At most so many addresses, the newest first, that have such a flow still.
    pub(crate) fn newest(&mut self, max: usize, is_so: impl Fn(FlowId) -> bool) -> Vec<IpAddr> {
        let mut newest = Vec::new();
        let mut gone = Vec::new();
        for address in self.order.iter().rev() {
            if newest.len() == max {
                break;
            }
            let flows = self.flows.get(address).map_or(&[][..], Vec::as_slice);
            if flows.iter().any(|id| is_so(*id)) {
                newest.push(*address);
            } else {
                gone.push(*address);
            }
        }
        for address in &gone {
            self.flows.remove(address);
        }
        if !gone.is_empty() {
            self.order
                .retain(|address| self.flows.contains_key(address));
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn addresses_are_bounded_and_those_that_are_over_go() {
        let mut unnamed = Unnamed::default();
        for number in 0..10_000 {
            unnamed.add(ip(number), FlowId::from_u64(number.into()));
        }
        for number in 0..200 {
            unnamed.add(ip(9_999), FlowId::from_u64(number));
        }
        assert_eq!(unnamed.flows.len(), ADDRESSES);
        assert_eq!(unnamed.order.len(), ADDRESSES);
        assert_eq!(unnamed.flows[&ip(9_999)].len(), FLOWS);
        let is_even = |id: FlowId| id.as_u64().is_multiple_of(2);
        let newest = unnamed.newest(3, is_even);
        assert_eq!(newest, [ip(9_999), ip(9_998), ip(9_996)]);
        assert_eq!(unnamed.take(ip(9_998)).len(), 1);
        assert!(unnamed.take(ip(9_997)).is_empty());
        assert!(unnamed.newest(3, |_| false).is_empty());
        assert!(unnamed.flows.is_empty() && unnamed.order.is_empty());
    }
}

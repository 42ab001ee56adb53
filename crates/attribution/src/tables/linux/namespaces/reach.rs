//! How packets reach sockets of our own namespace.

use std::sync::Arc;

use super::Namespaces;
use crate::answer::SocketQuery;
use crate::answer::devices::{Devices, Reach};
use crate::answer::memberships::is_of_receivers;
use crate::tables::linux::procfs::igmp;
use crate::tables::linux::procfs::proc::Proc;

impl Namespaces {
    /// The devices of our own namespace, as of the last check whether an address
    /// [is our own](Self::is_own).
    pub(crate) fn own_devices(&self) -> Option<Arc<Devices>> {
        let own = self.own_addresses.as_ref()?;
        Some(Arc::clone(&own.known().devices))
    }

    /// How a packet of the query can reach sockets of our own namespace, by its devices at the last
    /// check whether an address [is our own](Self::is_own).
    ///
    /// This reads the joined multicast groups anew, because nothing reports their changes.
    pub(crate) fn reach(&self, query: &SocketQuery, proc: &Proc) -> Reach {
        let reach = match &self.own_addresses {
            Some(addresses) => addresses.known().devices.reach(query),
            None => Devices::default().reach(query),
        };
        let memberships = is_of_receivers(query).then(|| igmp::read(proc));
        reach.with_memberships(memberships)
    }
}

//! Where addresses are, each looked up once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use flowner_names::geo::{GeoDatabases, Place};

/// Addresses whose place is remembered; past that, all are forgotten.
const MAX: usize = 16_384;

/// The places of addresses. A lookup takes some microseconds, and asks nothing of the system.
#[derive(Debug, Default)]
pub(crate) struct Places {
    databases: GeoDatabases,
    known: HashMap<IpAddr, Option<Arc<Place>>>,
}

impl Places {
    /// Looks places up in these from now on. Returns what was used until now: who writes the ledger
    /// does not wait for the end of large files.
    #[must_use]
    pub(crate) fn replace(&mut self, databases: GeoDatabases) -> Self {
        let known = HashMap::new();
        std::mem::replace(self, Self { databases, known })
    }

    /// Where an address is, if that is known.
    pub(crate) fn of(&mut self, address: IpAddr) -> Option<Arc<Place>> {
        if self.databases.is_empty() {
            return None;
        }
        if let Some(place) = self.known.get(&address) {
            return place.clone();
        }
        if self.known.len() >= MAX {
            self.known.clear();
        }
        let place = self.databases.place_of(address);
        let place = (!place.is_empty()).then(|| Arc::new(place));
        self.known.insert(address, place.clone());
        place
    }
}

#[cfg(test)]
mod tests {
    use flowner_testing::mmdb::{Value, database};

    use super::*;

    #[test]
    fn an_address_is_looked_up_once_until_the_databases_change() {
        let country = Value::Map(vec![("iso_code", Value::Text("DE"))]);
        let record = Value::Map(vec![("country", country)]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), database("test", &[("192.0.2.0/24", record)])).unwrap();
        let mut places = Places::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(places.of(address), None);
        assert!(places.known.is_empty());
        let (databases, _) = GeoDatabases::open([file.path().to_owned()]);
        drop(places.replace(databases));
        let first = places.of(address).unwrap();
        assert!(Arc::ptr_eq(&first, &places.of(address).unwrap()));
        for number in 0..40_000_u32 {
            assert_eq!(places.of(number.to_be_bytes().into()), None);
        }
        assert!(places.known.len() <= MAX);
        drop(places.replace(GeoDatabases::default()));
        assert_eq!(places.of(address), None);
    }
}

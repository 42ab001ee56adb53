//! Where the remote end of a flow is, in words.

use super::printable;
use crate::model::flow::FlowRecord;
use crate::model::totals::{CountryGroup, NetworkGroup};

/// The country of the remote end, with its city where that is known: `Berlin, Germany (DE)`. `None` if no
/// database tells it.
pub fn country(flow: &FlowRecord) -> Option<String> {
    let country = match CountryGroup::of(flow) {
        country @ CountryGroup::Country(_) => country.to_string(),
        CountryGroup::Range(_) | CountryGroup::Unknown => return None,
    };
    let city = flow.place().and_then(|place| place.city.as_deref());
    Some(printable(&match city {
        Some(city) => format!("{city}, {country}"),
        None => country,
    }))
}

/// The network of the remote end: `AS64496 Example Net`. `None` if no database tells it.
pub fn network(flow: &FlowRecord) -> Option<String> {
    match NetworkGroup::of(flow) {
        network @ (NetworkGroup::System { .. } | NetworkGroup::Named(_)) => {
            Some(printable(&network.to_string()))
        }
        NetworkGroup::Range(_) | NetworkGroup::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::samples;

    #[test]
    fn what_a_database_tells_is_masked() {
        let mut flow = samples::flow(1);
        assert_eq!((country(&flow), network(&flow)), (None, None));
        let mut place = Arc::unwrap_or_clone(samples::place("Germany"));
        place.city = Some("Ber\u{202e}lin".to_owned());
        flow.place = Some(Arc::new(place));
        assert_eq!(country(&flow).unwrap(), "Ber\\u{202e}lin, Germany (DE)");
        assert_eq!(network(&flow).unwrap(), "AS64496 Example Net");
    }
}

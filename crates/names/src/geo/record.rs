//! What the records of databases look like. Each vendor has its own layout; all are read as one.

use serde::Deserialize;

/// A record of MaxMind (GeoLite2 and GeoIP2: Country, City, ASN), DB-IP (Lite), or IPinfo (Lite,
/// Core, and the older free files). Each has some of these fields.
///
/// Sources: <https://dev.maxmind.com/geoip/docs/databases/>, <https://db-ip.com/db/lite.php>,
/// <https://ipinfo.io/developers/ipinfo-lite-database>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    country: Option<Country>,
    /// MaxMind: where the network is registered, for those that are in no country.
    registered_country: Option<Country>,
    country_code: Option<String>,
    country_name: Option<String>,
    city: Option<City>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
    /// IPinfo: `AS15169`. DB-IP's older files: a number.
    asn: Option<Asn>,
    as_name: Option<String>,
    /// IPinfo's older files: the name.
    name: Option<String>,
}

/// A map, or a text that is the code in one file of a vendor and the name in another.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country {
    Map {
        #[serde(default)]
        iso_code: Option<String>,
        #[serde(default)]
        names: Names,
    },
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum City {
    Map {
        #[serde(default)]
        names: Names,
    },
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asn {
    Number(u32),
    Text(String),
}

/// By language; English is in every file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    en: Option<String>,
}

impl Record {
    /// Two letters (ISO 3166-1), upper case.
    pub(super) fn country_code(&self) -> Option<[u8; 2]> {
        self.country_code
            .as_deref()
            .and_then(code)
            .or_else(|| code_of(self.country.as_ref()))
            .or_else(|| code_of(self.registered_country.as_ref()))
    }

    pub(super) fn country_name(&self) -> Option<&str> {
        self.country_name
            .as_deref()
            .or_else(|| name_of(self.country.as_ref()))
            .or_else(|| name_of(self.registered_country.as_ref()))
    }

    pub(super) fn city(&self) -> Option<&str> {
        match self.city.as_ref()? {
            City::Map { names } => names.en.as_deref(),
            City::Text(text) => Some(text),
        }
    }

    pub(super) fn asn(&self) -> Option<u32> {
        self.autonomous_system_number
            .or_else(|| match self.asn.as_ref()? {
                Asn::Number(number) => Some(*number),
                Asn::Text(text) => text.trim_start_matches("AS").parse().ok(),
            })
    }

    pub(super) fn network_name(&self) -> Option<&str> {
        let names = [
            &self.autonomous_system_organization,
            &self.as_name,
            &self.name,
        ];
        names.into_iter().find_map(|name| name.as_deref())
    }
}

fn code(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    let is_code = code.iter().all(u8::is_ascii_alphabetic);
    is_code.then(|| code.map(|letter| letter.to_ascii_uppercase()))
}

fn code_of(country: Option<&Country>) -> Option<[u8; 2]> {
    match country? {
        Country::Map { iso_code, .. } => code(iso_code.as_deref()?),
        Country::Text(text) => code(text),
    }
}

/// In English.
fn name_of(country: Option<&Country>) -> Option<&str> {
    match country? {
        Country::Map { names, .. } => names.en.as_deref(),
        // Two letters are a code.
        Country::Text(text) => code(text).is_none().then_some(text),
    }
}

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::places::databases_in;
use super::*;
use flowner_testing::mmdb::{Value, database};

fn map(pairs: &[(&'static str, Value)]) -> Value {
    Value::Map(pairs.to_vec())
}

fn named(name: &'static str) -> Value {
    map(&[(
        "names",
        map(&[("de", Value::Text("?")), ("en", Value::Text(name))]),
    )])
}

fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn germany() -> Country {
    Country {
        code: "DE".to_owned(),
        name: Some("Germany".to_owned()),
    }
}

/// As MaxMind's and DB-IP's files have it.
fn cities() -> Vec<u8> {
    let germany = map(&[
        ("iso_code", Value::Text("DE")),
        ("names", map(&[("en", Value::Text("Germany"))])),
    ]);
    let record = map(&[("country", germany.clone()), ("city", named("Berlin"))]);
    let ship = map(&[("registered_country", germany)]);
    database(
        "GeoLite2-City",
        &[("203.0.113.0/24", record), ("2001:db8::/32", ship)],
    )
}

fn networks() -> Vec<u8> {
    let record = map(&[
        ("autonomous_system_number", Value::Number(64_496)),
        ("autonomous_system_organization", Value::Text("Example Net")),
    ]);
    database("GeoLite2-ASN", &[("203.0.113.0/25", record)])
}

#[test]
fn two_databases_tell_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        write(folder.path(), "cities.mmdb", &cities()),
        write(folder.path(), "networks.mmdb", &networks()),
    ];
    let (databases, errors) = GeoDatabases::open(files);
    assert!(errors.is_empty(), "{errors:?}");
    let place = databases.place_of(ip("203.0.113.7"));
    assert_eq!(place.country, Some(germany()));
    assert_eq!(place.city.as_deref(), Some("Berlin"));
    assert_eq!(place.asn, Some(64_496));
    assert_eq!(place.network_name.as_deref(), Some("Example Net"));
    // As a dual-stack socket has it.
    assert_eq!(databases.place_of(ip("::ffff:203.0.113.7")), place);
    // In the other half, which no autonomous system announces.
    let other = databases.place_of(ip("203.0.113.200"));
    assert_eq!((other.city.as_deref(), other.asn), (Some("Berlin"), None));
    let ship = databases.place_of(ip("2001:db8::1"));
    assert_eq!(ship.country, Some(germany()));
    assert!(databases.place_of(ip("198.51.100.1")).is_empty());
    let kinds: Vec<_> = databases.loaded().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds, ["GeoLite2-City", "GeoLite2-ASN"]);
}

#[test]
fn layouts_of_other_vendors_tell_the_same() {
    let lite = map(&[
        ("asn", Value::Text("AS64496")),
        ("as_name", Value::Text("Example Net")),
        ("country", Value::Text("Germany")),
        ("country_code", Value::Text("DE")),
    ]);
    let older = map(&[
        ("asn", Value::Text("AS64496")),
        ("as_name", Value::Text("Example Net")),
        ("country", Value::Text("de")),
        ("country_name", Value::Text("Germany")),
        ("city", Value::Text("Berlin")),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let networks = [("203.0.113.0/25", lite), ("203.0.113.128/25", older)];
    let file = write(folder.path(), "a.mmdb", &database("ipinfo", &networks));
    let (databases, errors) = GeoDatabases::open([file]);
    assert!(errors.is_empty(), "{errors:?}");
    for (address, city) in [("203.0.113.1", None), ("203.0.113.129", Some("Berlin"))] {
        let place = databases.place_of(ip(address));
        assert_eq!(place.country, Some(germany()));
        assert_eq!(place.city.as_deref(), city);
        assert_eq!(place.asn, Some(64_496));
        assert_eq!(place.network_name.as_deref(), Some("Example Net"));
    }
}

#[test]
fn texts_of_a_file_are_bounded_and_odd_records_tell_nothing() {
    let long: &'static str = "ö".repeat(1_000).leak();
    let record = map(&[("country", Value::Number(7)), ("city", Value::Text(long))]);
    let city = map(&[("city", Value::Text(long)), ("country", Value::Text("D€"))]);
    let networks = [("203.0.113.0/25", record), ("203.0.113.128/25", city)];
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mmdb", &database("odd", &networks));
    let (databases, _) = GeoDatabases::open([file]);
    assert!(databases.place_of(ip("203.0.113.1")).is_empty());
    let place = databases.place_of(ip("203.0.113.129"));
    assert_eq!(place.country, None);
    assert_eq!(place.city.unwrap(), "ö".repeat(127));
}

#[test]
fn a_broken_file_is_reported_once_and_read_when_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.mmdb", b"<html>not found</html>");
    let (mut databases, errors) = GeoDatabases::open([file.clone()]);
    let [DatabaseError::Broken { path, .. }] = &errors[..] else {
        panic!("{errors:?}");
    };
    assert_eq!(*path, file);
    assert!(
        errors[0].to_string().contains("a.mmdb: not a valid"),
        "{}",
        errors[0]
    );
    assert!(databases.is_empty());
    assert!(databases.refresh().is_empty(), "it has not changed");
    assert_eq!(databases.files_read(), 0);
    write(folder.path(), "a.mmdb", &cities());
    assert!(databases.refresh().is_empty());
    assert!(!databases.place_of(ip("203.0.113.7")).is_empty());
    assert_eq!(databases.files_read(), 1);
    // What replaces it is damaged: the one in memory stays in use.
    write(folder.path(), "a.mmdb", &cities()[..50]);
    assert_eq!(databases.refresh().len(), 1);
    assert!(!databases.place_of(ip("203.0.113.7")).is_empty());
    std::fs::remove_file(file).unwrap();
    assert!(databases.refresh().is_empty());
    assert!(!databases.place_of(ip("203.0.113.7")).is_empty());
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.mmdb");
    let (databases, errors) = GeoDatabases::open([folder.path().to_owned(), missing]);
    assert!(databases.is_empty());
    assert_eq!(errors.len(), 2);
    assert!(
        errors[0].to_string().contains("name a file"),
        "{}",
        errors[0]
    );
}

#[test]
fn the_best_files_of_the_usual_places_are_found() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    for name in [
        "dbip-city-lite-2026-10.mmdb",
        "dbip-city-lite-2026-11.mmdb",
        "GeoLite2-City.mmdb.tmp",
    ] {
        write(first.path(), name, b"");
    }
    write(second.path(), "GeoLite2-ASN.mmdb", b"");
    write(second.path(), "GeoLite2-City.mmdb", b"");
    let folders = [Path::new("/nowhere"), first.path(), second.path()];
    assert_eq!(
        databases_in(&folders),
        [
            first.path().join("dbip-city-lite-2026-11.mmdb"),
            second.path().join("GeoLite2-ASN.mmdb"),
        ]
    );
    // One file that knows both is opened once.
    let both = tempfile::tempdir().unwrap();
    write(both.path(), "ipinfo_lite.mmdb", b"");
    let found = databases_in(&[both.path()]);
    assert_eq!(found, [both.path().join("ipinfo_lite.mmdb")]);
}

proptest::proptest! {
    /// A database is untrusted: damaged anywhere, it tells something else, or nothing.
    #[test]
    fn damaged_files_end_nothing(at in 0_usize..2_000, byte: u8, cut in 0_usize..2_000) {
        let folder = tempfile::tempdir().unwrap();
        let mut content = cities();
        let length = content.len();
        content[at % length] = byte;
        content.truncate(length - cut % 40);
        let file = write(folder.path(), "a.mmdb", &content);
        let (databases, _) = GeoDatabases::open([file]);
        for address in ["203.0.113.7", "2001:db8::1", "::", "255.255.255.255"] {
            let _something = databases.place_of(ip(address));
        }
    }
}

//! Countries and networks of flows, from databases that the tests write.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;
use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};
use flowner_core::{AddressRange, Config, Filter, GeoFiles, Input, Monitor, Report, select};
use flowner_testing::mmdb::{Value, database};

const HOST: [u8; 4] = [10, 0, 0, 1];
/// Of the two first, the database below knows something.
const SERVERS: [[u8; 4]; 4] = [
    [192, 0, 2, 1],
    [198, 51, 100, 1],
    [9, 9, 9, 9],
    [10, 0, 0, 2],
];

fn map(pairs: &[(&'static str, Value)]) -> Value {
    Value::Map(pairs.to_vec())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn countries() -> Vec<u8> {
    let country = |code| map(&[("country", map(&[("iso_code", Value::Text(code))]))]);
    let networks = [
        ("192.0.2.0/24", country("DE")),
        ("198.51.100.0/24", country("FR")),
    ];
    database("test-country", &networks)
}

fn networks() -> Vec<u8> {
    let record = map(&[
        ("autonomous_system_number", Value::Number(64_496)),
        (
            "autonomous_system_organization",
            Value::Text("Example\u{1b}[31m Net"),
        ),
    ]);
    database("test-asn", &[("192.0.2.0/24", record)])
}

/// A datagram to each server.
fn capture(folder: &Path) -> PathBuf {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer.interface(&Interface::new(LinkType::RawIp)).unwrap();
    for (server, port) in SERVERS.into_iter().zip(40_000..) {
        let builder = PacketBuilder::ipv4(HOST, server, 64).udp(port, 9);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"hello").unwrap();
        let length = u32::try_from(packet.len()).unwrap();
        let time = Duration::from_secs(1_800_000_000);
        writer
            .packet(interface, time, length, &packet, &[])
            .unwrap();
    }
    write(folder, "trace.pcapng", &writer.into_inner())
}

fn read(folder: &Path, geo: GeoFiles) -> Arc<Report> {
    let config = Config {
        input: Input::File(capture(folder)),
        local_addresses: vec![HOST.into()],
        geo,
        ..Config::default()
    };
    Monitor::builder(&config).start().unwrap().wait()
}

/// The ports of the flows that a filter chooses.
fn chosen(report: &Report, filter: &str) -> Vec<u16> {
    let filter: Filter = filter.parse().unwrap();
    let selected = select(report, &filter);
    selected
        .flows
        .iter()
        .map(|flow| flow.local.port())
        .collect()
}

#[test]
fn flows_have_the_countries_and_networks_of_several_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = vec![
        write(folder.path(), "a.mmdb", &countries()),
        write(folder.path(), "b.mmdb", &networks()),
    ];
    let report = read(folder.path(), GeoFiles::Files(files));
    assert_eq!(report.warning, None);
    let codes: Vec<_> = report
        .flows
        .iter()
        .map(|flow| flow.country().map(|it| &*it.code))
        .collect();
    assert_eq!(codes, [Some("DE"), Some("FR"), None, None]);
    assert_eq!(report.flows[0].place().unwrap().asn, Some(64_496));
    assert_eq!(report.flows[3].range(), Some(AddressRange::Private));
    for (filter, ports) in [
        ("country:de", &[40_000][..]),
        ("asn:AS64496", &[40_000]),
        ("network:example", &[40_000]),
        // Where a country is known, its range does not matter.
        ("country:documentation", &[]),
        ("country:private", &[40_003]),
        ("!country:DE !country:private", &[40_001, 40_002]),
    ] {
        assert_eq!(chosen(&report, filter), ports, "{filter}");
    }
    let groups = report.countries();
    let shown: Vec<_> = groups
        .iter()
        .map(|it| it.key.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(shown, ["DE", "FR", "private", "unknown country"]);
}

#[test]
fn without_databases_ranges_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let report = read(folder.path(), GeoFiles::Off);
    assert!(report.flows.iter().all(|flow| flow.place().is_none()));
    assert_eq!(chosen(&report, "country:documentation"), [40_000, 40_001]);
}

#[test]
fn a_broken_file_is_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let broken = write(folder.path(), "broken.mmdb", b"<html>not found</html>");
    let good = write(folder.path(), "good.mmdb", &countries());
    let report = read(folder.path(), GeoFiles::Files(vec![broken, good]));
    let warning = report.warning.as_deref().unwrap();
    assert!(
        warning.contains("broken.mmdb: not a valid MaxMind database"),
        "{warning}"
    );
    assert_eq!(report.flows[0].country().unwrap().code, "DE");
}

//! Files with more flows than are kept, and with owners that cannot be: what is left out is
//! counted, and what a filter asks for is found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::IpAddr;
use std::time::Duration;

use flowner_core::capture::LinkType;
use flowner_core::capture::pcapng::{Interface, Section, Writer};
use flowner_core::{Config, Filter, Input, Limits, Monitor, Report, select};

/// A UDP datagram from a host and port to another host.
fn datagram(host: u8, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let ip = [
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 11, 0, 0, host, 10, 0, 0, 2, //
        high, low, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4,
    ];
    ip.to_vec()
}

/// A file with these datagrams, each with a comment, a millisecond apart.
fn file(packets: impl IntoIterator<Item = (Vec<u8>, Option<String>)>) -> tempfile::NamedTempFile {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer.interface(&Interface::new(LinkType::RawIp)).unwrap();
    for (number, (data, comment)) in (0_u64..).zip(packets) {
        let time = Duration::from_secs(1_800_000_000) + Duration::from_millis(number);
        let length = u32::try_from(data.len()).unwrap();
        let comments: Vec<&str> = comment.as_deref().into_iter().collect();
        writer
            .packet(interface, time, length, &data, &comments)
            .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), writer.into_inner()).unwrap();
    file
}

fn read(file: &tempfile::NamedTempFile, filter: &Filter) -> std::sync::Arc<Report> {
    let config = Config {
        input: Input::File(file.path().into()),
        filter: filter.clone(),
        limits: Limits {
            flows: 20,
            ended_flows: 30,
            ..Limits::default()
        },
        ..Config::default()
    };
    Monitor::builder(&config).start().unwrap().wait()
}

/// Three hosts, one after the other, with 100 flows each.
fn three_hosts() -> tempfile::NamedTempFile {
    file((1..=3).flat_map(|host| (1..=100).map(move |port| (datagram(host, port), None))))
}

#[test]
fn a_filter_finds_flows_that_no_list_would_have() {
    let file = three_hosts();
    let filter = Filter::parse("host:11.0.0.1 port:1-25").unwrap();
    let report = read(&file, &filter);
    let selected = select(&report, &filter);
    // They are the oldest of all, and all of them are listed.
    assert_eq!(selected.flows.len(), 25);
    assert_eq!(selected.unlisted_flows(), 0);
    assert_eq!(selected.unsearched().flows, 0);
    // Nothing is lost of the others.
    assert_eq!(report.total().packets, 300);
    assert_eq!(report.flows.len() as u64 + report.unlisted_flows(), 300);
    let hosts: u64 = report.hosts().iter().map(|it| it.totals.flows).sum();
    assert_eq!(hosts, 300);
}

#[test]
fn more_than_are_kept_are_counted_with_what_they_add_up_to() {
    let file = three_hosts();
    let filter = Filter::parse("host:11.0.0.2").unwrap();
    let selected = select(&read(&file, &filter), &filter);
    assert_eq!(selected.flows.len(), 30);
    assert_eq!(selected.unlisted_flows(), 70);
    assert_eq!(selected.unlisted().total().bytes, 70 * 32);
    assert_eq!(selected.total().packets, 100);
    let host: IpAddr = "10.0.0.2".parse().unwrap();
    let hosts = selected.hosts();
    let all = hosts.iter().find(|it| it.key == Some(host)).unwrap();
    assert_eq!(all.totals.flows, 100);
    // The result of another filter is unknown.
    let other = Filter::parse("host:11.0.0.1").unwrap();
    let other = select(&read(&file, &filter), &other);
    assert_eq!((other.flows.len(), other.unsearched().flows), (0, 250));
}

#[test]
fn without_a_filter_everything_is_in_the_totals() {
    let report = read(&three_hosts(), &Filter::default());
    assert_eq!((report.flows.len(), report.unlisted_flows()), (50, 250));
    assert_eq!(report.unlisted().total().packets, 250);
    assert_eq!(select(&report, &Filter::default()).total().packets, 300);
}

#[test]
fn claims_that_are_refused_are_counted_and_their_packets_kept() {
    let claim = |pid: u32| format!("flowner: program=systemd pid={pid} verdict=process end=source");
    let pids = [1, 0, 0, 4_194_305, 7];
    let file = file(
        (1..)
            .zip(pids)
            .map(|(port, pid)| (datagram(1, port), Some(claim(pid)))),
    );
    let report = read(&file, &Filter::default());
    assert_eq!(report.refused_claims, 3);
    assert_eq!(report.total().packets, 5);
    let owned = report
        .flows
        .iter()
        .filter(|it| it.owner.is_some() || it.remote_owner.is_some());
    assert_eq!(owned.count(), 2);
    assert!(report.owners_are_claimed());
}

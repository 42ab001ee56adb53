//! Reverse lookups of a running monitor, against a server of this test's own in its own network.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::{IpAddr, UdpSocket};

use flowner_core::{Config, GeoFiles, HostName, Input, Monitor, NameSource};
use flowner_testing::namespace::{ip, is_run_apart, link_to_silence};
use flowner_testing::resolver::{serve, use_server};
use flowner_testing::wait_for;

/// A datagram to that address.
fn talk_to(address: &str) {
    let socket = UdpSocket::bind("10.99.0.1:0").unwrap();
    socket.send_to(b"hello", (address, 9)).unwrap();
}

/// The name of the flow to that address, if there is such a flow.
#[expect(clippy::option_option, reason = "there may be no flow, or no name")]
fn name_of(monitor: &Monitor, address: &str) -> Option<Option<HostName>> {
    let address: IpAddr = address.parse().unwrap();
    let report = monitor.report();
    let flow = report
        .flows
        .iter()
        .find(|flow| flow.remote.ip() == address)?;
    Some(flow.remote_name().cloned())
}

#[test]
fn flows_get_the_names_that_reverse_lookups_tell() {
    if is_run_apart("flows_get_the_names_that_reverse_lookups_tell") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    use_server(folder.path());
    link_to_silence();
    for last in [7, 8, 9, 11, 77] {
        let neighbour = format!("neigh add 192.0.2.{last} lladdr 02:00:00:00:00:01 dev veth0");
        ip(&neighbour);
    }
    let asked = serve();
    let config = Config {
        input: Input::Device("veth0".to_owned()),
        geo: GeoFiles::Off,
        resolve: true,
        ..Config::default()
    };
    let monitor = Monitor::builder(&config).start().unwrap();
    let named = |address: &str| wait_for(address, || name_of(&monitor, address).flatten());
    let was_asked = |last: u8| {
        let name = format!("{last}.2.0.192.in-addr.arpa");
        asked.questions().contains(&name)
    };
    talk_to("192.0.2.7");
    let name = named("192.0.2.7");
    assert_eq!(name.name.as_str(), "host-7.example.org");
    assert_eq!(name.source, NameSource::Reverse);
    assert!(name.observed_at.is_some());
    // Stronger evidence, for which nobody is asked.
    talk_to("192.0.2.77");
    assert_eq!(named("192.0.2.77").source, NameSource::Hosts);
    assert!(!was_asked(77));
    // There is no name, and that is asked once.
    talk_to("192.0.2.8");
    wait_for("a question", || was_asked(8).then_some(()));
    // Nobody looks at the first of these.
    monitor.show_addresses([]);
    talk_to("192.0.2.9");
    wait_for("the flow", || name_of(&monitor, "192.0.2.9"));
    monitor.show_addresses(["192.0.2.11".parse().unwrap()]);
    talk_to("192.0.2.11");
    assert_eq!(named("192.0.2.11").name.as_str(), "host-11.example.org");
    assert!(!was_asked(9));
    assert_eq!(name_of(&monitor, "192.0.2.9"), Some(None));
    monitor.show_addresses(["192.0.2.9", "192.0.2.8"].map(|it| it.parse().unwrap()));
    assert_eq!(named("192.0.2.9").name.as_str(), "host-9.example.org");
    let questions = asked.questions();
    let of_eight = questions.iter().filter(|it| it.starts_with("8.")).count();
    assert_eq!(of_eight, 1, "{questions:?}");
    assert_eq!(name_of(&monitor, "192.0.2.8"), Some(None));
    monitor.stop();
}

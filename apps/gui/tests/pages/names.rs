//! Hosts by their names, and by their addresses.

use flowner_gui::hosts::HostsBy;
use flowner_gui::session::Origin;
use flowner_gui::settings::{Settings, Store};

use super::stage::{self, capture, open};
use super::{DEMO, WINDOW};

#[test]
fn hosts_have_their_names_first_and_their_addresses_beside() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.expect_in_sight("bridge.meet.example.org");
    stage.expect_in_sight("203.0.113.17");
    // Three addresses have this name.
    stage.expect_in_sight("video.example.net");
    stage.expect_in_sight("203.0.113.61 +2");
    stage.click("jitsi-meet");
    stage.expect("program:jitsi-meet");
    for text in ["bridge.meet.example.org", "203.0.113.17:10000"] {
        stage.expect_in_sight(text);
    }
}

#[test]
fn a_key_shows_addresses_in_place_of_names_on_every_page() {
    let (mut stage, file) = stage::open_kept(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    let name = "bridge.meet.example.org";
    stage.expect(name);
    stage.type_text("n");
    stage.expect_no(name);
    stage.expect("203.0.113.17");
    assert_eq!(Store::at(&file).load().hosts, HostsBy::Address);
    stage.click("Inspect");
    stage.expect("203.0.113.17:10000");
    assert!(!stage.has(name) && !stage.has("Name"));
    // Columns are those that are seen: the first click sorts by that one.
    stage.click("Remote");
    stage.type_text("/");
    stage.expect("Service");
    stage.type_text("program:jitsi-meet port:10000");
    stage.expect_no("firefox");
    stage.click("203.0.113.17:10000");
    // The evidence of a flow is there either way.
    stage.expect("REMOTE END");
    stage.click("Open program");
    stage.expect("Traffic of this program");
    stage.expect("203.0.113.17");
    assert!(!stage.has(name));
    stage.type_text("n");
    stage.expect(name);
    assert_eq!(Store::at(&file).load().hosts, HostsBy::Name);
}

#[test]
fn a_flow_tells_how_its_name_is_known() {
    for (query, chosen, told) in [
        (
            "name:downloads.example.org",
            "downloads.example.org",
            "downloads.example.org\nThe client names it in TLS (SNI), ",
        ),
        (
            "name:bridge.meet.example.org",
            "bridge.meet.example.org",
            "bridge.meet.example.org\nA DNS answer leads to this address, ",
        ),
        // What a lookup asks for.
        ("dns:git.example.com", "systemd-resolved", "git.example.com"),
    ] {
        let mut stage = open(DEMO, &Settings::default(), WINDOW);
        stage.expect("finished");
        stage.type_text("/");
        stage.expect("Service");
        stage.type_text(query);
        stage.expect_no("firefox");
        stage.click(chosen);
        stage.expect("REMOTE END");
        stage.until(|stage| stage.has_part(told));
    }
}

#[test]
fn names_are_sorted_and_searched() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Inspect");
    stage.click("Name");
    stage.expect_in_sight("bridge.meet.example.org");
    stage.type_text("/");
    stage.expect("Service");
    stage.type_text("name:meet.example.org");
    stage.expect_no("firefox");
    let both = ["bridge.meet.example.org", "meet.example.org"];
    stage.until(|stage| both.iter().all(|name| stage.has(name)));
    assert_eq!(stage.topmost(&both), both[0]);
}

#[test]
fn without_names_from_packets_there_are_addresses() {
    let settings = Settings {
        names: false,
        ..Settings::default()
    };
    let mut stage = open(DEMO, &settings, WINDOW);
    stage.expect("finished");
    stage.expect("203.0.113.17");
    assert!(!stage.has("bridge.meet.example.org"));
    stage.type_text(",");
    stage.expect("Names from packets");
    stage.click("On");
    stage.click("Overview");
    // As the page says: the next capture has them.
    stage.expect("203.0.113.17");
}

#[test]
fn names_from_the_network_are_shown_masked_and_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture::with_hostile_hosts(folder.path());
    let mut stage = open(Some(Origin::File(file)), &Settings::default(), WINDOW);
    stage.expect("finished");
    let name = capture::hostile_host();
    stage.until(|stage| stage.has(&name));
    stage.check_shown();
    stage.click("Inspect");
    stage.expect("203.0.113.1:80");
    stage.check_shown();
    stage.click("203.0.113.1:80");
    stage.until(|stage| stage.has_part("The client names it in HTTP (Host)"));
    stage.check_shown();
    stage.click("Overview");
    stage.expect("Owners");
    stage.click(&name.escape_default().to_string());
    // It is searched for as it is shown.
    stage.until(|stage| stage.has_part("name:\""));
    stage.expect("203.0.113.1:80");
    stage.expect_no("203.0.113.2:80");
    stage.check_shown();
}

//! Through every page, as a user would go.

#[path = "pages/names.rs"]
mod names;
mod stage;

use std::path::PathBuf;

use flowner_core::Demo;
use flowner_gui::session::Origin;
use flowner_gui::settings::{Settings, Store};
use flowner_gui::theme::Scheme;
use iced::Size;

use stage::{capture, open};

const WINDOW: Size = Size::new(1180.0, 740.0);
const DEMO: Option<Origin> = Some(Origin::Demo(Demo::Recorded));

#[test]
fn the_demo_is_overviewed() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("DEMO");
    stage.expect("Demo: this traffic is made up, on a host that does not exist");
    stage.expect("finished");
    for text in [
        "Programs",
        "Hosts",
        "Services",
        "firefox",
        "jitsi-meet",
        "Unknown: not permitted",
    ] {
        stage.expect(text);
    }
    // The most bytes first.
    assert_eq!(stage.topmost(&["restic", "firefox", "curl"]), "firefox");
}

#[test]
fn the_start_page_leads_to_the_demo() {
    let mut stage = open(None, &Settings::default(), WINDOW);
    stage.expect("Watch a device");
    stage.expect("likely");
    stage.click("Play the demo");
    stage.expect("live");
    stage.expect("firefox");
}

#[test]
fn a_click_on_a_host_filters_inspect() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("bridge.meet.example.org");
    stage.expect("name:bridge.meet.example.org");
    stage.expect("203.0.113.17:10000");
    stage.expect_no("firefox");
    // By its address, where addresses are listed.
    stage.run("type escape");
    stage.click("Overview");
    stage.expect("Owners");
    stage.click("Addresses");
    stage.click("203.0.113.17");
    stage.expect("host:203.0.113.17");
    stage.expect("203.0.113.17:10000");
    stage.expect_no("firefox");
}

#[test]
fn a_click_on_a_reason_shows_its_flows() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Unknown: forwarded");
    stage.expect("reason:forwarded");
    stage.click("unknown: forwarded");
    stage.expect("Unknown: forwarded: neither end is on this host.");
}

#[test]
fn flows_are_sorted_by_any_column() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Inspect");
    for (head, texts, first) in [
        ("Total", ["jitsi-meet", "curl"], "jitsi-meet"),
        ("PID", ["ssh", "avahi-daemon"], "avahi-daemon"),
        ("User", ["_apt", "ada"], "_apt"),
    ] {
        stage.click(head);
        stage.until(|stage| stage.has(first));
        assert_eq!(stage.topmost(&texts), first, "{head}");
    }
}

#[test]
fn search_is_the_language_of_the_command_line() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.type_text("/");
    stage.expect("Service");
    stage.type_text("program:ssh prot:tcp");
    stage.expect("unknown key `prot`; did you mean `proto`?");
    stage.expect("  program:ssh prot:tcp\n              ^^^^");
    // Out of the field, then out of the search.
    stage.run("type escape");
    stage.run("type escape");
    stage.expect_no("unknown key `prot`; did you mean `proto`?");
}

#[test]
fn nothing_matches_and_that_can_be_undone() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.type_text("/");
    stage.expect("Service");
    stage.type_text("program:nosuchprogram");
    stage.expect("Nothing matches");
    stage.click("Clear the search");
    stage.expect("firefox");
}

#[test]
fn a_flow_tells_how_its_owner_is_known_and_opens_its_program() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Inspect");
    stage.click("jitsi-meet");
    stage.expect("jitsi-meet (pid 4410) holds the socket.");
    stage.expect("/opt/jitsi-meet/jitsi-meet");
    stage.click("Open program");
    stage.expect("Traffic of this program");
    stage.expect("Processes");
    stage.expect("4410");
    stage.run("type escape");
    stage.expect("Programs");
}

#[test]
fn themes_are_chosen_and_kept() {
    let (mut stage, file) = stage::open_kept(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.type_text(",");
    stage.click("Ember");
    stage.click("Packets");
    stage.click("125 %");
    let kept = Store::at(&file).load();
    assert_eq!(kept.scheme, Scheme::Ember);
    assert_eq!(kept.zoom, 125);
    stage.run("type escape");
    stage.expect("k pkt");
}

#[test]
fn columns_are_hidden_and_shown() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Inspect");
    stage.expect("PID");
    stage.type_text("c");
    stage.expect("Columns");
    stage.click("Duration");
    stage.click("Done");
    stage.expect_no("Columns");
    stage.expect("Duration");
}

#[test]
fn what_is_shown_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, head) in [
        ("CSV", "flows.csv", "protocol,local_address,"),
        (
            "JSON lines",
            "flows.jsonl",
            "{\"type\":\"start\",\"schema\":3",
        ),
    ] {
        let path: PathBuf = folder.path().join(name);
        let mut stage = open(DEMO, &Settings::default(), WINDOW);
        stage.expect("finished");
        stage.type_text("/");
        stage.expect("Service");
        stage.type_text("program:jitsi-meet");
        stage.expect_no("firefox");
        stage.run("type escape");
        stage.type_text("e");
        stage.click(format);
        stage.replace("network-flows", &path.display().to_string());
        stage.click("Write");
        stage.until(|stage| stage.has("Wrote 2 flows"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(head), "{text}");
        let flows = text
            .lines()
            .filter(|line| line.contains("jitsi-meet"))
            .count();
        assert_eq!(flows, 2, "{text}");
        assert!(!text.contains("firefox"));
    }
}

#[test]
fn help_is_one_key_away() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.type_text("?");
    stage.expect("Reverse the order");
    stage.run("type escape");
    stage.expect_no("Reverse the order");
}

#[test]
fn buttons_are_reached_and_pressed_by_keys() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    // Start, Overview, Inspect.
    for _ in 0..3 {
        stage.reach_next();
    }
    stage.run("type enter");
    stage.expect("Service");
    // Program; nothing can be paused or stopped; the settings.
    stage.reach_next();
    stage.reach_next();
    stage.run("type enter");
    stage.expect("Theme");
    // Away from the button, then from the page.
    stage.run("type escape");
    stage.expect("Theme");
    stage.run("type escape");
    stage.expect("Programs");
}

#[test]
fn below_a_sheet_nothing_is_reached() {
    let mut stage = open(DEMO, &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.click("Inspect");
    stage.expect("PID");
    stage.type_text("c");
    stage.expect("Columns");
    // The first of the sheet.
    stage.reach_next();
    stage.run("type enter");
    stage.until(|stage| stage.times("Program") == 2);
    stage.run("type escape");
    stage.run("type escape");
    stage.expect_no("Columns");
}

#[test]
fn a_file_that_cannot_be_read_is_said_so() {
    let origin = Origin::File("/no/such/file.pcap".into());
    let mut stage = open(Some(origin), &Settings::default(), WINDOW);
    stage.until(|stage| stage.has_part("/no/such/file.pcap"));
    stage.expect("Watch a device");
}

#[test]
fn a_file_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pcap");
    // A pcap header, and no packet.
    let header: [u8; 24] = [
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    ];
    std::fs::write(&path, header).unwrap();
    let mut stage = open(Some(Origin::File(path)), &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.expect("The file was read to its end; no packet is in it");
    stage.click("Inspect");
    stage.expect("No flows");
}

#[test]
fn packets_of_no_flow_are_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = Origin::File(capture::of_no_flow(folder.path()));
    let mut stage = open(Some(file), &Settings::default(), WINDOW);
    stage.expect("finished");
    let why = "2 packets in this file, but none of a flow: 2 not IP (ARP, for instance).";
    stage.expect(why);
    stage.expect("2 packets, 2 in no flow");
    stage.click("Inspect");
    stage.expect(why);
}

/// In a corner of a screen, or at twice the size, everything can be reached.
#[test]
fn in_a_narrow_window_one_list_stands_below_the_chart() {
    let mut stage = open(DEMO, &Settings::default(), Size::new(560.0, 420.0));
    for text in ["firefox", "Out", "Received", "Traffic"] {
        stage.expect_in_sight(text);
    }
    stage.click("Hosts");
    for text in ["bridge.meet.example.org", "Names", "Addresses"] {
        stage.expect_in_sight(text);
    }
    stage.expect_no("firefox");
    stage.click("Owners");
    stage.expect_in_sight("Named");
    // Keys choose programs.
    stage.run("type \"j\"");
    stage.expect_in_sight("firefox");
    stage.run("type enter");
    for text in ["firefox", "First seen", "Processes", "Flows"] {
        stage.expect_in_sight(text);
    }
}

#[test]
fn sheets_fit_into_a_narrow_window() {
    let mut stage = open(DEMO, &Settings::default(), Size::new(480.0, 360.0));
    stage.expect("In at the end");
    stage.click("Inspect");
    stage.expect("firefox");
    stage.type_text("c");
    for text in ["Columns", "Idle", "Received", "Done"] {
        stage.expect_in_sight(text);
    }
    stage.run("type escape");
    stage.type_text("e");
    for text in ["Export", "Choose …", "Write"] {
        stage.expect_in_sight(text);
    }
}

#[test]
fn in_a_narrow_window_devices_have_their_names() {
    let mut stage = open(None, &Settings::default(), Size::new(480.0, 420.0));
    for text in ["Watch a device", "lo", "likely", "Watch"] {
        stage.expect_in_sight(text);
    }
}

#[test]
fn settings_wrap_in_a_narrow_window() {
    let mut stage = open(DEMO, &Settings::default(), Size::new(600.0, 1_000.0));
    stage.expect("In at the end");
    stage.type_text(",");
    for text in ["Contrast", "200 %", "Packets"] {
        stage.expect_in_sight(text);
    }
}

/// Where a picture is compared, because texts are told wherever they are scrolled to.
#[test]
fn keys_scroll_what_does_not_fit() {
    for (key, moved) in [(",", "Theme"), ("?", "Global")] {
        let pictures = [0, 0, 4].map(|times| {
            let size = Size::new(800.0, 300.0);
            let mut stage = open(DEMO, &Settings::default(), size);
            stage.expect("finished");
            stage.type_text(key);
            stage.expect(moved);
            for _ in 0..times {
                stage.press("type \"j\"");
            }
            stage.picture(1.0).rgba
        });
        assert_eq!(pictures[0], pictures[1], "{key}");
        assert_ne!(pictures[1], pictures[2], "{key}");
    }
}

#[test]
fn a_long_name_leaves_room_for_what_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{}.pcap", "long".repeat(40)));
    std::fs::rename(capture::of_another_host(folder.path()), &path).unwrap();
    let size = Size::new(800.0, 520.0);
    let mut stage = open(Some(Origin::File(path)), &Settings::default(), size);
    stage.expect_in_sight("finished");
    stage.until(|stage| stage.has_part("longlonglong"));
}

/// Wherever there is less room, nothing fails and the matter is still there.
#[test]
fn small_windows_have_everything() {
    for size in [
        Size::new(480.0, 360.0),
        Size::new(800.0, 520.0),
        Size::new(1024.0, 640.0),
        Size::new(1920.0, 1080.0),
    ] {
        let mut stage = open(DEMO, &Settings::default(), size);
        stage.expect("In at the end");
        stage.expect("firefox");
        stage.click("Inspect");
        stage.expect("Service");
        let picture = stage.picture(1.0);
        let colors: std::collections::HashSet<&[u8]> = picture.rgba.chunks(4).collect();
        assert!(colors.len() > 100, "{size:?}: {}", colors.len());
    }
}

#[test]
fn whose_capture_a_file_is_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = Origin::File(capture::of_another_host(folder.path()));
    let mut stage = open(Some(file), &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.expect("The file was read to its end, seen from 192.168.7.9, which is a guess");
    // Remote ends are those of the host that stands out.
    stage.expect("203.0.113.3");
    stage.click("Change …");
    stage.expect("Which host captured this file?");
    stage.type_text("nowhere");
    stage.click("Read again");
    stage.expect(
        "`nowhere` is not a valid address; expected one like 10.0.0.1, fe80::1 or 10.0.0.0/8",
    );
    stage.replace("nowhere", "203.0.113.0/24");
    stage.run("type enter");
    stage.expect("The file was read to its end, seen from 203.0.113.0/24");
    stage.expect("192.168.7.9");
    stage.expect_no("203.0.113.3");
    // By its key, and left again.
    stage.type_text("w");
    stage.expect("Which host captured this file?");
    stage.click("Cancel");
    stage.expect_no("Which host captured this file?");
}

#[test]
fn a_file_can_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture::of_another_host(folder.path());
    let mut stage = open(None, &Settings::default(), WINDOW);
    stage.expect("Watch a device");
    let path = path.display().to_string();
    let (wrong, rest) = path.split_at(path.len() - 1);
    stage.click("or type its path");
    stage.type_text(wrong);
    stage.run("type enter");
    stage.expect(&format!("{wrong}: there is no such file"));
    stage.type_text(rest);
    stage.run("type enter");
    stage.expect("finished");
    stage.expect("203.0.113.3");
}

#[test]
fn what_others_wrote_is_shown_on_no_page_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = capture::with_hostile_names(folder.path());
    let mut stage = open(Some(Origin::File(file)), &Settings::default(), WINDOW);
    stage.expect("finished");
    stage.check_shown();
    // Containers have their name behind the name of the program.
    let name = flowner_core::text::mask(capture::HOSTILE).into_owned();
    stage.until(|stage| stage.has_part(&name));
    stage.click("Inspect");
    stage.check_shown();
    for (host, words) in [
        ("203.0.113.1:53", "pid 71"),
        ("203.0.113.2:53", "CANDIDATES"),
        ("203.0.113.3:53", "As the file claims"),
        ("203.0.113.4:53", "As the file claims"),
    ] {
        stage.click(host);
        stage.until(|stage| stage.has_part(words));
        stage.check_shown();
    }
    stage.click("203.0.113.1:53");
    stage.until(|stage| stage.has_part("pid 71"));
    stage.click("Open program");
    stage.expect("Traffic of this program");
    stage.until(|stage| stage.has("71"));
    stage.check_shown();
    // Its name is searched for as it is shown, which stands in a field.
    stage.run("type enter");
    stage.until(|stage| stage.has_part("program:\""));
    stage.expect("203.0.113.2:53");
    stage.expect_no("203.0.113.4:53");
    stage.check_shown();
    for page in [",", "?"] {
        stage.type_text(page);
        stage.check_shown();
        stage.run("type escape");
    }
    assert_eq!(stage.title(), format!("{name}.pcapng – Flowner"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_as_it_may_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(capture::HOSTILE);
    let mut stage = open(Some(Origin::File(path)), &Settings::default(), WINDOW);
    stage.expect("Watch a device");
    stage.until(|stage| stage.has_part(r"a\x1b[31mb"));
    stage.check_shown();
}

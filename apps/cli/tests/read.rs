//! `flowner read` on real files, damaged files and files that are none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::lines::Lines;
use common::{captures, json_lines, run, stderr, stdout};
use flowner_testing::mmdb::{Value, database};
use tempfile::TempDir;

/// A classic pcap header: little-endian, microseconds, a link type.
fn pcap_header(link_type: u8) -> Vec<u8> {
    let mut header = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    header.extend([0; 8]);
    header.extend([0, 0, 4, 0, link_type, 0, 0, 0]);
    header
}

/// A packet at a second: an IPv4 datagram of UDP with four bytes, port to port.
fn packet(second: u8, [from, from_port]: [u8; 2], [to, to_port]: [u8; 2]) -> Vec<u8> {
    let ip = [
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to, //
        0, from_port, 0, to_port, 0, 12, 0, 0, 1, 2, 3, 4,
    ];
    let length = [32, 0, 0, 0];
    [&[second, 0, 0, 0, 0, 0, 0, 0][..], &length, &length, &ip].concat()
}

fn file(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("test.pcap");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, more: &[&str]) -> Output {
    run(&[&["read", path.to_str().unwrap()], more].concat())
}

/// As while a recording writes into it: the whole packets are read, and a warning names the rest.
#[test]
fn a_file_that_grows_meanwhile_is_read_as_far_as_it_is_whole() {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let output = loop {
        let output = read_while_it_grows();
        // A busy machine may keep the writer from its turn all the time that the file is read.
        if output.status.code() == Some(0) || std::time::Instant::now() > deadline {
            break output;
        }
        assert!(stderr(&output).contains("is cut off"), "{output:?}");
    };
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = json_lines(&stdout(&output));
    let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of_type("warning"), of_type("flow")), (1, 1), "{lines:#?}");
    let summary = lines.last().unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(summary["total"]["packets"], 1, "{summary}");
}

/// Reads a file with one packet and the beginning of another that never ends.
fn read_while_it_grows() -> Output {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = pcap_header(101);
    bytes.extend(packet(1, [1, 53], [2, 99]));
    // The next one has begun.
    let length = [0, 0, 1, 0];
    bytes.extend([&[2, 0, 0, 0, 0, 0, 0, 0][..], &length, &length].concat());
    let path = file(&folder, &bytes);
    let mut writer = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    let mut child = common::flowner()
        .args(["read", "--json"])
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It grows until the end, and never has all of that packet.
    let mut written = 0;
    while child.try_wait().unwrap().is_none() {
        if written < 60_000 {
            writer.write_all(&[0]).unwrap();
            written += 1;
        }
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn every_capture_file_gives_the_same_twice_and_never_fails_badly() {
    let Some(folder) = captures() else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() > 800, "{} files", files.len());
    let mut whole = 0;
    let schema = Lines::new();
    for path in &files {
        let first = read(path, &["--json"]);
        let second = read(path, &["--json"]);
        let name = path.display();
        assert_eq!(first.stdout, second.stdout, "{name}");
        let code = first.status.code();
        assert!(
            matches!(code, Some(0 | 2)),
            "{name}: {code:?} {}",
            stderr(&first)
        );
        // Messages say what is wrong, what was guessed, and what is odd.
        let said = stderr(&first);
        let is_told = |line: &str| line.starts_with("flowner: taking ") || line.contains(" with ");
        let wrong = said.lines().filter(|line| !is_told(line)).count();
        assert_eq!(code == Some(2), wrong > 0, "{name}: {said}");
        let lines = json_lines(&stdout(&first));
        if let Some(summary) = lines.last() {
            schema.check(&lines);
            assert_eq!(summary["type"], "summary", "{name}");
            let counted: u64 = lines
                .iter()
                .filter(|line| line["type"] == "flow")
                .map(|flow| {
                    let of = |direction: &str| flow[direction]["packets"].as_u64().unwrap();
                    of("sent") + of("received")
                })
                .sum();
            let lost: u64 = summary["undecodable"]
                .as_object()
                .unwrap()
                .values()
                .map(|kind| kind["packets"].as_u64().unwrap())
                .sum();
            assert_eq!(summary["total"]["packets"], counted + lost, "{name}");
        }
        whole += usize::from(code == Some(0));
    }
    // Most are of link types that are decoded; a change that loses them shows here.
    assert!(
        whole > 500,
        "only {whole} of {} files were read",
        files.len()
    );
}

#[test]
fn flows_hosts_services_and_a_filter() {
    let folder = tempfile::tempdir().unwrap();
    let packets = [
        pcap_header(101),
        packet(1, [2, 200], [9, 53]),
        packet(2, [9, 53], [2, 200]),
        packet(5, [3, 201], [9, 123]),
    ];
    let path = file(&folder, &packets.concat());
    let flows = json_lines(&stdout(&read(&path, &["--json", "--local", "10.0.0.2"])));
    assert_eq!(flows[0]["schema"], 3);
    assert_eq!(flows[1]["direction"], "outgoing");
    assert_eq!(flows[1]["sent"]["bytes"], 32);
    assert_eq!(flows[1]["owner"], serde_json::Value::Null);
    assert_eq!(flows[2]["direction"], "forwarded");

    for (arguments, expected) in [
        (&["--by", "host"][..], "10.0.0.9"),
        (&["--by", "name"], "no name"),
        (&["--by", "domain"], "no name"),
        (&["--by", "country"], "private"),
        (&["--by", "network"], "private"),
        (&["--by", "service"], "(udp/53)"),
        (&["--by", "protocol"], "udp"),
        (&["--by", "program"], "unknown"),
        (&["--by", "process"], "unknown"),
        (&["--by", "unit"], "no unit"),
        (&["--by", "container"], "no container"),
        (&["--by", "pod"], "no pod"),
        (&["--by", "flow"], "10.0.0.2:200"),
    ] {
        let output = read(&path, arguments);
        assert!(output.status.success());
        let text = stdout(&output);
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert!(text.contains("3 packets, 96 B in 2 flows, 4.0 s"), "{text}");
        assert!(!text.contains('\u{1b}'), "colours in a pipe: {text}");
    }
    let filtered = stdout(&read(&path, &["--filter", "port:123"]));
    assert!(filtered.contains("10.0.0.3:201") && !filtered.contains("10.0.0.2:200"));
    let bpf = stdout(&read(&path, &["-f", "udp port 123"]));
    assert!(bpf.contains("1 packet,"), "{bpf}");
}

/// Bytes of a file, arguments, part of what is said, part of what is shown.
#[track_caller]
fn check(bytes: &[u8], arguments: &[&str], said: &str, shown: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, bytes);
    let output = read(&path, arguments);
    assert_eq!(output.status.code(), Some(2));
    let (text, error) = (stdout(&output), stderr(&output));
    assert!(error.contains(said), "{said:?} in {error:?}");
    assert!(error.starts_with("flowner: "), "{error:?}");
    assert!(text.contains(shown), "{shown:?} in {text:?}");
    if shown.is_empty() {
        assert_eq!(text, "");
    }
}

/// Neither is an error: a file with headers alone, and frames that are not of a network.
#[test]
fn frames_that_cannot_be_decoded_are_counted_by_their_link_type() {
    let folder = tempfile::tempdir().unwrap();
    let empty = read(&file(&folder, &pcap_header(189)), &[]);
    assert!(empty.status.success(), "{}", stderr(&empty));
    let header = [0; 8];
    let length = [4, 0, 0, 0];
    let bytes = [&pcap_header(189)[..], &header, &length, &length, &[7; 4]].concat();
    let usb = read(&file(&folder, &bytes), &[]);
    assert!(usb.status.success(), "{}", stderr(&usb));
    let expected = "frames in no flow: link-type:USB_LINUX 1";
    assert!(stdout(&usb).contains(expected), "{}", stdout(&usb));
}

#[test]
fn what_is_odd_about_a_file_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = [pcap_header(101), packet(1, [1, 53], [2, 99])].concat();
    bytes[24 + 12] = 20;
    let odd = read(&file(&folder, &bytes), &[]);
    assert!(odd.status.success(), "{}", stderr(&odd));
    let expected = "1 packet with more captured bytes than bytes on the wire";
    assert!(stderr(&odd).contains(expected), "{}", stderr(&odd));
}

#[test]
fn bad_files_are_errors_that_say_so() {
    let good = [pcap_header(101), packet(1, [2, 200], [9, 53])].concat();
    check(&[], &[], "empty", "");
    check(
        b"not a capture at all, but text",
        &[],
        "no pcap or pcapng file",
        "",
    );
    check(&good[..10], &[], "test.pcap", "");
    // What was whole is counted and shown.
    let truncated = [&good[..], &packet(2, [9, 53], [2, 200])[..20]].concat();
    check(&truncated, &[], "partial", "1 packet, 32 B in 1 flow");
    check(&truncated, &["--json"], "partial", "\"packets\":1");
    check(&good, &["-f", "tcp prot 1"], "tcp prot 1", "");
    check(&good, &["--filter", "prot:tcp"], "prot:tcp", "");
    check(&good, &["--filter", "port:99999"], "^^^^^", "");
    check(&good, &["--filter", "(port:1"], ")", "");
}

#[test]
fn files_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none.pcap"), folder.path().to_owned()] {
        let output = read(&path, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(path.to_str().unwrap()));
    }
}

#[test]
fn undecodable_frames_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut bad = packet(1, [2, 200], [9, 53]);
    bad[16] = 0x95;
    let path = file(
        &folder,
        &[pcap_header(101), bad, packet(1, [2, 200], [9, 53])].concat(),
    );
    let output = read(&path, &[]);
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.contains("2 packets, 64 B in 1 flow"), "{text}");
    assert!(text.contains("frames in no flow: malformed 1"), "{text}");
}

#[test]
fn standard_input() {
    use std::io::Write;
    use std::process::Stdio;

    let mut child = common::flowner()
        .args(["read", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = [pcap_header(101), packet(1, [2, 200], [9, 53])].concat();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(stdout(&output).contains("1 packet, 32 B in 1 flow"));
}

/// A host with private address 2 and five servers, and a datagram of another host.
fn of_a_host(folder: &TempDir) -> PathBuf {
    let servers = (10..15).map(|server| packet(server, [2, 200], [server, 53]));
    let packets: Vec<Vec<u8>> = servers.collect();
    let others = packet(20, [7, 200], [8, 53]);
    file(
        folder,
        &[pcap_header(101), packets.concat(), others].concat(),
    )
}

#[test]
fn the_addresses_of_the_host_can_be_inferred_given_and_left_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_a_host(&folder);
    let directions = |arguments: &[&str]| {
        let output = read(&path, &[&["--json"], arguments].concat());
        assert!(output.status.success());
        let lines = json_lines(&stdout(&output));
        let flows = lines.iter().filter(|line| line["type"] == "flow");
        let directions: Vec<_> = flows
            .map(|flow| flow["direction"].as_str().unwrap().to_owned())
            .collect();
        let head = lines[0].clone();
        (
            head,
            directions[0].clone(),
            directions[5].clone(),
            stderr(&output),
        )
    };
    let (head, ours, others, said) = directions(&[]);
    assert_eq!(head["local"], serde_json::json!(["10.0.0.2"]));
    assert_eq!(head["local_from"], "inferred");
    assert_eq!((ours.as_str(), others.as_str()), ("outgoing", "forwarded"));
    assert!(said.contains("taking 10.0.0.2 for the host"), "{said}");
    assert_eq!(said.lines().count(), 1);

    let (head, ours, others, said) = directions(&["--local", "none"]);
    assert_eq!(head.get("local"), None);
    assert_eq!((ours.as_str(), others.as_str()), ("unknown", "unknown"));
    assert_eq!(said, "");

    let (head, ours, others, said) = directions(&["--local", "10.0.0.8/29"]);
    assert_eq!(head.get("local"), None);
    assert_eq!((ours.as_str(), others.as_str()), ("incoming", "incoming"));
    assert_eq!(said, "");
    let output = read(&path, &["--local", "10.0.0.0/33"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_part_of_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_a_host(&folder);
    let check = |arguments: &[&str], expected: &str| {
        let text = stdout(&read(&path, &[arguments, &["--local", "none"]].concat()));
        assert!(text.contains(expected), "{arguments:?}: {text}");
    };
    check(&[], "6 packets");
    check(&["--from", "+1s"], "5 packets");
    check(&["--to", "+1s"], "2 packets");
    check(
        &["--from", "1970-01-01T00:00:11Z", "--to", "+3s"],
        "3 packets",
    );
    let output = read(&path, &["--from", "yesterday"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is not a valid time"));
}

#[test]
fn comma_separated_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = of_a_host(&folder);
    let csv = |arguments: &[&str]| {
        let output = read(&path, &[&["--csv", "--local", "none"], arguments].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let flows = csv(&["--top", "2"]);
    let lines: Vec<_> = flows.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{flows}");
    assert!(lines[0].starts_with("protocol,local_address,local_port,"));
    assert!(
        lines[1].starts_with("udp,10.0.0.2,200,10.0.0.10,53,unknown,"),
        "{flows}"
    );
    for (by, head) in [
        ("program", "program,flows,"),
        ("process", "process,pid,user,flows,"),
        ("host", "host,flows,"),
        ("service", "service,protocol,port,flows,"),
        ("protocol", "protocol,flows,"),
        ("unit", "kind,unit,container,image,pod,flows,"),
        ("container", "kind,unit,container,image,pod,flows,"),
        ("pod", "namespace,pod,flows,"),
    ] {
        let text = csv(&["--by", by]);
        assert!(text.starts_with(head), "{by}: {text}");
        assert!(text.lines().count() > 1);
    }
    let output = read(&path, &["--csv", "--json"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn countries_and_networks_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        &[pcap_header(228), packet(1, [2, 200], [9, 53])].concat(),
    );
    let text = Value::Text;
    let record = Value::Map(vec![
        ("country", Value::Map(vec![("iso_code", text("DE"))])),
        ("autonomous_system_number", Value::Number(64_496)),
        (
            "autonomous_system_organization",
            text("Example\u{1b}[31m Net"),
        ),
    ]);
    let databases = folder.path().join("test.mmdb");
    std::fs::write(&databases, database("test", &[("10.0.0.9/32", record)])).unwrap();
    let geo = databases.to_str().unwrap();
    let local = ["--local", "10.0.0.2", "--geo"];
    let table = |by, geo| stdout(&read(&path, &[&local[..], &[geo, "--by", by]].concat()));
    assert!(table("country", geo).contains(" DE\n"));
    // The author of the file cannot control the terminal.
    let networks = table("network", geo);
    assert!(
        networks.contains("AS64496 Example\\x1b[31m Net"),
        "{networks}"
    );
    assert!(table("country", "none").contains(" private\n"));
    let flows = stdout(&read(
        &path,
        &[&local[..], &[geo, "--json", "--filter", "asn:64496"]].concat(),
    ));
    let flow = &json_lines(&flows)[1];
    assert_eq!(
        (&flow["country"], &flow["range"]),
        (&"DE".into(), &"private".into()),
        "{flow}"
    );
    // A file that is none is said, and the rest goes on.
    let broken = path.to_str().unwrap();
    let output = read(&path, &["--geo", broken]);
    assert!(output.status.success());
    let said = stderr(&output);
    assert_eq!(
        said.matches("not a valid MaxMind database").count(),
        1,
        "{said}"
    );
}

//! The names in the capture files, beside those that tshark finds in them.
//!
//! The page `docs/captures.md` of the crate `flowner-names` has the outcome.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(clippy::print_stdout, reason = "the lines are read by people")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use flowner_capture::{Next, Source};
use flowner_names::NameEvidence;

use super::{Ends, NameInput};

/// The files in which tshark has a name that is not found here; the page has the reasons.
const EXPLAINED: &[&str] = &["LINKTYPE_IPV4_invalid.pcap", "LINKTYPE_USER2_PKTAP.pcap"];

const FIELDS: [&str; 4] = [
    "frame.number",
    "dns.qry.name",
    "tls.handshake.extensions_server_name",
    "http.host",
];

/// What was named in a flow, and how.
type Names = BTreeMap<Ends, BTreeSet<(&'static str, String)>>;

/// The names of a file here, and the flow of each packet by its number.
fn ours(path: &Path) -> (Names, BTreeMap<u64, Ends>) {
    let (mut names, mut flows) = (Names::new(), BTreeMap::new());
    let Ok(mut source) = Source::file(path, None) else {
        return (names, flows);
    };
    let mut input = NameInput::default();
    let mut found = Vec::new();
    let mut number = 0;
    while let Ok(Next::Packet(packet)) = source.next() {
        number += 1;
        let Ok(headers) = packet.headers() else {
            continue;
        };
        let Some(ports) = headers.ports else {
            continue;
        };
        let ends = Ends::of(&headers, ports);
        flows.insert(number, ends);
        input.read(&headers, &packet, &mut found);
        let of = names.entry(ends).or_default();
        for evidence in found.drain(..) {
            match evidence {
                NameEvidence::Server { name, source, .. } => {
                    let kind = match source.name() {
                        "http" | "proxy" => "http",
                        _ => "tls",
                    };
                    of.insert((kind, name.name.to_string()));
                }
                NameEvidence::Message { message, .. } => {
                    let questions = message.questions.iter();
                    of.extend(questions.map(|question| ("dns", question.name.to_string())));
                }
                _ => {}
            }
        }
    }
    (names, flows)
}

/// What tshark says of each packet: its number, how, and the name.
fn theirs(path: &Path) -> Vec<(u64, &'static str, String)> {
    let mut tshark = Command::new("tshark");
    tshark.args([
        "-n",
        "-T",
        "fields",
        "-E",
        "separator=|",
        "-E",
        "aggregator=;",
    ]);
    tshark.args(["-Y", &FIELDS[1..].join(" or ")]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.arg("-r").arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut all = Vec::new();
    for line in text.lines() {
        let mut columns = line.split('|');
        let Some(number) = columns.next().and_then(|number| number.parse().ok()) else {
            continue;
        };
        for (kind, names) in ["dns", "tls", "http"].into_iter().zip(columns) {
            let names = names.split(';').filter_map(host);
            all.extend(names.map(|name| (number, kind, name)));
        }
    }
    all
}

/// As a name is written here; `None` of an address, and of what tshark says of a name that is none.
fn host(text: &str) -> Option<String> {
    if text == "<Root>" {
        return Some(".".to_owned());
    }
    if text.starts_with('<') {
        return None;
    }
    let bytes = text.as_bytes();
    let text = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.as_bytes(),
        _ => bytes,
    };
    flowner_names::Name::from_text(text).map(|name| name.to_string())
}

#[test]
#[ignore = "minutes: tshark reads 830 files"]
fn names_are_those_of_tshark() {
    if Command::new("tshark").arg("--version").output().is_err() {
        flowner_testing::skipped!("tshark is not installed");
        return;
    }
    let folder = std::env::var_os("FLOWNER_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(folder.join("tcpdump")) else {
        flowner_testing::skipped!("there are no capture files");
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut files, mut named, mut agree) = (0, 0, 0);
    let mut differ = Vec::new();
    for path in &paths {
        let theirs = theirs(path);
        if theirs.is_empty() {
            continue;
        }
        files += 1;
        let (found, flows) = ours(path);
        let mut missing = BTreeSet::new();
        let mut of_tshark: BTreeMap<Option<Ends>, bool> = BTreeMap::new();
        for (number, kind, name) in theirs {
            let ends = flows.get(&number).copied();
            let ours = ends.and_then(|ends| found.get(&ends));
            let is_found = ours.is_some_and(|ours| ours.contains(&(kind, name.clone())));
            *of_tshark.entry(ends).or_insert(true) &= is_found;
            if !is_found {
                missing.insert(format!("packet {number}: {kind} {name}, not in {ours:?}"));
            }
        }
        named += of_tshark.len();
        agree += of_tshark.values().filter(|agrees| **agrees).count();
        if !missing.is_empty() {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            println!("{file}");
            for line in &missing {
                println!("  {line}");
            }
            differ.push(file);
        }
    }
    println!(
        "{files} files with names, {} agree; {agree} of {named} flows",
        files - differ.len()
    );
    assert_eq!(differ, EXPLAINED);
}

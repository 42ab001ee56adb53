//! Owners that other programs wrote into a capture file are shown as claimed by the file, at the
//! end that is on the capturing host.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowner_core::attribution::{Source, Verdict};
use flowner_core::capture::pcapng::{Interface, PacketOptions, ProcessFacts, Section, Writer};
use flowner_core::capture::{LinkType, PacketOrigin};
use flowner_core::{Config, Input, Monitor, Report};

/// A UDP datagram between port 40000 of a host and port 53 of another.
fn datagram(from: [u8; 4], to: [u8; 4], is_answer: bool) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0];
    let ports: [[u8; 2]; 2] = if is_answer {
        [[0, 53], [0x9c, 0x40]]
    } else {
        [[0x9c, 0x40], [0, 53]]
    };
    packet.extend(from);
    packet.extend(to);
    packet.extend(ports.as_flattened());
    packet.extend([0, 12, 0, 0, 1, 2, 3, 4]);
    packet
}

const HOST: [u8; 4] = [10, 0, 0, 1];
const PEER: [u8; 4] = [10, 0, 0, 2];

/// A question and an answer, each with these options. Those of the answer say that it came in.
fn file(processes: &[ProcessFacts], about: PacketOptions<'_>) -> tempfile::NamedTempFile {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer.interface(&Interface::new(LinkType::RawIp)).unwrap();
    for facts in processes {
        writer.process(facts).unwrap();
    }
    for is_answer in [false, true] {
        let (from, to) = if is_answer {
            (PEER, HOST)
        } else {
            (HOST, PEER)
        };
        let data = datagram(from, to, is_answer);
        let mut about = about;
        if about.origin == PacketOrigin::Sent && is_answer {
            about.origin = PacketOrigin::Received;
        }
        let time = Duration::from_secs(1_800_000_000);
        writer
            .packet_with(interface, time, 32, &data, &about)
            .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), writer.into_inner()).unwrap();
    file
}

fn read(path: &Path, local: &[&str]) -> Arc<Report> {
    let mut config = Config {
        input: Input::File(path.into()),
        ..Config::default()
    };
    config.local_networks = local.iter().map(|it| it.parse().unwrap()).collect();
    Monitor::builder(&config).start().unwrap().wait()
}

/// The pids and names of the owners of the one flow: of the local end, and of the other one.
#[track_caller]
fn owners(path: &Path, local: &[&str]) -> [Option<(u32, String)>; 2] {
    let report = read(path, local);
    assert_eq!((report.flows.len(), report.refused_claims), (1, 0));
    let flow = &report.flows[0];
    [&flow.owner, &flow.remote_owner].map(|owner| {
        let owner = owner.as_ref()?;
        assert_eq!(owner.evidence.source, Source::Recorded);
        let Verdict::Process(process) = &owner.verdict else {
            panic!("{:?}", owner.verdict);
        };
        Some((process.pid, process.name.clone()))
    })
}

fn curl() -> ProcessFacts {
    let mut facts = ProcessFacts::new(1_234);
    facts.name = Some("curl".to_owned());
    facts.path = Some("/usr/bin/curl".to_owned());
    facts
}

#[test]
fn the_forms_of_others() {
    let claims: [(&[ProcessFacts], &[&str], Option<u32>); 3] = [
        (&[curl()], &[], Some(1_234)),
        (
            &[],
            &[
                "PID: 1234\nCmd: /usr/bin/curl\nArgs: curl http://x",
                "ParentPID: 1",
            ],
            None,
        ),
        (
            &[],
            &["rustnet process=curl pid=1234 attr=exact-tuple"],
            None,
        ),
    ];
    let expected = Some((1_234, "curl".to_owned()));
    for (processes, comments, pid) in claims {
        let mut about = PacketOptions::of_comments(comments);
        about.pid = pid;
        // The capturing host is unknown, so the initiator counts as it.
        let plain = file(processes, about);
        assert_eq!(owners(plain.path(), &[]), [expected.clone(), None]);
        // The person knows: it is that of the server.
        assert_eq!(
            owners(plain.path(), &["10.0.0.2/32"]),
            [expected.clone(), None]
        );
        let report = read(plain.path(), &["10.0.0.2/32"]);
        assert_eq!(report.flows[0].local.to_string(), "10.0.0.2:53");
        // Both ends are on one host, and the file does not say which is meant.
        assert_eq!(owners(plain.path(), &["10.0.0.0/8"]), [None, None]);
        // The file says which way each packet went.
        about.origin = PacketOrigin::Sent;
        let with_flags = file(processes, about);
        assert_eq!(
            owners(with_flags.path(), &["10.0.0.1/32"]),
            [expected.clone(), None]
        );
        about.origin = PacketOrigin::OtherHost;
        let overheard = file(processes, about);
        assert_eq!(owners(overheard.path(), &[]), [None, None]);
    }
}

#[test]
fn what_flowner_wrote_counts_first() {
    let ours = "flowner: verdict=unknown reason=process-exited end=source";
    let comments = [ours, "PID: 7\nCmd: /bin/sh\nArgs: sh"];
    let mut about = PacketOptions::of_comments(&comments);
    about.pid = Some(1_234);
    let file = file(&[curl()], about);
    let report = read(file.path(), &["10.0.0.1/32"]);
    let owner = report.flows[0].owner.as_ref().unwrap();
    assert!(matches!(owner.verdict, Verdict::Unknown(_)), "{owner:?}");
}

#[test]
fn claims_that_cannot_be_are_counted() {
    for comment in [
        "PID: 0\nCmd: /bin/sh\nArgs: sh",
        "rustnet process=x pid=99999999",
    ] {
        let comments = [comment];
        let file = file(&[], PacketOptions::of_comments(&comments));
        let report = read(file.path(), &[]);
        assert_eq!(report.refused_claims, 2, "{comment}");
        assert!(report.flows[0].owner.is_none());
    }
    let mut about = PacketOptions::default();
    about.pid = Some(u32::MAX);
    assert_eq!(read(file(&[], about).path(), &[]).refused_claims, 2);
}

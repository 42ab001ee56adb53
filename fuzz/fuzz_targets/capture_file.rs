//! Any bytes as a capture file: however they arrive, the same packets are read; and written
//! as pcapng, they are read again.

#![no_main]

use std::io::{self, Read};
use std::time::Duration;

use flowner_capture::pcapng::{Interface, ProcessFacts, Section, Writer};
use flowner_capture::{FileReader, LinkType};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Clone, PartialEq)]
struct Packet {
    time: Duration,
    wire_len: u32,
    data: Vec<u8>,
    comments: Vec<String>,
    processes: Vec<(u32, Option<ProcessFacts>)>,
}

/// Gives a few bytes at a time, as a pipe does.
struct Slowly<'a>(&'a [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(7);
        self.0.read(&mut out[..len])
    }
}

fn read(input: impl Read) -> (Vec<Packet>, String) {
    let mut packets = Vec::new();
    let ending = FileReader::new(input).and_then(|mut reader| {
        while let Some(packet) = reader.next()? {
            packets.push(Packet {
                time: packet.time,
                wire_len: packet.wire_len,
                data: packet.data.to_vec(),
                comments: packet.comments.iter().map(str::to_owned).collect(),
                processes: packet
                    .comments
                    .processes(packet.time)
                    .map(|process| (process.pid, process.facts.cloned()))
                    .collect(),
            });
        }
        Ok(())
    });
    let ending = ending.map_or_else(|error| error.to_string(), |()| "complete".to_owned());
    (packets, ending)
}

fuzz_target!(|bytes: &[u8]| {
    let (packets, ending) = read(bytes);
    let (slowly, slow_ending) = read(Slowly(bytes));
    // How much is unpacked before the place where compressed data are damaged depends on how they
    // arrive.
    let is_damaged = |ending: &str| ending.contains("compressed data");
    if is_damaged(&ending) || is_damaged(&slow_ending) {
        assert!(packets.iter().zip(&slowly).all(|(one, other)| one == other));
    } else {
        assert_eq!((&slowly, &slow_ending), (&packets, &ending));
    }

    let mut writer = Writer::new(Vec::new(), &Section::default()).expect("memory takes all");
    let interface = Interface::new(LinkType::Ethernet);
    let number = writer.interface(&interface).expect("memory takes all");
    for packet in &packets {
        let comments: Vec<_> = packet.comments.iter().map(String::as_str).collect();
        writer
            .packet(
                number,
                packet.time,
                packet.wire_len,
                &packet.data,
                &comments,
            )
            .expect("memory takes all");
    }
    let (again, ending) = read(&writer.into_inner()[..]);
    assert_eq!(ending, "complete");
    // Times of later than 2554 cannot be written.
    let latest = Duration::from_nanos(u64::MAX);
    for (again, packet) in again.iter().zip(&packets) {
        assert_eq!(again.time, packet.time.min(latest));
        assert_eq!(again.data, packet.data);
        assert_eq!(again.comments, packet.comments);
    }
    assert_eq!(again.len(), packets.len());
});

//! Capture files are read as libpcap reads them: the same packets, to the nanosecond.
#![cfg(feature = "pcap")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::PcapFile;
use flowner_capture::{FileReader, Next, Source};
use pcap::{Capture, Precision};

/// A packet: time, bytes on the wire, and what was captured.
type Packet = (Duration, u32, Vec<u8>);

const LAST: u32 = 999_999_999;

/// The last microsecond of a second as its last nanosecond: what either ends with.
fn last(time: Duration) -> Duration {
    match time.subsec_nanos() {
        999_999_000 => Duration::new(time.as_secs(), LAST),
        _ => time,
    }
}

fn by_libpcap(path: &Path) -> (Vec<Packet>, bool) {
    let mut packets = vec![];
    let Ok(mut capture) = Capture::from_file_with_precision(path, Precision::Nano) else {
        return (packets, false);
    };
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                // A number of 32 bits, which libpcap takes for a signed one.
                let seconds = match packet.header.ts.tv_sec {
                    negative @ ..0 => negative + (1 << 32),
                    seconds => seconds,
                };
                let seconds = u64::try_from(seconds).unwrap();
                let nanoseconds = u32::try_from(packet.header.ts.tv_usec).ok();
                // Where there are more than make a second, we take the last one of it.
                let nanoseconds = nanoseconds.filter(|parts| *parts < 1_000_000_000);
                let time = last(Duration::new(seconds, nanoseconds.unwrap_or(LAST)));
                packets.push((time, packet.header.len, packet.data.to_vec()));
            }
            Err(error) => return (packets, error == pcap::Error::NoMorePackets),
        }
    }
}

fn by_us(path: &Path) -> (Vec<Packet>, bool) {
    let mut packets = vec![];
    let ending = FileReader::new(std::fs::File::open(path).unwrap()).and_then(|mut reader| {
        while let Some(packet) = reader.next()? {
            packets.push((last(packet.time), packet.wire_len, packet.data.to_vec()));
        }
        Ok(())
    });
    (packets, ending.is_ok())
}

#[test]
fn the_same_packets() {
    let mut packets = 0;
    for path in common::captures().into_iter().flatten() {
        let (ours, theirs) = (by_us(&path), by_libpcap(&path));
        assert_eq!(ours.0.len(), theirs.0.len(), "{}", path.display());
        for (number, (our, their)) in ours.0.iter().zip(&theirs.0).enumerate() {
            assert_eq!(our, their, "packet {number} of {}", path.display());
        }
        assert_eq!(ours.1, theirs.1, "the end of {}", path.display());
        packets += ours.0.len();
    }
    println!("{packets} packets");
}

/// Whatever is wrong with a file, the packets before that are the same.
#[test]
fn the_same_packets_of_damaged_files() {
    let whole = PcapFile::new(101)
        .packet(1, 30, &common::udp(b"ab"))
        .packet(2, 1500, &common::udp(b"abcd")[..28])
        .packet(u32::MAX, 30, &common::udp(b"ab"))
        .bytes();
    let check = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let file = common::file(&bytes);
        let (ours, theirs) = (by_us(file.path()), by_libpcap(file.path()));
        let counts = (ours.0.len(), theirs.0.len());
        assert_eq!(counts.0, counts.1, "byte {at} is {byte:#x}");
        assert_eq!(ours.1, theirs.1, "byte {at} is {byte:#x}");
    };
    for at in 8..whole.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            check(at, byte);
        }
    }
    // Versions that had the lengths of packets the other way round.
    for minor in 0..6 {
        check(6, minor);
    }
}

#[test]
fn filters_choose_the_same_packets() {
    for path in common::captures().into_iter().flatten() {
        for filter in ["udp port 53 or arp", "ip6", "greater 200"] {
            let Ok(mut source) = Source::file(&path, Some(filter)) else {
                continue;
            };
            let mut capture = Capture::from_file(&path).unwrap();
            // Filters do not apply to frames that cannot be decoded.
            if source.link_type().is_err() || capture.filter(filter, true).is_err() {
                continue;
            }
            let mut ours = 0;
            while let Ok(Next::Packet(_)) = source.next() {
                ours += 1;
            }
            let mut theirs = 0;
            while capture.next_packet().is_ok() {
                theirs += 1;
            }
            assert_eq!(ours, theirs, "{filter} in {}", path.display());
        }
    }
}

//! The capture files of the tcpdump project: many link types, many malformed.
#![cfg(feature = "pcap")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use flowner_capture::{Error, Next, RawPacket, Source, decode};

/// Gives each packet of a file; how the file ends.
fn read(path: &Path, mut each: impl FnMut(RawPacket<'_>)) -> Result<(), Error> {
    let mut source = Source::file(path, None)?;
    loop {
        match source.next()? {
            Next::Packet(packet) => each(packet),
            Next::End => return Ok(()),
            other => panic!("a file gave {other:?}"),
        }
    }
}

/// All that is decoded of a file, in one number, and how it ends.
fn digest(path: &Path) -> (u64, String) {
    let mut hasher = DefaultHasher::new();
    let ending = read(path, |packet| {
        (packet.time, packet.wire_len, packet.headers()).hash(&mut hasher);
    });
    let ending = ending.map_or_else(|error| error.to_string(), |()| "complete".to_owned());
    (hasher.finish(), ending)
}

#[test]
fn every_file_gives_the_same_twice() {
    for path in common::captures().into_iter().flatten() {
        assert_eq!(digest(&path), digest(&path), "{}", path.display());
    }
}

#[test]
fn every_file_is_read_to_its_end() {
    let Some(paths) = common::captures() else {
        return;
    };
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut count = |what| *counts.entry(what).or_default() += 1;
    for path in &paths {
        let ending = read(path, |packet| match packet.headers() {
            Ok(_) => count("decoded"),
            Err(error) => count(error.kind()),
        });
        if let Err(error) = ending {
            panic!("{}: {error:?}", path.display());
        }
    }
    assert!(counts["decoded"] > counts["not-ip"]);
    assert!(counts["decoded"] > 10 * counts["malformed"]);
    assert!(counts["malformed"] > 0 && counts["cut-short"] > 0);
}

#[test]
fn cutting_a_real_frame_never_changes_a_value() {
    for path in common::captures().into_iter().flatten() {
        let ending = read(&path, |packet| {
            let Ok(link_type) = packet.link_type else {
                return;
            };
            let whole = decode(link_type, packet.data, packet.wire_len);
            let longest = packet.data.len().min(100);
            for len in 0..longest {
                let cut = decode(link_type, &packet.data[..len], packet.wire_len);
                common::assert_only_less(cut, whole);
            }
        });
        // How the file ends is another test's concern.
        drop(ending);
    }
}

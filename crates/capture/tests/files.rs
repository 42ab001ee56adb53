//! Capture files, good and bad, and what is said about the bad ones.
#![cfg(feature = "pcap")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{PcapFile, udp};
use flowner_capture::{Error, LinkType, Next, Source, Statistics};

const RAW: u32 = 101;

/// The sizes of all packets, and how the file ends.
fn read(path: &Path, filter: Option<&str>) -> (Vec<u32>, Result<(), Error>) {
    match Source::file(path, filter) {
        Ok(source) => drain(source),
        Err(error) => (vec![], Err(error)),
    }
}

fn drain(mut source: Source) -> (Vec<u32>, Result<(), Error>) {
    let mut sizes = vec![];
    loop {
        match source.next() {
            Ok(Next::Packet(packet)) => sizes.push(packet.wire_len),
            Ok(Next::End) => return (sizes, Ok(())),
            Ok(other) => panic!("a file gave {other:?}"),
            Err(error) => return (sizes, Err(error)),
        }
    }
}

fn two_packets() -> PcapFile {
    PcapFile::new(RAW)
        .packet(1, 30, &udp(b"ab"))
        .packet(2, 1500, &udp(b"abcd")[..28])
}

#[test]
fn a_file_gives_its_packets_with_time_and_size() {
    let file = two_packets().write();
    let mut source = Source::file(file.path(), None).unwrap();
    assert_eq!(source.link_type(), Ok(LinkType::RawIp));
    let mut packets = vec![];
    while let Next::Packet(packet) = source.next().unwrap() {
        let headers = packet.headers().unwrap();
        packets.push((packet.time, headers.wire_len, packet.data.len()));
    }
    let time = |seconds| Duration::new(seconds, 7_000);
    assert_eq!(packets, [(time(1), 30, 30), (time(2), 1500, 28)]);
    assert_eq!(source.next().unwrap(), Next::End);
    assert_eq!(source.statistics().unwrap(), Statistics::default());
}

#[test]
fn a_filter_chooses() {
    let file = two_packets().write();
    assert_eq!(read(file.path(), Some("greater 100")).0, [1500]);
    assert_eq!(read(file.path(), Some("tcp")).0, []);
}

#[test]
fn a_bad_filter_is_quoted_with_what_is_wrong() {
    let file = two_packets().write();
    let check = |expression: &str, expected: &str| match read(file.path(), Some(expression)).1 {
        Err(Error::Filter {
            expression: quoted,
            message,
        }) => {
            assert_eq!(quoted, expression);
            assert!(message.contains(expected), "{message}");
        }
        other => panic!("{other:?}"),
    };
    check("tcp port", "syntax error");
    check("host 300.1.1.1", "300.1.1.1");
    check("ether host 1:2:3:4:5:6", "");
    check("udp\0tcp", "null");
}

#[test]
fn progress_ends_at_the_end() {
    let mut file = PcapFile::new(RAW);
    for second in 0..10_000 {
        file = file.packet(second, 30, &udp(b"ab"));
    }
    let file = file.write();
    let len = file.path().metadata().unwrap().len();
    let mut source = Source::file(file.path(), Some("tcp")).unwrap();
    let before = source.progress().unwrap();
    assert_eq!(before.total, len);
    assert!(before.read < len / 10);
    assert_eq!(source.next().unwrap(), Next::End);
    assert_eq!(source.progress().unwrap().read, len);
}

#[test]
fn a_truncated_file_gives_all_whole_packets_first() {
    let whole = two_packets().bytes();
    // (bytes kept, whole packets in them)
    let second = 24 + 16 + 30;
    for (len, packets) in [
        (10, 0),
        (24 + 7, 0),
        (24 + 16 + 29, 0),
        (second + 15, 1),
        (whole.len() - 1, 1),
    ] {
        let file = common::file(&whole[..len]);
        let (sizes, ending) = read(file.path(), None);
        assert_eq!(sizes.len(), packets);
        let error = ending.unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{len}: {error:?}");
        let name = file.path().display().to_string();
        assert!(error.to_string().starts_with(&name));
    }
    let file = common::file(&whole[..second]);
    assert!(read(file.path(), None).1.is_ok());
}

#[test]
fn a_damaged_file_gives_the_packets_before_the_damage() {
    let file = two_packets().packet(3, 30, &udp(b"ab"));
    let mut bytes = file.bytes();
    let at = 24 + 16 + 30 + 16 + 28 + 8;
    bytes[at..at + 4].copy_from_slice(&[0xff; 4]);
    let file = common::file(&bytes);
    let (sizes, ending) = read(file.path(), None);
    assert_eq!(sizes, [30, 1500]);
    let error = ending.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

#[test]
fn what_is_no_capture_file_is_refused() {
    let check = |bytes: &[u8], expected: fn(&Error) -> bool| {
        let file = common::file(bytes);
        let error = read(file.path(), None).1.unwrap_err();
        assert!(expected(&error), "{error:?}");
    };
    check(b"", |error| matches!(error, Error::Empty { .. }));
    check(b"#!", |error| matches!(error, Error::NotACapture { .. }));
    check(&[0x7f; 4096], |error| {
        matches!(error, Error::NotACapture { .. })
    });
}

/// FDDI, which libpcap knows, and an unknown number.
#[test]
fn frames_that_cannot_be_decoded_have_the_name_of_their_link_type() {
    for (number, name) in [(10, "FDDI"), (60_000, "unknown")] {
        let file = PcapFile::new(number).packet(1, 30, &[7; 30]).write();
        // Filters do not apply to them.
        assert_eq!(read(file.path(), Some("udp")).0, []);
        let mut source = Source::file(file.path(), None).unwrap();
        assert_eq!(source.link_type().unwrap_err().name(), name);
        let Next::Packet(packet) = source.next().unwrap() else {
            panic!("the packet is missing");
        };
        let error = packet.headers().unwrap_err();
        assert_eq!(error.kind(), format!("link-type:{name}"));
        assert_eq!(source.next().unwrap(), Next::End);
    }
}

#[test]
fn a_file_of_headers_alone_is_an_empty_capture() {
    let section = common::section();
    for (bytes, link_type) in [
        (PcapFile::new(RAW).bytes(), "RAW"),
        (PcapFile::new(189).bytes(), "USB_LINUX"),
        (section.clone(), "none"),
        ([section.clone(), section.clone()].concat(), "none"),
        ([section, common::interface(1)].concat(), "EN10MB"),
    ] {
        let file = common::file(&bytes);
        let source = Source::file(file.path(), Some("udp")).unwrap();
        let name = source
            .link_type()
            .map_or_else(flowner_capture::OtherLinkType::name, LinkType::name);
        assert_eq!(name, link_type);
        let (packets, ending) = drain(source);
        assert!(packets.is_empty() && ending.is_ok(), "{ending:?}");
    }
}

#[test]
fn compressed_files_are_read_as_what_is_in_them() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, level);
    let plain = two_packets().bytes();
    for packed in [gzip(&plain), zstd(&plain)] {
        let file = common::file(&packed);
        let mut source = Source::file(file.path(), Some("greater 100")).unwrap();
        assert_eq!(source.progress().unwrap().total, packed.len() as u64);
        assert!(matches!(source.next(), Ok(Next::Packet(packet)) if packet.wire_len == 1500));
        assert_eq!(source.next().unwrap(), Next::End);
        assert_eq!(source.progress().unwrap().read, packed.len() as u64);
        // The reader returns all whole packets, then an error for the cut one, or for damage.
        let cut = common::file(&packed[..packed.len() - 3]);
        let (sizes, ending) = read(cut.path(), None);
        // zstd gives nothing of a last window that is not complete.
        assert_eq!(sizes.len(), if packed[0] == 0x1f { 2 } else { 0 });
        assert!(matches!(ending, Err(Error::Truncated { .. })), "{ending:?}");
        let mut damaged = packed.clone();
        let at = damaged.len() - 2;
        damaged[at] ^= 1;
        let ending = read(common::file(&damaged).path(), None).1;
        assert!(matches!(ending, Err(Error::Corrupt { .. })), "{ending:?}");
    }
    let text = common::file(&gzip(b"no capture"));
    let error = read(text.path(), None).1.unwrap_err();
    assert!(matches!(error, Error::NotACapture { .. }), "{error:?}");
    let nothing = common::file(&gzip(b""));
    let error = read(nothing.path(), None).1.unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
}

#[test]
fn oddities_of_a_file_are_reported_and_the_file_is_read() {
    let remarks = |bytes: &[u8]| {
        let file = common::file(bytes);
        let mut source = Source::file(file.path(), None).unwrap();
        let mut found = vec![];
        while let Next::Packet(packet) = source.next().unwrap() {
            found.push((packet.time, packet.wire_len, packet.data.len()));
        }
        let name = file.path().display().to_string();
        (found, source.remarks().map(|text| text.replace(&name, "F")))
    };
    let second = Duration::new(1, 7_000);
    let plain = PcapFile::new(RAW).packet(1, 30, &udp(b"ab"));
    assert_eq!(remarks(&plain.bytes()), (vec![(second, 30, 30)], None));
    // More captured than there was; microseconds of which there are not so many.
    let mut bytes = PcapFile::new(RAW).packet(1, 20, &udp(b"ab")).bytes();
    let more = "F: 1 packet with more captured bytes than bytes on the wire";
    assert_eq!(
        remarks(&bytes),
        (vec![(second, 20, 30)], Some(more.to_owned()))
    );
    bytes[28..32].copy_from_slice(&1_000_000_u32.to_le_bytes());
    let (found, remark) = remarks(&bytes);
    assert_eq!(found, [(Duration::new(1, 999_999_000), 20, 30)]);
    assert!(
        remark
            .unwrap()
            .ends_with("fraction of a second that is more than a second")
    );
    // A length without the padding, at both ends of the block.
    let mut block = common::enhanced(0, &udp(b"abc"));
    let (len, end) = (u32::try_from(block.len() - 1).unwrap(), block.len() - 4);
    block[4..8].copy_from_slice(&len.to_le_bytes());
    block[end..].copy_from_slice(&len.to_le_bytes());
    let odd = [
        common::section(),
        common::interface(101),
        block,
        common::enhanced(0, &udp(b"a")),
    ];
    let (found, remark) = remarks(&odd.concat());
    let sizes: Vec<_> = found
        .iter()
        .map(|(_, wire_len, captured)| (*wire_len, *captured))
        .collect();
    assert_eq!(sizes, [(31, 31), (29, 29)]);
    assert!(
        remark
            .unwrap()
            .ends_with("1 block with a length that leaves out the padding")
    );
}

/// A filter that libpcap cannot compile for this link type.
#[test]
fn a_filter_that_does_not_apply_to_a_link_type_leaves_its_frames_out() {
    let ethernet = [&[2; 12][..], &[8, 0], &udp(b"abc")].concat();
    let bytes = [
        common::section(),
        common::interface(1),
        common::enhanced(0, &ethernet),
        common::interface(101),
        common::enhanced(1, &udp(b"abc")),
    ];
    let file = common::file(&bytes.concat());
    let mut source = Source::file(file.path(), Some("ether src 2:2:2:2:2:2")).unwrap();
    assert!(matches!(source.next(), Ok(Next::Packet(packet)) if packet.wire_len == 45));
    assert_eq!(source.next().unwrap(), Next::End);
    let remark = source.remarks().unwrap();
    assert!(
        remark.ends_with("does not apply to frames of RAW, and left them out"),
        "{remark}"
    );
}

/// Interfaces that are described as they come, in sections of their own.
#[test]
fn a_file_of_several_link_types_is_read_packet_by_packet() {
    let ethernet = [&[2; 12][..], &[8, 0], &udp(b"abc")].concat();
    let ppp = [&[0xff, 3, 0, 0x21][..], &udp(b"abc")].concat();
    let bytes = [
        common::section(),
        common::interface(189),
        common::enhanced(0, &[7; 64]),
        common::interface(1),
        common::enhanced(1, &ethernet),
        common::enhanced(0, &[7; 64]),
        common::section(),
        common::interface(9),
        common::enhanced(0, &ppp),
    ];
    let file = common::file(&bytes.concat());
    let mut source = Source::file(file.path(), None).unwrap();
    assert_eq!(source.link_type().unwrap_err().name(), "USB_LINUX");
    let mut found = vec![];
    while let Next::Packet(packet) = source.next().unwrap() {
        let ports = packet
            .headers()
            .map(|headers| headers.ports.unwrap().destination);
        found.push(ports.map_err(flowner_capture::DecodeError::kind));
    }
    let usb = Err("link-type:USB_LINUX");
    assert_eq!(found, [usb, Ok(53), usb, Ok(53)]);
    // A filter accepts the packets that it can decode.
    assert_eq!(read(file.path(), Some("udp port 53")).0.len(), 2);
    assert_eq!(read(file.path(), Some("tcp")).0.len(), 0);
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Source::file(folder.path(), None).unwrap_err();
    assert!(matches!(error, Error::IsDirectory { .. }), "{error:?}");
    let missing = folder.path().join("missing.pcap");
    let error = Source::file(&missing, None).unwrap_err();
    assert!(matches!(error, Error::NoSuchFile { .. }), "{error:?}");
    let below_a_file = two_packets().write().path().join("x");
    assert!(Source::file(below_a_file, None).is_err());
}

#[test]
#[cfg(unix)]
fn a_path_need_not_be_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"caf\xe9.pcap"));
    std::fs::write(&path, two_packets().bytes()).unwrap();
    assert_eq!(read(&path, None).0.len(), 2);
}

#[test]
fn stopping_ends_a_file() {
    let file = two_packets().write();
    let mut source = Source::file(file.path(), None).unwrap();
    assert!(matches!(source.next().unwrap(), Next::Packet(_)));
    let stopper = source.stopper();
    stopper.stop();
    assert_eq!(source.next().unwrap(), Next::Stopped);
    assert_eq!(source.next().unwrap(), Next::Stopped);
    drop(source);
    stopper.stop();
}

#[test]
fn standard_input_is_a_file_too() {
    const THIS: &str = "standard_input_is_a_file_too";
    if let Some(role) = common::role() {
        match (role.as_str(), Source::stdin(Some("udp"))) {
            ("two", Ok(source)) => assert_eq!(drain(source).0, [30, 1500]),
            ("empty", Err(Error::Empty { input })) => assert_eq!(input, "standard input"),
            (_, other) => panic!("{other:?}"),
        }
        return;
    }
    for (role, bytes) in [("two", two_packets().bytes()), ("empty", vec![])] {
        let file = common::file(&bytes);
        let mut child = common::as_child(Command::new(env::current_exe().unwrap()), THIS, role);
        let status = child.stdin(File::open(file.path()).unwrap()).status();
        assert!(status.unwrap().success());
    }
}

/// Somebody writes it while it is read: what is whole is given, and it is said why there is not
/// more.
#[test]
fn a_file_that_grows_is_no_damaged_file() {
    use std::io::Write;

    let whole = two_packets().bytes();
    let second = whole.len() - 28 - 16;
    let file = common::file(&whole[..second + 3]);
    let mut source = Source::file(file.path(), None).unwrap();
    let mut writer = std::fs::OpenOptions::new()
        .append(true)
        .open(file.path())
        .unwrap();
    writer.write_all(&whole[second + 3..second + 20]).unwrap();
    assert!(matches!(source.next(), Ok(Next::Packet(_))));
    let error = source.next().unwrap_err();
    assert!(matches!(error, Error::Growing { .. }), "{error:?}");

    // What is whole by the time that it is read is given like any other packet.
    let file = common::file(&whole[..second + 3]);
    let mut source = Source::file(file.path(), None).unwrap();
    let mut writer = std::fs::OpenOptions::new()
        .append(true)
        .open(file.path())
        .unwrap();
    writer.write_all(&whole[second + 3..]).unwrap();
    for _ in 0..2 {
        assert!(matches!(source.next(), Ok(Next::Packet(_))));
    }
    assert_eq!(source.next().unwrap(), Next::End);
}

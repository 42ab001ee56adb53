use std::fs;
use std::num::NonZeroUsize;

use flowner_capture::{FileReader, LinkType};
use tempfile::TempDir;

use flowner_capture::PacketOrigin;

use super::*;
use crate::query::filter::Filter;
use crate::samples::NEW_YEAR;
use crate::sinks::record::Rotation;

fn config(folder: &TempDir, rotation: Rotation) -> RecordingConfig {
    RecordingConfig {
        output: Output::File(folder.path().join("trace.pcapng")),
        overwrite: false,
        rotation,
        filter: Filter::default(),
    }
}

fn origin() -> Origin {
    Origin {
        section: Section::default(),
        interface: Interface::new(LinkType::RawIp),
    }
}

/// Writes this many packets of 100 bytes, one a second, and closes the file.
fn write(config: &RecordingConfig, packets: u8) -> Files {
    let mut files = Files::begin(config, origin(), NEW_YEAR).unwrap();
    let process = ProcessFacts::new(7);
    let mut now = NEW_YEAR;
    for number in 0..packets {
        now = NEW_YEAR + Duration::from_secs(number.into());
        let packet = Packet {
            time: now,
            wire_len: 100,
            origin: PacketOrigin::Sent,
            data: &[number; 100],
            comments: &["a comment".to_owned()],
            process: Some(&process),
            names: false,
            host: None,
        };
        files.packet(&packet, now, Counters::default).unwrap();
    }
    files.finish(now, &Counters::default()).unwrap();
    files
}

/// The names of the files, and the first bytes of their packets.
fn written(folder: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let mut reader = FileReader::new(File::open(&path).unwrap()).unwrap();
            let mut packets = vec![];
            while let Some(packet) = reader.next().unwrap() {
                packets.push(packet.data[0]);
            }
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, packets)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn without_rotation_there_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, Rotation::default());
    let files = write(&config, 5);
    let expected = [("trace.pcapng".to_owned(), vec![0, 1, 2, 3, 4])];
    assert_eq!(written(&folder), expected);
    let len = fs::metadata(folder.path().join("trace.pcapng"))
        .unwrap()
        .len();
    assert_eq!((files.bytes(), files.count()), (len, 1));
}

#[test]
fn by_time() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation {
        time: Some(Duration::from_secs(2)),
        ..Rotation::default()
    };
    write(&config(&folder, rotation), 5);
    let expected = [
        ("trace_00001_20260101T000000Z.pcapng", vec![0, 1]),
        ("trace_00002_20260101T000002Z.pcapng", vec![2, 3]),
        ("trace_00003_20260101T000004Z.pcapng", vec![4]),
    ];
    assert_eq!(
        written(&folder),
        expected.map(|(name, packets)| (name.to_owned(), packets))
    );
}

#[test]
fn by_size_none_is_larger() {
    for size in [1, 400, 700, 1_000, 5_000] {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation {
            size: Some(size),
            ..Rotation::default()
        };
        let files = write(&config(&folder, rotation), 20);
        let all = written(&folder);
        let packets: Vec<u8> = all
            .iter()
            .flat_map(|(_, packets)| packets.clone())
            .collect();
        assert_eq!(packets, (0..20).collect::<Vec<_>>(), "none is lost");
        assert_eq!(files.count(), all.len() as u64);
        let mut sum = 0;
        for (name, packets) in &all {
            let len = fs::metadata(folder.path().join(name)).unwrap().len();
            // If not even one packet fits, there is one.
            assert!(len <= size || packets.len() == 1, "{name}: {len} of {size}");
            sum += len;
        }
        assert_eq!(files.bytes(), sum);
        assert!(all.len() > 1 || size == 5_000);
    }
}

#[test]
fn a_ring_keeps_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation {
        time: Some(Duration::from_secs(1)),
        files: NonZeroUsize::new(2),
        ..Rotation::default()
    };
    let files = write(&config(&folder, rotation), 5);
    let packets: Vec<_> = written(&folder)
        .into_iter()
        .map(|(_, packets)| packets)
        .collect();
    assert_eq!(packets, [[3], [4]]);
    assert_eq!(files.count(), 5);
}

#[test]
fn a_file_that_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder, Rotation::default());
    write(&config, 1);
    let error = Files::begin(&config, origin(), NEW_YEAR).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
    assert_eq!(written(&folder)[0].1, [0]);
    config.overwrite = true;
    write(&config, 2);
    assert_eq!(written(&folder)[0].1, [0, 1]);
}

/// Another user with write access to the directory guesses the names of the files.
#[test]
#[cfg(unix)]
fn files_of_other_users_neither_stop_it_nor_are_followed() {
    use std::os::unix::fs::{MetadataExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let (secret, missing) = (elsewhere.path().join("kept"), elsewhere.path().join("made"));
    fs::write(&secret, "kept").unwrap();
    for overwrite in [false, true] {
        let rotation = Rotation {
            time: Some(Duration::from_secs(1)),
            ..Rotation::default()
        };
        let config = RecordingConfig {
            overwrite,
            ..config(&folder, rotation)
        };
        let named = folder.path().join("trace.pcapng");
        let name = |number: u64| {
            let since = Duration::from_secs(number - 1);
            numbered(&named, number, NEW_YEAR + since, "")
        };
        fs::write(name(1), "theirs").unwrap();
        symlink(&secret, name(2)).unwrap();
        symlink(&missing, name(3)).unwrap();
        fs::create_dir(name(4)).unwrap();
        let files = write(&config, 4);
        assert_eq!(files.count(), 4);
        assert_eq!(fs::read_to_string(&secret).unwrap(), "kept");
        assert!(!missing.exists());
        assert_eq!(fs::read(name(1)).unwrap() == b"theirs", !overwrite);
        for (number, path) in files.kept.iter().enumerate() {
            let there = fs::symlink_metadata(path).unwrap();
            assert!(there.is_file() && there.mode() & 0o777 == 0o600, "{path:?}");
            let mut reader = FileReader::new(File::open(path).unwrap()).unwrap();
            let data = reader.next().unwrap().unwrap().data[0];
            assert_eq!(usize::from(data), number);
            let _gone = fs::remove_file(path);
        }
        for number in 1..=3 {
            let _was_replaced = fs::remove_file(name(number));
        }
        fs::remove_dir(name(4)).unwrap();
    }
}

#[test]
fn no_folder_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder, Rotation::default());
    config.output = Output::File(folder.path().join("none/trace.pcapng"));
    let error = Files::begin(&config, origin(), NEW_YEAR).unwrap_err();
    let Error::NoFolder { path } = &error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder, Rotation::default());
    config.output = Output::File("/dev/full".into());
    config.overwrite = true;
    let error = Files::begin(&config, origin(), NEW_YEAR)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/dev/full") && error.contains("No space left"),
        "{error}"
    );
}

/// An output that accepts only this many bytes of three packets.
#[track_caller]
fn check_cut(taken: usize, kept: u64, lost: Packets) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, Rotation::default());
    let mut files = Files::begin(&config, origin(), NEW_YEAR).unwrap();
    let head = files.bytes();
    let packet = Packet {
        time: NEW_YEAR,
        wire_len: 100,
        origin: PacketOrigin::Unknown,
        data: &[7; 100],
        comments: &[],
        process: None,
        names: true,
        host: None,
    };
    for _ in 0..3 {
        files.packet(&packet, NEW_YEAR, Counters::default).unwrap();
    }
    assert_eq!(files.bytes(), head + 3 * PACKET as u64);
    let blocks = files.current.get_mut();
    let part = blocks.waiting[..taken].to_vec();
    let Sink::File(file) = &mut blocks.output else {
        panic!("no file");
    };
    file.write_all(&part).unwrap();
    blocks.cut(taken);
    assert_eq!(files.lost(), lost);
    assert_eq!(files.bytes(), head + kept * PACKET as u64);
    let expected = vec![7; usize::try_from(kept).unwrap()];
    assert_eq!(written(&folder), [("trace.pcapng".to_owned(), expected)]);
}

/// A block of 100 bytes without comments: 8 words around them.
const PACKET: usize = 100 + 8 * 4;

#[test]
fn an_output_that_fails_keeps_whole_packets_and_counts_the_others() {
    for (taken, kept) in [
        (0, 0),
        (1, 0),
        (PACKET, 1),
        (PACKET + 1, 1),
        (3 * PACKET - 1, 2),
        (3 * PACKET, 3),
    ] {
        let lost = 3 - kept;
        let lost = Packets {
            all: lost,
            named: lost,
        };
        check_cut(taken, kept, lost);
    }
}

#[test]
#[cfg(unix)]
fn a_file_that_is_removed_is_an_error_and_one_that_is_moved_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, Rotation::default());
    let mut files = write(&config, 2);
    let path = folder.path().join("trace.pcapng");
    let moved = folder.path().join("moved.pcapng");
    fs::rename(&path, &moved).unwrap();
    files.flush().unwrap();
    fs::remove_file(&moved).unwrap();
    let error = files.flush().unwrap_err();
    assert!(matches!(error, Error::Removed { .. }), "{error:?}");
    assert_eq!(files.lost(), Packets { all: 2, named: 0 });
}

/// A user who may rename the directory cannot redirect later files.
#[cfg(unix)]
#[test]
fn all_files_are_in_the_directory_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, moved, other] = ["kept", "moved", "other"].map(|name| folder.path().join(name));
    fs::create_dir(&kept).unwrap();
    fs::create_dir(&other).unwrap();
    let config = RecordingConfig {
        output: Output::File(kept.join("trace.pcapng")),
        overwrite: false,
        rotation: Rotation {
            size: None,
            time: Some(Duration::from_secs(1)),
            files: NonZeroUsize::new(2),
        },
        filter: Filter::default(),
    };
    let mut files = Files::begin(&config, origin(), NEW_YEAR).unwrap();
    fs::rename(&kept, &moved).unwrap();
    std::os::unix::fs::symlink(&other, &kept).unwrap();
    let mut now = NEW_YEAR;
    for number in 0..5 {
        now = NEW_YEAR + Duration::from_secs(number);
        let packet = Packet {
            time: now,
            wire_len: 100,
            origin: PacketOrigin::Unknown,
            data: &[0; 100],
            comments: &[],
            process: None,
            names: false,
            host: None,
        };
        files.packet(&packet, now, Counters::default).unwrap();
    }
    files.finish(now, &Counters::default()).unwrap();
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&moved).unwrap().count(), 2);
}

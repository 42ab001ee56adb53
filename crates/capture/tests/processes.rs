//! Facts on processes in pcapng files: in the forms of Wireshark and of Apple, and as they are
//! written.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use flowner_capture::pcapng::{Interface, PacketOptions, ProcessFacts, Section, Writer};
use flowner_capture::{FileReader, LinkType, PacketOrigin};
use flowner_testing::skipped;
use proptest::prelude::*;

/// The processes of a packet, with their facts from the file.
type Described = Vec<(u32, Option<ProcessFacts>)>;

/// Of each packet of a file: its origin, comments and processes.
fn read(file: &[u8]) -> Vec<(PacketOrigin, Vec<String>, Described)> {
    let mut reader = FileReader::new(file).unwrap();
    let mut packets = vec![];
    while let Some(packet) = reader.next().unwrap() {
        let processes = packet.comments.processes(packet.time);
        packets.push((
            packet.origin,
            packet.comments.iter().map(str::to_owned).collect(),
            processes.map(|it| (it.pid, it.facts.cloned())).collect(),
        ));
    }
    packets
}

/// A file of either byte order, in the fields of draft-ietf-opsawg-pcapng.
struct File {
    is_big_endian: bool,
    bytes: Vec<u8>,
}

impl File {
    fn new(is_big_endian: bool) -> Self {
        let mut file = Self {
            is_big_endian,
            bytes: vec![],
        };
        file.section();
        file
    }

    /// A section with an interface, Ethernet.
    fn section(&mut self) {
        let magic = self.number(0x1a2b_3c4d);
        let version = [self.short(1), self.short(0)].concat();
        self.block(0x0a0d_0d0a, &[&magic[..], &version, &[0xff; 8]].concat());
        let link_type = [self.short(1), [0; 2]].concat();
        self.block(1, &[&link_type[..], &self.number(0)].concat());
    }

    fn number(&self, number: u32) -> [u8; 4] {
        if self.is_big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    fn short(&self, number: u16) -> [u8; 2] {
        if self.is_big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let len = self.number(u32::try_from(body.len() + 12).unwrap());
        let kind = self.number(kind);
        self.bytes.extend([&kind[..], &len, body, &len].concat());
    }

    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let head = [
            self.short(code),
            self.short(value.len().try_into().unwrap()),
        ];
        [head.as_flattened(), &padded(value)].concat()
    }

    /// A packet of four bytes at a second.
    fn packet(&mut self, second: u32, options: &[Vec<u8>]) {
        let ticks = u64::from(second) * 1_000_000;
        let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|it| it.try_into().unwrap());
        let numbers = [0, high, low, 4, 4].map(|it| self.number(it));
        let mut body = [numbers.as_flattened(), &[1, 2, 3, 4]].concat();
        if !options.is_empty() {
            body.extend(options.concat());
            body.extend([0; 4]);
        }
        self.block(6, &body);
    }

    /// A custom block of Wireshark: the number of the enterprise is in the byte order of the
    /// section, and what follows is little-endian.
    fn wireshark(&mut self, entry: u32, data: &[u8], options: &[u8]) {
        let len = u32::try_from(data.len()).unwrap();
        let head = [entry.to_le_bytes(), len.to_le_bytes()].concat();
        let enterprise = self.number(32_622);
        let body = [&enterprise[..], &head, &padded(data), options].concat();
        self.block(0x0bad, &body);
    }
}

fn padded(value: &[u8]) -> Vec<u8> {
    let padding = &[0; 3][..value.len().wrapping_neg() & 3];
    [value, padding].concat()
}

/// An option of a process, which is little-endian.
fn fact(code: u16, value: &[u8]) -> Vec<u8> {
    let little = File {
        is_big_endian: false,
        bytes: vec![],
    };
    little.option(code, value)
}

const UUID: [u8; 16] = *b"0123456789abcdef";

#[test]
fn blocks_of_wireshark_in_either_byte_order() {
    for is_big_endian in [false, true] {
        let mut file = File::new(is_big_endian);
        let all = [
            1_234_u32.to_le_bytes().to_vec(),
            fact(2, b"curl"),
            fact(3, b"/usr/bin/curl"),
            fact(4, b"curl\0-s\0\0https://example.com/"),
            fact(5, &1_u32.to_le_bytes()),
            fact(6, &1_000_u32.to_le_bytes()),
            fact(7, b"ada"),
            fact(8, &UUID),
            fact(9, &1_500_000_000_u64.to_le_bytes()),
            fact(1, b"a comment"),
            fact(77, b"of a later version"),
            fact(0, &[]),
        ];
        let comment = file.option(1, b"of the block itself");
        file.wireshark(3, &all.concat(), &comment);
        file.wireshark(3, &77_u32.to_le_bytes(), &[]);
        // Another entry, one that is cut, and a block of another program.
        file.wireshark(99, b"hello", &[]);
        file.wireshark(3, &[1, 2], &[]);
        let other = [file.number(1), [3, 0, 0, 0], [4, 0, 0, 0], [9, 0, 0, 0]].concat();
        file.block(0x0bad, &other);

        let pid = |file: &File, pid| {
            let numbers = [file.number(pid), file.number(0)];
            file.option(8, numbers.as_flattened())
        };
        for numbers in [&[1_234][..], &[77], &[9], &[0], &[1_234, 77]] {
            let options: Vec<_> = numbers.iter().map(|it| pid(&file, *it)).collect();
            file.packet(2, &options);
        }
        // It had not started yet.
        let early = [pid(&file, 1_234)];
        file.section();
        file.packet(2, &early);

        let curl = {
            let mut facts = ProcessFacts::new(1_234);
            facts.name = Some("curl".to_owned());
            facts.path = Some("/usr/bin/curl".to_owned());
            let arguments = ["curl", "-s", "", "https://example.com/"];
            facts.command_line = Some(arguments.map(str::to_owned).to_vec());
            facts.parent = Some(1);
            facts.uid = Some(1_000);
            facts.user = Some("ada".to_owned());
            facts.uuid = Some(UUID);
            facts.started = Some(Duration::from_millis(1_500));
            facts
        };
        let processes: Vec<_> = read(&file.bytes)
            .into_iter()
            .map(|(.., processes)| processes)
            .collect();
        let nameless = Some(ProcessFacts::new(77));
        let expected: [Described; 6] = [
            vec![(1_234, Some(curl.clone()))],
            vec![(77, nameless.clone())],
            vec![(9, None)],
            vec![],
            vec![(1_234, Some(curl)), (77, nameless)],
            // Another section, perhaps of another host.
            vec![(1_234, None)],
        ];
        assert_eq!(processes, expected, "big endian: {is_big_endian}");
    }
}

#[test]
fn blocks_of_apple() {
    for is_big_endian in [false, true] {
        let mut file = File::new(is_big_endian);
        let name = |file: &File, name: &[u8]| file.option(2, name);
        let (first, second) = (name(&file, b"mDNSResponder"), name(&file, b"Safari"));
        let uuid = file.option(4, &UUID);
        let body = [&file.number(501)[..], &first, &uuid, &[0; 4]].concat();
        file.block(0x8000_0001, &body);
        let body = [&file.number(502)[..], &second, &[0; 4]].concat();
        file.block(0x8000_0001, &body);
        let point = |file: &File, code, number| file.option(code, &file.number(number));
        for options in [
            vec![point(&file, 32_769, 0)],
            vec![point(&file, 32_769, 0), point(&file, 32_771, 1)],
            vec![point(&file, 32_771, 1)],
            vec![point(&file, 32_769, 2)],
        ] {
            file.packet(1, &options);
        }
        let processes: Vec<_> = read(&file.bytes)
            .into_iter()
            .map(|(.., processes)| processes)
            .collect();
        let pids: Vec<Vec<u32>> = processes
            .iter()
            .map(|processes| processes.iter().map(|(pid, _)| *pid).collect())
            .collect();
        assert_eq!(pids, [vec![501], vec![501], vec![502], vec![]]);
        let facts = processes[0][0].1.as_ref().unwrap();
        assert_eq!(facts.name.as_deref(), Some("mDNSResponder"));
        assert_eq!(facts.uuid, Some(UUID));
    }
}

fn facts() -> impl Strategy<Value = ProcessFacts> {
    use proptest::option::of;
    // What is empty is not written.
    let text = || of(".{1,20}");
    let arguments = proptest::collection::vec("[^\0]{1,9}", 1..4);
    (
        (1..5_u32, text(), text(), of(arguments), of(any::<u32>())),
        (
            of(any::<u32>()),
            text(),
            of(any::<[u8; 16]>()),
            of(any::<u64>()),
        ),
    )
        .prop_map(
            |((pid, name, path, arguments, parent), (uid, user, uuid, started))| {
                let mut facts = ProcessFacts::new(pid);
                facts.name = name;
                facts.path = path;
                facts.command_line = arguments;
                facts.parent = parent;
                facts.uid = uid;
                facts.user = user;
                facts.uuid = uuid;
                facts.started = started.map(Duration::from_nanos);
                facts
            },
        )
}

proptest! {
    /// Each packet has the process that was described last before it with its pid.
    #[test]
    fn what_is_written_is_read(
        steps in proptest::collection::vec((facts(), any::<bool>(), 0..4_usize, ".{0,9}"), 0..20),
    ) {
        let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
        let interface = writer.interface(&Interface::new(LinkType::Ethernet)).unwrap();
        let mut described = std::collections::HashMap::new();
        let mut expected = vec![];
        for (facts, is_described, origin, comment) in &steps {
            // One description of each start: that of the same start is replaced.
            if *is_described {
                let facts = { let mut it = facts.clone(); it.started = None; it };
                writer.process(&facts).unwrap();
                described.insert(facts.pid, facts);
            }
            let origin = [
                PacketOrigin::Sent,
                PacketOrigin::Received,
                PacketOrigin::OtherHost,
                PacketOrigin::Unknown,
            ][*origin];
            let comments = [comment.as_str()];
            let mut options = PacketOptions::of_comments(&comments);
            options.origin = origin;
            options.pid = Some(facts.pid);
            writer.packet_with(interface, Duration::from_secs(9), 4, &[0; 4], &options).unwrap();
            let processes = vec![(facts.pid, described.get(&facts.pid).cloned())];
            expected.push((origin, vec![comment.clone()], processes));
        }
        prop_assert_eq!(read(&writer.into_inner()), expected);
    }

    #[test]
    fn all_facts_survive(facts in facts()) {
        let file = written(std::slice::from_ref(&facts));
        let all = read(&file);
        // A process of the future is not that of this packet.
        let is_of_then = facts.started.is_none_or(|it| it <= AT + Duration::from_secs(2));
        let expected = vec![(facts.pid, is_of_then.then_some(facts))];
        prop_assert_eq!(&all[0].2, &expected);
    }

    #[test]
    fn no_bytes_are_a_panic(
        facts in facts(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut file = written(std::slice::from_ref(&facts));
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(mut reader) = FileReader::new(&file[..]) {
            while let Ok(Some(packet)) = reader.next() {
                let _any = packet.comments.processes(packet.time).count();
            }
        }
    }
}

/// The time of the packets.
const AT: Duration = Duration::from_secs(1_800_000_000);

/// A file with these processes, and a packet of each: an Ethernet frame with nothing in it.
fn written(facts: &[ProcessFacts]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer
        .interface(&Interface::new(LinkType::Ethernet))
        .unwrap();
    for (number, facts) in facts.iter().enumerate() {
        writer.process(facts).unwrap();
        let mut options = PacketOptions::of_comments(&["owned"]);
        options.origin = [PacketOrigin::Sent, PacketOrigin::Received][number % 2];
        options.pid = Some(facts.pid);
        writer
            .packet_with(interface, AT, 60, &[0; 60], &options)
            .unwrap();
    }
    writer.into_inner()
}

#[test]
fn each_field_stands_where_the_layout_has_it() {
    let mut facts = ProcessFacts::new(0x0102_0304);
    facts.name = Some("a".to_owned());
    facts.command_line = Some(vec!["a".to_owned(), "b".to_owned()]);
    facts.started = Some(Duration::from_nanos(5));
    facts.path = Some("x".repeat(65_536));
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let before = writer.get_ref().len();
    writer.process(&facts).unwrap();
    let expected = [
        &[0xad, 0x0b, 0, 0, 60, 0, 0, 0][..],
        // The enterprise, the entry, and its length.
        &[0x6e, 0x7f, 0, 0, 3, 0, 0, 0, 36, 0, 0, 0],
        &[4, 3, 2, 1],
        &[2, 0, 1, 0, b'a', 0, 0, 0],
        // The path is too long for an option.
        &[4, 0, 3, 0, b'a', 0, b'b', 0],
        &[9, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0],
        &[0; 4],
        &[60, 0, 0, 0],
    ];
    assert_eq!(writer.get_ref()[before..], expected.concat());
}

/// What a program of Wireshark prints on its standard output; `None` if it is not here.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            skipped!("{program}: {error}");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> = errors
        .lines()
        .filter(|line| !line.starts_with("Running as user"))
        .collect();
    assert!(output.status.success(), "{program}: {errors}");
    assert_eq!(complaints, Vec::<&str>::new(), "{program}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn wireshark_reads_what_is_written() {
    let mut all = ProcessFacts::new(1_234);
    all.name = Some("curl".to_owned());
    all.path = Some("/usr/bin/curl".to_owned());
    all.command_line = Some(vec!["curl".to_owned(), "-s".to_owned()]);
    all.parent = Some(1);
    all.uid = Some(1_000);
    all.user = Some("ada".to_owned());
    all.uuid = Some(UUID);
    all.started = Some(AT);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), written(&[all, ProcessFacts::new(7)])).unwrap();
    let path = file.path().to_str().unwrap();
    let Some(summary) = run("capinfos", &["-c", "-M", path]) else {
        return;
    };
    assert!(summary.contains("Number of packets:   2"), "{summary}");
    let fields = [
        "-r",
        path,
        "-T",
        "fields",
        "-e",
        "frame.comment",
        "-e",
        "frame.packet_flags",
    ];
    let Some(fields) = run("tshark", &fields) else {
        return;
    };
    // Versions before 5.1 list a custom block between the packets, without a field of these.
    let packets: Vec<_> = fields.lines().filter(|line| *line != "\t").collect();
    assert_eq!(packets, ["owned\t0x00000002", "owned\t0x00000001"]);
}

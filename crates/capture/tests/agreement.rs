//! All that is decoded of the capture files, beside what tshark finds in them.
//!
//! [`HOW`] writes `docs/captures.md` anew. tshark takes some minutes for the files; what it said is
//! kept in `target/tmp/agreement`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "the tables are read by people")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowner_capture::{FileReader, Headers, Ports};

/// Dissectors that are left on: link layers, IP and transport protocols. The others would find
/// packets in packets, such as those of tunnels.
const DISSECTORS: &str = "_ws.malformed _ws.unreassembled ah arcnet atm chdlc clip data dccp enc eth \
    ethertype fr frame ieee8021ad infiniband ip ipnet ipoib ipv6 ipv6.dstopts ipv6.fraghdr \
    ipv6.hopopts ipv6.routing ipv6.routing.type.mipv6 juniper llc loop mp mpls nflog null pcap_pktdata pktap ppi ppp \
    ppp_hdlc pppoe pppoed pppoes prism pwethcw pwethheuristic pwethnocw radiotap raw sctp sll tcp \
    udp udplite vlan wlan wlan_aggregate wlan_radio wlancap";

const KINDS: [(&str, &str); 6] = [
    ("IPv4", "ip"),
    ("IPv6", "ipv6"),
    ("TCP", "tcp"),
    ("UDP", "udp"),
    ("SCTP", "sctp"),
    ("DCCP", "dccp"),
];

/// The files that differ, with the reason.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "tshark has no dissector for SLIP",
        "cve2015-0261-crash.pcap cve2015-0261-ipv6.pcap icmp6_nodeinfo_oobr.pcap",
    ),
    (
        "tshark gives up inside the packet, before it counts that: extension headers that are not \
         as they should be, and 80,000 bytes of TCP without a jumbo option",
        "bigtcp-ipv6.pcap ipv6-too-long-jumbo.pcap ipv6_frag6_negative_len.pcap",
    ),
    (
        "tshark decodes these packets of the mobility protocol, and does not count them",
        "ipv6_mobility_1.pcap",
    ),
    (
        "made-up: an authentication header that was cut off, so that nothing tells the protocol; \
         tshark has counted the addresses before",
        "heapoverflow-ip_demux_print.pcap",
    ),
    (
        "made-up: a TCP header that is longer than its segment; such a packet has its ports here, \
         and is left out of this comparison as one that was cut",
        "mptcp-dss-oobr.pcap",
    ),
    (
        "tshark takes the version of IP from the packet, against the ether type or the link type; \
         no host would take such a packet",
        "LINKTYPE_IPV4_invalid.pcap kday1.pcap kday3.pcap",
    ),
    (
        "tshark takes the last destination of UDP out of a routing header, and that of IPv6 out of \
         the IP header; here both are the last one",
        "ipv6-routing-header.pcap ipv6-srh-insert-cksum.pcap",
    ),
    (
        "tshark looks into Ethernet in IPv6; tunnels are not unwrapped here",
        "ipv6-srh-ipproto-ether.pcap",
    ),
];

/// Packets that were decoded when there were eight link types, each of which said at once where IP
/// begins, and a file of another one was refused.
const BEFORE: &[(&str, u64)] = &[
    ("EN10MB", 4_553),
    ("IPV4", 4),
    ("IPV6", 23),
    ("LINUX_SLL", 683),
    ("NULL", 125),
    ("RAW", 17),
];

/// What two ends sent each other. The lower end is first.
type Conversation = (&'static str, String, String);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counted {
    there: u64,
    back: u64,
    bytes: u64,
    /// By how much the bytes may be off, as tshark rounds them.
    rounded: u64,
}

impl Counted {
    const fn agrees(self, other: Self) -> bool {
        self.there == other.there
            && self.back == other.back
            && self.bytes.abs_diff(other.bytes) <= self.rounded + other.rounded
    }
}

type Conversations = BTreeMap<Conversation, Counted>;

fn add(all: &mut Conversations, kind: &'static str, from: String, to: String, counted: Counted) {
    let (key, there, back) = if from <= to {
        ((kind, from, to), counted.there, counted.back)
    } else {
        ((kind, to, from), counted.back, counted.there)
    };
    let sum = all.entry(key).or_default();
    sum.there += there;
    sum.back += back;
    sum.bytes += counted.bytes;
    sum.rounded += counted.rounded;
}

/// The conversations that one packet counts in.
fn count(all: &mut Conversations, headers: &Headers, frame: &[u8]) {
    let one = Counted {
        there: 1,
        bytes: headers.wire_len.into(),
        ..Counted::default()
    };
    let kind = if headers.source.is_ipv4() {
        "IPv4"
    } else {
        "IPv6"
    };
    let (from, to) = (headers.source.to_string(), headers.destination.to_string());
    add(all, kind, from, to, one);
    let kind = match headers.protocol {
        6 => "TCP",
        17 | 136 => "UDP",
        132 => "SCTP",
        33 => "DCCP",
        _ => return,
    };
    if !is_whole(headers, frame) {
        return;
    }
    let Some(Ports {
        source,
        destination,
    }) = headers.ports
    else {
        return;
    };
    // tshark shows no ports of DCCP.
    let end = |address: IpAddr, port| match kind {
        "DCCP" => address.to_string(),
        _ => format!("{address}:{port}"),
    };
    let (from, to) = (
        end(headers.source, source),
        end(headers.destination, destination),
    );
    add(all, kind, from, to, one);
}

/// Whether tshark gets as far as to count a packet in a conversation: the header of the transport
/// protocol was captured to its end. The version in Debian 12 does not know datagrams of more than
/// 64 KiB, either.
fn is_whole(headers: &Headers, frame: &[u8]) -> bool {
    let end = headers.payload_offset as usize;
    let is_large = headers.protocol == 17 && headers.payload_len > 65_535;
    headers.protocol == 33 || end > 0 && end <= frame.len() && !is_large
}

#[derive(Debug, Default, Clone, Copy)]
struct Packets {
    files: u64,
    all: u64,
    decoded: u64,
}

/// What is decoded of a file, with its packets by link type.
fn ours(path: &Path, by_link: &mut BTreeMap<String, Packets>) -> Conversations {
    let mut all = Conversations::default();
    let mut links = BTreeSet::new();
    let Ok(mut reader) = FileReader::new(File::open(path).unwrap()) else {
        return all;
    };
    while let Ok(Some(packet)) = reader.next() {
        let name = packet.link_type.map(|it| it.to_string());
        let link = name.unwrap_or_else(|other| format!("({other})"));
        let counted = by_link.entry(link.clone()).or_default();
        counted.files += u64::from(links.insert(link));
        counted.all += 1;
        if let Ok(headers) = packet.headers() {
            counted.decoded += 1;
            count(&mut all, &headers, packet.data);
        }
    }
    all
}

/// What tshark counts in a file.
fn theirs(tshark: &Tshark, path: &Path) -> Conversations {
    let mut all = Conversations::default();
    let mut kind = None;
    for line in tshark.answer(path).lines() {
        if let Some(title) = line.strip_suffix(" Conversations") {
            kind = KINDS
                .iter()
                .map(|(name, _)| *name)
                .find(|name| *name == title);
        }
        let (Some(kind), Some((from, rest))) = (kind, line.split_once(" <-> ")) else {
            continue;
        };
        let mut words = rest.split_whitespace();
        let to = words.next().unwrap();
        let mut frames = || {
            let frames: u64 = words.next().unwrap().parse().unwrap();
            let size: u64 = words.next().unwrap().parse().unwrap();
            let unit = match words.next().unwrap() {
                "bytes" => 1,
                "kB" => 1_000,
                "MB" => 1_000_000,
                other => panic!("{other}"),
            };
            (frames, size, unit)
        };
        let (back, there, (_, size, unit)) = (frames().0, frames().0, frames());
        let counted = Counted {
            there,
            back,
            bytes: size * unit,
            rounded: if unit == 1 { 0 } else { unit },
        };
        add(
            &mut all,
            kind,
            from.trim().to_owned(),
            to.to_owned(),
            counted,
        );
    }
    all
}

struct Tshark {
    answers: PathBuf,
}

impl Tshark {
    fn new() -> Option<Self> {
        let Ok(listed) = Command::new("tshark").args(["-G", "protocols"]).output() else {
            flowner_testing::skipped!("tshark is not installed");
            return None;
        };
        let answers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agreement");
        fs::create_dir_all(answers.join("settings")).unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout);
        let names = listed.lines().filter_map(|line| line.split('\t').nth(2));
        let mut off = String::new();
        for name in names.filter(|name| !DISSECTORS.split_whitespace().any(|on| on == *name)) {
            writeln!(off, "{name}").unwrap();
        }
        fs::write(answers.join("settings/disabled_protos"), off).unwrap();
        Some(Self { answers })
    }

    fn answer(&self, path: &Path) -> String {
        let name = path.file_name().unwrap().to_string_lossy();
        let kept = self.answers.join(format!("{name}.txt"));
        if let Ok(answer) = fs::read_to_string(&kept) {
            return answer;
        }
        let mut tshark = Command::new("tshark");
        tshark.env("WIRESHARK_CONFIG_DIR", self.answers.join("settings"));
        tshark.args(["-n", "-q", "-r"]).arg(path);
        tshark.args(["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]);
        tshark.args(["-d", "ip.proto==4,data", "-d", "ip.proto==41,data"]);
        tshark.args(["-d", "udp.port==6635,data"]);
        for (_, kind) in KINDS {
            tshark.args(["-z", &format!("conv,{kind}")]);
        }
        let output = tshark.output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        fs::write(&kept, &answer).unwrap();
        answer
    }
}

/// What differs, a line each.
fn differences(ours: &Conversations, theirs: &Conversations) -> Vec<String> {
    let keys: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut lines = Vec::new();
    for key in keys {
        let of = |all: &Conversations| all.get(key).copied().unwrap_or_default();
        let (ours, theirs) = (of(ours), of(theirs));
        if !ours.agrees(theirs) {
            let (kind, from, to) = key;
            lines.push(format!(
                "{kind} {from} {to}: ours {ours:?}, theirs {theirs:?}"
            ));
        }
    }
    lines
}

#[test]
#[ignore = "minutes: tshark reads 830 files"]
fn conversations_are_those_of_tshark() {
    let (Some(paths), Some(tshark)) = (common::captures(), Tshark::new()) else {
        return;
    };
    let mut by_link = BTreeMap::new();
    let (mut agree, mut differ) = (0, Vec::new());
    for path in &paths {
        let lines = differences(&ours(path, &mut by_link), &theirs(&tshark, path));
        if lines.is_empty() {
            agree += 1;
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        println!("{name}\n  {}", lines.join("\n  "));
        differ.push(name);
    }
    let differing: Vec<_> = differ.iter().map(String::as_str).collect();
    let mut explained: Vec<_> = EXPLAINED
        .iter()
        .flat_map(|(_, files)| files.split_whitespace())
        .collect();
    explained.sort_unstable();
    assert_eq!(differing, explained, "with reasons, which EXPLAINED lists");
    let page = page(&by_link, agree, paths.len());
    println!("{page}");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/captures.md");
    if std::env::var_os("SNAPSHOTS").is_some_and(|it| it == "overwrite") {
        fs::write(&kept, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), page, "{HOW}");
}

/// How the page is made.
const HOW: &str =
    "`SNAPSHOTS=overwrite cargo test -p flowner-capture --test agreement -- --ignored`";

fn page(by_link: &BTreeMap<String, Packets>, agree: usize, files: usize) -> String {
    let mut page = format!(
        "# Capture files, beside tshark\n\nThe {files} capture files of the tcpdump project, many of \
         them malformed on purpose. {HOW} writes\nthis page anew; `FLOWNER_CAPTURES` names the \
         directory of the files.\n\n## Packets that are decoded\n\n*Before* is when there were eight \
         link types, each of which said at once where IP begins. What is not decoded\nis not IP, \
         or cut short, or malformed; link types in parentheses cannot be decoded.\n\n| link type | \
         files | packets | before | now |\n|---|--:|--:|--:|--:|\n"
    );
    let mut sum = Packets::default();
    let mut sum_before = 0;
    for (link, packets) in by_link {
        let Packets {
            files,
            all,
            decoded,
        } = *packets;
        let before = BEFORE.iter().find(|(name, _)| name == link);
        let before = before.map_or(0, |(_, before)| *before);
        writeln!(page, "| {link} | {files} | {all} | {before} | {decoded} |").unwrap();
        sum.all += all;
        sum.decoded += decoded;
        sum_before += before;
    }
    let Packets { all, decoded, .. } = sum;
    writeln!(page, "| all | {files} | {all} | {sum_before} | {decoded} |").unwrap();
    let percent =
        100.0 * f64::from(u32::try_from(agree).unwrap()) / f64::from(u32::try_from(files).unwrap());
    write!(
        page,
        "\n## Conversations\n\ntshark 4.0.17 lists the conversations of IPv4, IPv6, TCP, UDP, SCTP and \
         DCCP with their packets and bytes in each\ndirection. **{agree} of {files} files ({percent:.1} \
         %) agree in every number.** The others, with the reasons:\n\n| files | why they differ \
         |\n|---|---|\n"
    )
    .unwrap();
    for (reason, files) in EXPLAINED {
        let files: Vec<_> = files
            .split_whitespace()
            .map(|file| format!("`{file}`"))
            .collect();
        writeln!(page, "| {} | {reason} |", files.join(", ")).unwrap();
    }
    page.push_str(
        "\nA conversation of TCP or UDP counts where the header was captured to its end, as tshark \
         has it. Here such packets\nhave their ports even if options of the header are missing.\n",
    );
    page
}

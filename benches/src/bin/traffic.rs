//! Writes a capture file of made-up traffic, the same each time: what readers of capture
//! files are compared with.
//!
//! `traffic FILE [PACKETS] [names]`, one million packets by default. A host with an IPv4 and an
//! IPv6 address does what desktops do: web connections with a heavy tail of sizes, datagrams of
//! QUIC, name lookups, pings; some 1,500 flows are open at a time, and there are some 40 packets to
//! a flow. Frames are whole, with zeros for what they carry; with `names`, lookups and what clients
//! say first are real.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;

use flowner_benches::payload;
use flowner_benches::random::Random;

const PACKETS: u64 = 1_000_000;
/// Flows that are open at a time.
const OPEN: usize = 1_500;
/// Time between two packets, in microseconds: one million takes five minutes.
const GAP: u64 = 300;
/// 2026-01-01, in seconds since the epoch.
const START: u64 = 1_767_225_600;
const FULL: usize = 1_448;
/// Bytes of a `ClientHello`, of an answer of DNS, and of a long datagram of QUIC.
const HELLO: usize = 517;
const ANSWER: usize = 90;
const DATAGRAM: usize = 1_200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (arguments, has_names) = match &arguments[..] {
        [rest @ .., last] if last == "names" => (rest, true),
        all => (all, false),
    };
    let (path, packets) = match arguments {
        [path] => (path, Some(PACKETS)),
        [path, packets] => (path, packets.parse().ok()),
        _ => return usage(),
    };
    let Some(packets) = packets else {
        return usage();
    };
    match write(path, packets, has_names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("traffic FILE [PACKETS] [names]");
    ExitCode::FAILURE
}

fn write(path: &str, packets: u64, has_names: bool) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0])?;
    out.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
    let mut random = Random::new(42);
    let mut flows: Vec<Flow> = (0..OPEN).map(|_| Flow::open(&mut random)).collect();
    let mut time = START * 1_000_000;
    let mut frame = Vec::with_capacity(2_000);
    for _ in 0..packets {
        time += random.below(2 * GAP);
        // Few flows are busy, most are not.
        let busy = random.below(4) != 0;
        let place = random.index(if busy { OPEN / 20 } else { OPEN });
        if flows[place].is_over() {
            flows[place] = Flow::open(&mut random);
        }
        frame.clear();
        let before = flows[place].packets;
        flows[place].frame(&mut frame, &mut random);
        if has_names && let Some(said) = flows[place].said(before) {
            // All that a frame carries is at its end.
            let at = frame.len() - said.len();
            frame[at..].copy_from_slice(&said);
        }
        let length = u32::try_from(frame.len()).unwrap_or_default().to_le_bytes();
        let seconds = u32::try_from(time / 1_000_000).unwrap_or_default();
        let micros = u32::try_from(time % 1_000_000).unwrap_or_default();
        out.write_all(&seconds.to_le_bytes())?;
        out.write_all(&micros.to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(&frame)?;
    }
    out.flush()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Web,
    Quic,
    Lookup,
    Ping,
}

/// A flow that is open.
struct Flow {
    kind: Kind,
    is_v6: bool,
    host: u16,
    port: u16,
    sent: u32,
    received: u32,
    /// Packets so far, and in all.
    packets: u64,
    length: u64,
}

impl Flow {
    fn open(random: &mut Random) -> Self {
        let kind = match random.below(100) {
            0..50 => Kind::Web,
            50..60 => Kind::Quic,
            60..98 => Kind::Lookup,
            _ => Kind::Ping,
        };
        let (least, most) = match kind {
            Kind::Web => (9, 4_000),
            Kind::Quic => (6, 2_000),
            Kind::Lookup => (2, 2),
            Kind::Ping => (2, 20),
        };
        // The tail of a Pareto distribution with exponent 1: most are short, a few carry
        // most of the packets.
        let length = least * 1_000 / (1 + random.below(1_000));
        Self {
            kind,
            is_v6: random.below(4) == 0,
            host: random.number(1_024),
            port: 32_768 + random.number(28_000),
            sent: u32::from(random.number(u16::MAX)),
            received: u32::from(random.number(u16::MAX)),
            packets: 0,
            length: length.clamp(least, most),
        }
    }

    const fn is_over(&self) -> bool {
        self.packets >= self.length
    }

    /// What a packet of it carries, if that names a host.
    fn said(&self, number: u64) -> Option<Vec<u8>> {
        let name = format!("h{:04x}.example.uk", self.host);
        let id = self.port;
        match (self.kind, number) {
            (Kind::Web, 3) => Some(payload::client_hello_record(&name, HELLO)),
            (Kind::Quic, 0) => {
                let mut datagram = payload::quic_initial(&name, id.into());
                datagram.resize(DATAGRAM, 0);
                Some(datagram)
            }
            (Kind::Lookup, _) => {
                let question = payload::question(id, &name, self.is_v6);
                Some(if number.is_multiple_of(2) {
                    question
                } else {
                    payload::answer(&question, self.there(), ANSWER)
                })
            }
            _ => None,
        }
    }

    /// The address of the other end.
    fn there(&self) -> IpAddr {
        let [high, low] = self.host.to_be_bytes();
        if self.is_v6 {
            Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, self.host).into()
        } else {
            Ipv4Addr::new(203, 0, 113 + high, low).into()
        }
    }

    /// Appends the next frame.
    fn frame(&mut self, out: &mut Vec<u8>, random: &mut Random) {
        let number = self.packets;
        self.packets += 1;
        let is_last = self.is_over();
        match self.kind {
            Kind::Web => self.segment(number, is_last, out, random),
            Kind::Quic => {
                let sends = number.is_multiple_of(3);
                let payload = if sends && number > 0 { 40 } else { DATAGRAM };
                self.datagram(sends, 443, payload, out);
            }
            Kind::Lookup => {
                let sends = number.is_multiple_of(2);
                let payload = if sends { 34 } else { ANSWER };
                self.datagram(sends, 53, payload, out);
            }
            Kind::Ping => {
                let sends = number.is_multiple_of(2);
                let protocol = if self.is_v6 { 58 } else { 1 };
                let kind = match (self.is_v6, sends) {
                    (false, true) => 8,
                    (false, false) => 0,
                    (true, true) => 128,
                    (true, false) => 129,
                };
                self.ip(sends, protocol, 64, out);
                out.extend([kind, 0, 0, 0]);
                out.resize(out.len() + 60, 0);
            }
        }
    }

    fn segment(&mut self, number: u64, is_last: bool, out: &mut Vec<u8>, random: &mut Random) {
        const FIN_ACK: u8 = 0x11;
        const PUSH_ACK: u8 = 0x18;
        let (sends, flags, payload) = match number {
            0 => (true, 0x02, 0),
            1 => (false, 0x12, 0),
            2 => (true, 0x10, 0),
            3 => (true, PUSH_ACK, HELLO),
            _ if is_last => (true, FIN_ACK, 0),
            number if number + 2 == self.length => (false, FIN_ACK, 0),
            _ => match random.below(10) {
                0..4 => (true, 0x10, 0),
                4 => (true, PUSH_ACK, random.index(400)),
                5 => (false, PUSH_ACK, random.index(FULL)),
                _ => (false, 0x10, FULL),
            },
        };
        let (sequence, acknowledged) = if sends {
            (self.sent, self.received)
        } else {
            (self.received, self.sent)
        };
        self.ip(sends, 6, 32 + payload, out);
        let ports = if sends {
            [self.port, 443]
        } else {
            [443, self.port]
        };
        out.extend(ports.map(u16::to_be_bytes).as_flattened());
        out.extend(sequence.to_be_bytes());
        out.extend(acknowledged.to_be_bytes());
        out.extend([0x80, flags, 0x10, 0, 0, 0, 0, 0]);
        // Two times no operation, then time stamps.
        out.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
        out.resize(out.len() + payload, 0);
        let advance = u32::try_from(payload).unwrap_or_default() + u32::from(flags & 3 != 0);
        let side = if sends {
            &mut self.sent
        } else {
            &mut self.received
        };
        *side = side.wrapping_add(advance);
    }

    fn datagram(&self, sends: bool, service: u16, payload: usize, out: &mut Vec<u8>) {
        let length = u16::try_from(8 + payload).unwrap_or_default();
        self.ip(sends, 17, 8 + payload, out);
        let (source, destination) = if sends {
            (self.port, service)
        } else {
            (service, self.port)
        };
        for field in [source, destination, length, 0] {
            out.extend(field.to_be_bytes());
        }
        out.resize(out.len() + payload, 0);
    }

    /// An Ethernet and an IP header.
    fn ip(&self, sends: bool, protocol: u8, payload: usize, out: &mut Vec<u8>) {
        const OURS: [u8; 6] = [2, 0, 0, 0, 0, 2];
        const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 1];
        let [from, to] = if sends {
            [OURS, THEIRS]
        } else {
            [THEIRS, OURS]
        };
        out.extend(to);
        out.extend(from);
        let host = self.host.to_be_bytes();
        let length = |length: usize| u16::try_from(length).unwrap_or_default().to_be_bytes();
        if self.is_v6 {
            let ours = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
            let theirs = [
                0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, host[0], host[1],
            ];
            out.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            out.extend(length(payload));
            out.extend([protocol, 64]);
            for address in if sends {
                [ours, theirs]
            } else {
                [theirs, ours]
            } {
                out.extend(address);
            }
        } else {
            let ours = [192, 168, 1, 2];
            let theirs = [203, 0, 113 + host[0], host[1]];
            out.extend([8, 0, 0x45, 0]);
            out.extend(length(20 + payload));
            out.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
            for address in if sends {
                [ours, theirs]
            } else {
                [theirs, ours]
            } {
                out.extend(address);
            }
        }
    }
}

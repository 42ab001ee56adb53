//! Parses interfaces and packets from the bytes of blocks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::comments::Comments;
use super::options::{self, Options};
use super::process::{ProcessFacts, Processes, layout};
use super::{BYTE_ORDER, Fields, Interface, OVERHEAD, block};
use crate::file_packet::{Corrupt, FilePacket, clamp};
use crate::link_type::{LinkType, OtherLinkType};
use crate::packet_origin::PacketOrigin;

/// The largest valid length of a block; libpcap and Wireshark have the same limit.
const MAX_BLOCK: usize = 16 << 20;
/// The largest valid number of interfaces in one section.
const MAX_INTERFACES: usize = 65_536;
/// Names between two packets that are kept.
const MAX_NAMES: usize = 65_536;

/// The content of a section so far.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    is_big_endian: bool,
    interfaces: Vec<Described>,
    processes: Processes,
    /// Names of addresses since the last packet.
    names: Vec<(IpAddr, String)>,
    /// Whether the last block was a packet, which has these names.
    has_told_names: bool,
    /// Blocks whose lengths do not include their padding.
    odd_lengths: u64,
}

#[derive(Debug)]
struct Described {
    interface: Interface,
    link_type: Result<LinkType, OtherLinkType>,
    /// The number of its time units in a second.
    ticks_per_second: u128,
    /// Seconds to add to them.
    offset: i64,
}

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    kind: u32,
    /// The length of the whole block in bytes: a multiple of four, 12 at least.
    pub(crate) len: usize,
}

impl Header {
    /// The number of bytes that contain it.
    pub(crate) const LEN: usize = 12;

    /// Whether the block holds a packet.
    pub(crate) const fn is_packet(self) -> bool {
        matches!(
            self.kind,
            block::ENHANCED_PACKET | block::PACKET | block::SIMPLE_PACKET
        )
    }
}

impl Reader {
    /// The interfaces of this section so far.
    pub(crate) fn interface(&self, number: usize) -> Option<&Interface> {
        let described = self.interfaces.get(number)?;
        Some(&described.interface)
    }

    /// See [`Oddities::lengths`](crate::Oddities::lengths).
    pub(crate) const fn odd_lengths(&self) -> u64 {
        self.odd_lengths
    }

    /// Whether the decoder knows the frames of some interface.
    pub(crate) fn has_decodable(&self) -> bool {
        let mut all = self.interfaces.iter();
        all.any(|described| described.link_type.is_ok())
    }

    /// The header of the next block. A section has its byte order, which applies from there on.
    pub(crate) fn header(&mut self, bytes: [u8; Header::LEN]) -> Result<Header, Corrupt> {
        let [kind, len, magic] = [0, 4, 8].map(|at| {
            let mut field = [0; 4];
            field.copy_from_slice(&bytes[at..at + 4]);
            field
        });
        if u32::from_be_bytes(kind) == block::SECTION {
            self.is_big_endian = match u32::from_be_bytes(magic) {
                BYTE_ORDER => true,
                other if other.swap_bytes() == BYTE_ORDER => false,
                other => {
                    return Err(Corrupt(format!(
                        "a section begins with the byte order {other:#010x}, which is none"
                    )));
                }
            };
        }
        let kind = self.u32(kind);
        let len = self.u32(len) as usize;
        let least = if kind == block::SECTION { 28 } else { OVERHEAD };
        if len < least || len > MAX_BLOCK {
            return Err(Corrupt(format!(
                "a block of type {kind:#x} claims to have {len} bytes"
            )));
        }
        // Some programs do not include the padding, although the draft does.
        self.odd_lengths += u64::from(!len.is_multiple_of(4));
        let len = len.next_multiple_of(4);
        let header = Header { kind, len };
        if std::mem::replace(&mut self.has_told_names, header.is_packet()) {
            self.names.clear();
        }
        Ok(header)
    }

    /// The packet in a block, from all bytes of the block.
    pub(crate) fn packet<'a>(
        &'a self,
        header: Header,
        bytes: &'a [u8],
    ) -> Result<FilePacket<'a>, Corrupt> {
        let mut fields = self.fields(header, bytes)?;
        let packet = match header.kind {
            block::ENHANCED_PACKET => self.enhanced(&mut fields),
            block::PACKET => self.old(&mut fields),
            _ => self.simple(&mut fields),
        };
        packet.ok_or_else(|| {
            Corrupt(format!(
                "a packet does not fit its block of {} bytes, or is of an interface that was not \
                 described",
                header.len
            ))
        })
    }

    /// Takes the content of a block without a packet.
    pub(crate) fn other(&mut self, header: Header, bytes: &[u8]) -> Result<(), Corrupt> {
        let mut fields = self.fields(header, bytes)?;
        match header.kind {
            block::SECTION => self.section(&mut fields),
            block::INTERFACE => self.describe(&mut fields),
            layout::CUSTOM | layout::CUSTOM_NOT_COPIED => {
                // Custom blocks of other writers are skipped.
                if let Some(facts) = ProcessFacts::of_custom(&mut fields) {
                    self.processes.add(facts);
                }
                Ok(())
            }
            block::NAMES => {
                self.take_names(&mut fields);
                Ok(())
            }
            layout::APPLE => {
                let facts = ProcessFacts::of_apple(&mut fields);
                self.processes.add_apple(facts.unwrap_or_default());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The names of addresses in a block: records, each of an address and names that end with a zero. What
    /// is no such record is skipped.
    fn take_names(&mut self, fields: &mut Fields<'_>) {
        const IPV4: u16 = 1;
        const IPV6: u16 = 2;
        while let Some((kind, len)) = fields.u16().zip(fields.u16()) {
            let Some(record) = fields.padded(len.into()).filter(|_| kind != 0) else {
                return;
            };
            let split = match kind {
                IPV4 => record
                    .split_first_chunk::<4>()
                    .map(|(octets, names)| (IpAddr::from(*octets), names)),
                IPV6 => record
                    .split_first_chunk::<16>()
                    .map(|(octets, names)| (IpAddr::from(*octets), names)),
                _ => None,
            };
            let Some((address, names)) = split else {
                continue;
            };
            for name in names
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty())
            {
                if self.names.len() >= MAX_NAMES {
                    return;
                }
                if let Ok(name) = std::str::from_utf8(name) {
                    self.names.push((address, name.to_owned()));
                }
            }
        }
    }

    /// The content between the lengths at both ends of a block.
    fn fields<'a>(&self, header: Header, bytes: &'a [u8]) -> Result<Fields<'a>, Corrupt> {
        let (body, len) = bytes[8..header.len].split_at(header.len - OVERHEAD);
        let fields = |bytes| Fields {
            bytes,
            is_big_endian: self.is_big_endian,
        };
        let len = fields(len).u32().map(|len| len as usize);
        if len.and_then(|len| len.checked_next_multiple_of(4)) != Some(header.len) {
            return Err(Corrupt(format!(
                "a block of {} bytes claims another length at its end",
                header.len
            )));
        }
        Ok(fields(body))
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.is_big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    fn section(&mut self, fields: &mut Fields<'_>) -> Result<(), Corrupt> {
        self.interfaces.clear();
        self.processes = Processes::default();
        let version = fields.u32().and_then(|_| fields.u16().zip(fields.u16()));
        match version {
            // Some programs wrote 1.2, which is no different.
            Some((1, 0 | 2)) => Ok(()),
            version => {
                let (major, minor) = version.unwrap_or_default();
                let message = format!("its version of pcapng is {major}.{minor}; 1.0 is known");
                Err(Corrupt(message))
            }
        }
    }

    fn describe(&mut self, fields: &mut Fields<'_>) -> Result<(), Corrupt> {
        let head = (|| {
            let link_type = fields.u16()?;
            let _reserved = fields.u16()?;
            Some((link_type, fields.u32()?))
        })();
        let (link_type, snap_length) =
            head.ok_or_else(|| Corrupt("the description of an interface is cut".to_owned()))?;
        let interface = Interface {
            link_type: u32::from(link_type),
            snap_length,
            ..Interface::default()
        };
        let mut described = Described {
            link_type: interface.frames(),
            interface,
            ticks_per_second: 1_000_000,
            offset: 0,
        };
        for (code, value) in fields.options() {
            described.option(code, value, self.is_big_endian);
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Corrupt(format!(
                "it describes more than {MAX_INTERFACES} interfaces"
            )));
        }
        self.interfaces.push(described);
        Ok(())
    }

    fn enhanced<'a>(&'a self, fields: &mut Fields<'a>) -> Option<FilePacket<'a>> {
        let number = fields.u32()? as usize;
        self.stamped(number, fields)
    }

    /// An obsolete packet block: it has a shorter interface number, and the number of dropped
    /// packets.
    fn old<'a>(&'a self, fields: &mut Fields<'a>) -> Option<FilePacket<'a>> {
        let number = usize::from(fields.u16()?);
        let _dropped = fields.u16()?;
        self.stamped(number, fields)
    }

    fn stamped<'a>(&'a self, number: usize, fields: &mut Fields<'a>) -> Option<FilePacket<'a>> {
        let described = self.interfaces.get(number)?;
        let ticks = u64::from(fields.u32()?) << 32 | u64::from(fields.u32()?);
        let captured = fields.u32()? as usize;
        let wire_len = fields.u32()?;
        let data = fields.padded(captured)?;
        Some(FilePacket {
            interface: number,
            link_type: described.link_type,
            time: described.time(ticks),
            wire_len,
            data,
            comments: Comments::new(
                fields.bytes,
                fields.is_big_endian,
                &self.processes,
                &self.names,
            ),
            origin: described.origin(data, fields.options()),
        })
    }

    /// A packet without a time, from the first interface.
    fn simple<'a>(&'a self, fields: &mut Fields<'a>) -> Option<FilePacket<'a>> {
        let first = self.interfaces.first()?;
        let snap_length = first.interface.snap_length;
        let wire_len = fields.u32()?;
        let kept = match snap_length {
            0 => wire_len,
            snap_length => wire_len.min(snap_length),
        };
        let data = fields.padded(kept as usize)?;
        Some(FilePacket {
            interface: 0,
            link_type: first.link_type,
            time: Duration::ZERO,
            wire_len,
            data,
            comments: Comments::default(),
            origin: first.origin(data, Options::default()),
        })
    }
}

impl Described {
    fn option(&mut self, code: u16, value: &[u8], is_big_endian: bool) {
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        let interface = &mut self.interface;
        match (code, value) {
            (options::NAME, _) => interface.name = text(),
            (options::FILTER, [0, text @ ..]) => {
                interface.filter = Some(String::from_utf8_lossy(text).into_owned());
            }
            // Address and netmask; address and length of the prefix.
            (options::IPV4, [a, b, c, d, ..]) => {
                let address = Ipv4Addr::new(*a, *b, *c, *d);
                interface.addresses.push(IpAddr::V4(address));
            }
            (options::IPV6, value) => {
                if let Some(octets) = value.first_chunk::<16>() {
                    let address = Ipv6Addr::from(*octets);
                    interface.addresses.push(IpAddr::V6(address));
                }
            }
            (options::RESOLUTION, [resolution, ..]) => {
                self.ticks_per_second = ticks_per_second(*resolution);
            }
            (options::OFFSET, value) => {
                if let Ok(bytes) = <[u8; 8]>::try_from(value) {
                    self.offset = if is_big_endian {
                        i64::from_be_bytes(bytes)
                    } else {
                        i64::from_le_bytes(bytes)
                    };
                }
            }
            _ => {}
        }
    }

    /// The origin of a packet: from its header, or else from its flags. On BSD's loopback the flags
    /// mean nothing: a packet is both sent and received.
    fn origin(&self, data: &[u8], mut options: Options<'_>) -> PacketOrigin {
        let Ok(link_type) = self.link_type else {
            return PacketOrigin::Unknown;
        };
        if matches!(link_type, LinkType::Null | LinkType::Loop) {
            return PacketOrigin::Unknown;
        }
        let is_big_endian = options.is_big_endian;
        let mut flags = || {
            let (_, value) = options.find(|(code, _)| *code == options::FLAGS)?;
            let value: [u8; 4] = value.try_into().ok()?;
            Some(if is_big_endian {
                u32::from_be_bytes(value)
            } else {
                u32::from_le_bytes(value)
            })
        };
        match PacketOrigin::of_header(link_type, data) {
            PacketOrigin::Unknown => PacketOrigin::of_flags(flags().unwrap_or_default()),
            origin => origin,
        }
    }

    fn time(&self, ticks: u64) -> Duration {
        let per_second = self.ticks_per_second;
        let (seconds, nanoseconds) = match per_second {
            // Most files use this, and these divisions are cheap.
            1_000_000 => (ticks / 1_000_000, ticks % 1_000_000 * 1_000),
            1_000_000_000 => (ticks / 1_000_000_000, ticks % 1_000_000_000),
            _ => {
                let ticks = u128::from(ticks);
                let exact = ticks % per_second * 1_000_000_000 / per_second;
                let seconds = u64::try_from(ticks / per_second).unwrap_or(u64::MAX);
                (seconds, u64::try_from(exact).unwrap_or(0))
            }
        };
        // Less than a second, so that it fits.
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(0);
        clamp(i128::from(seconds) + i128::from(self.offset), nanoseconds)
    }
}

/// From the option `if_tsresol`: a negative power of 10, or of 2 if the highest bit is set. A finer
/// resolution than this does not reach a nanosecond in the 64 bits of a time stamp.
fn ticks_per_second(resolution: u8) -> u128 {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 {
        10_u128.saturating_pow(power)
    } else {
        1 << power
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions() {
        assert_eq!(ticks_per_second(6), 1_000_000);
        assert_eq!(ticks_per_second(0), 1);
        assert_eq!(ticks_per_second(20), 100_000_000_000_000_000_000);
        assert_eq!(ticks_per_second(0x7f), u128::MAX);
        assert_eq!(ticks_per_second(0x8a), 1_024);
        assert_eq!(ticks_per_second(0xff), 1 << 127);
    }

    #[test]
    fn times_of_any_resolution() {
        #[track_caller]
        fn check(ticks_per_second: u128, offset: i64, ticks: u64, expected: (u64, u32)) {
            let described = Described {
                interface: Interface::default(),
                link_type: Err(OtherLinkType::NONE),
                ticks_per_second,
                offset,
            };
            let expected = Duration::new(expected.0, expected.1);
            assert_eq!(described.time(ticks), expected);
        }
        check(1_000_000, 0, 1_000_002, (1, 2_000));
        check(1_000_000_000, 0, 1_000_000_002, (1, 2));
        check(1_024, 0, 1_025, (1, 976_562));
        check(1, 0, 7, (7, 0));
        check(1 << 63, 0, u64::MAX, (1, 999_999_999));
        check(1_000_000, 100, 1_000_002, (101, 2_000));
        check(1_000_000, -100, 1_000_002, (0, 0));
        check(1, 0, u64::MAX, (253_402_300_799, 0));
        check(10_u128.pow(20), 0, 10_u64.pow(19), (0, 100_000_000));
        check(1 << 64, 0, 1 << 63, (0, 500_000_000));
        check(u128::MAX, 7, u64::MAX, (7, 0));
    }
}

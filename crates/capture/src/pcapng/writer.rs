//! Writes a file.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use super::options::{self, MAX};
use super::process::{ProcessFacts, layout};
use super::{BYTE_ORDER, Interface, block, padding};
use crate::packet_origin::PacketOrigin;

/// Writes each block with one call of the output, so that an output that accepts all or nothing
/// never contains half a block.
///
/// ```
/// use std::time::Duration;
///
/// use flowner_capture::pcapng::{Interface, Section, Writer};
/// use flowner_capture::{FileReader, LinkType};
///
/// let mut writer = Writer::new(Vec::new(), &Section::default())?;
/// let eth0 = writer.interface(&Interface::new(LinkType::Ethernet))?;
/// writer.packet(eth0, Duration::from_secs(1), 60, &[0; 14], &["the first"])?;
///
/// let file = writer.into_inner();
/// let mut reader = FileReader::new(&file[..])?;
/// let packet = reader.next()?.expect("the packet that was written");
/// assert_eq!(packet.comments.iter().collect::<Vec<_>>(), ["the first"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    interfaces: u32,
    /// The block under construction, and whether it has options yet.
    block: Vec<u8>,
    has_options: bool,
    written: u64,
}

/// The writer of a file, and its system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// The hardware that captured.
    pub hardware: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// The application.
    pub application: Option<String>,
    /// Anything else.
    pub comment: Option<String>,
}

/// The counters of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// When counting began, since the Unix epoch.
    pub started: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// Packets that the interface received.
    pub received: Option<u64>,
    /// Packets that the interface dropped.
    pub dropped_by_interface: Option<u64>,
    /// Packets that the operating system dropped because no one read them in time.
    pub dropped_by_kernel: Option<u64>,
    /// Packets that reached the writer of the file.
    pub delivered: Option<u64>,
}

/// The facts about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PacketOptions<'a> {
    /// Comments. Those longer than 65,535 bytes are cut.
    pub comments: &'a [&'a str],
    /// Its origin, for `epb_flags`.
    pub origin: PacketOrigin,
    /// The pid of the packet's process, for `epb_processid_threadid`; 0 for none. Call
    /// [`Writer::process`] for it first.
    pub pid: Option<u32>,
}

impl<'a> PacketOptions<'a> {
    /// Comments alone.
    pub fn of_comments(comments: &'a [&'a str]) -> Self {
        Self {
            comments,
            ..Self::default()
        }
    }
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn new(out: W, section: &Section) -> io::Result<Self> {
        let mut writer = Self {
            out,
            interfaces: 0,
            block: Vec::new(),
            has_options: false,
            written: 0,
        };
        writer.begin(block::SECTION);
        writer.put(&BYTE_ORDER.to_le_bytes());
        // Version 1.0, and an unknown length of the section.
        writer.put(&[1, 0, 0, 0]);
        writer.put(&u64::MAX.to_le_bytes());
        writer.text(options::COMMENT, section.comment.as_deref());
        writer.text(options::HARDWARE, section.hardware.as_deref());
        writer.text(options::OS, section.os.as_deref());
        writer.text(options::APPLICATION, section.application.as_deref());
        writer.end()?;
        Ok(writer)
    }

    /// Adds an interface, and returns its number.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn interface(&mut self, interface: &Interface) -> io::Result<u32> {
        const NANOSECONDS: u8 = 9;
        self.begin(block::INTERFACE);
        // Link types have 16 bits here.
        let link_type = u16::try_from(interface.link_type)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.put(&link_type.to_le_bytes());
        self.put(&[0; 2]);
        self.put(&interface.snap_length.to_le_bytes());
        self.text(options::NAME, interface.name.as_deref());
        for address in &interface.addresses {
            match address {
                IpAddr::V4(address) => {
                    let with_mask = [address.octets(), [0xff; 4]].concat();
                    self.option(options::IPV4, &with_mask);
                }
                IpAddr::V6(address) => {
                    let with_prefix = [&address.octets()[..], &[128]].concat();
                    self.option(options::IPV6, &with_prefix);
                }
            }
        }
        self.option(options::RESOLUTION, &[NANOSECONDS]);
        if let Some(filter) = &interface.filter {
            // 0: it is a text rather than a program.
            self.option(options::FILTER, &[&[0], filter.as_bytes()].concat());
        }
        self.end()?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a packet of an interface that was added before.
    ///
    /// `time` is since the Unix epoch, `data` the kept part of the frame, and `wire_len` its length
    /// on the wire. Comments longer than 65,535 bytes are cut.
    ///
    /// # Errors
    ///
    /// The errors of the output; [`io::ErrorKind::InvalidInput`] if the interface was not added or
    /// the packet is longer than 4 GiB.
    pub fn packet(
        &mut self,
        interface: u32,
        time: Duration,
        wire_len: u32,
        data: &[u8],
        comments: &[&str],
    ) -> io::Result<()> {
        let options = PacketOptions::of_comments(comments);
        self.packet_with(interface, time, wire_len, data, &options)
    }

    /// As [`packet`](Self::packet), with more than comments.
    ///
    /// # Errors
    /// As [`packet`](Self::packet).
    pub fn packet_with(
        &mut self,
        interface: u32,
        time: Duration,
        wire_len: u32,
        data: &[u8],
        about: &PacketOptions<'_>,
    ) -> io::Result<()> {
        let captured = u32::try_from(data.len()).ok();
        let captured = captured.filter(|_| interface < self.interfaces);
        let captured = captured.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.begin(block::ENHANCED_PACKET);
        self.put(&interface.to_le_bytes());
        self.time(time);
        self.put(&captured.to_le_bytes());
        self.put(&wire_len.to_le_bytes());
        self.put(data);
        self.pad(data.len());
        for comment in about.comments {
            self.text(options::COMMENT, Some(comment));
        }
        if let Some(flags) = about.origin.flags() {
            self.option(options::FLAGS, &flags.to_le_bytes());
        }
        if let Some(pid) = about.pid {
            // The thread is unknown, which is 0.
            let of_process = [pid, 0].map(u32::to_le_bytes);
            self.option(layout::PACKET_PROCESS, of_process.as_flattened());
        }
        self.end()
    }

    /// Adds a process in Wireshark's form, for later packets with its pid. Leaves out a text of
    /// more than 65,535 bytes.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn process(&mut self, facts: &ProcessFacts) -> io::Result<()> {
        self.begin(layout::CUSTOM);
        self.put(&facts.to_custom());
        self.end()
    }

    /// Adds a name of an address, in a Name Resolution Block: Wireshark shows it in the packets after it.
    /// Leaves out a name of more than 65,000 bytes, or with a zero in it.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn name(&mut self, address: IpAddr, name: &str) -> io::Result<()> {
        const IPV4: u16 = 1;
        const IPV6: u16 = 2;
        const LONGEST: usize = 65_000;
        let (kind, octets) = match address {
            IpAddr::V4(address) => (IPV4, address.octets().to_vec()),
            IpAddr::V6(address) => (IPV6, address.octets().to_vec()),
        };
        let len = u16::try_from(octets.len() + name.len() + 1);
        let len = len
            .ok()
            .filter(|_| name.len() <= LONGEST && !name.contains('\0'));
        let Some(len) = len else {
            return Ok(());
        };
        self.begin(block::NAMES);
        self.put(&kind.to_le_bytes());
        self.put(&len.to_le_bytes());
        self.put(&octets);
        self.put(name.as_bytes());
        self.put(&[0]);
        self.pad(len.into());
        // The end of the records.
        self.put(&[0; 4]);
        self.end()
    }

    /// Writes the counters of an interface.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn counters(
        &mut self,
        interface: u32,
        time: Duration,
        counters: &Counters,
    ) -> io::Result<()> {
        self.begin(block::STATISTICS);
        self.put(&interface.to_le_bytes());
        self.time(time);
        for (code, time) in [
            (options::START_TIME, counters.started),
            (options::END_TIME, counters.ended),
        ] {
            if let Some(time) = time {
                self.option(code, ticks(time).as_flattened());
            }
        }
        for (code, number) in [
            (options::RECEIVED, counters.received),
            (options::DROPPED_BY_INTERFACE, counters.dropped_by_interface),
            (options::DROPPED_BY_KERNEL, counters.dropped_by_kernel),
            (options::DELIVERED, counters.delivered),
        ] {
            if let Some(number) = number {
                self.option(code, &number.to_le_bytes());
            }
        }
        self.end()
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The number of bytes written so far.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The output.
    pub const fn get_ref(&self) -> &W {
        &self.out
    }

    /// The output. Writing to it directly may make the file unreadable.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// The output, which may still have to be flushed.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.has_options = false;
        self.put(&kind.to_le_bytes());
        // The length, which is unknown yet.
        self.put(&[0; 4]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    fn pad(&mut self, len: usize) {
        self.put(&[0; 3][..padding(len)]);
    }

    fn time(&mut self, time: Duration) {
        self.put(ticks(time).as_flattened());
    }

    fn text(&mut self, code: u16, text: Option<&str>) {
        if let Some(text) = text {
            self.option(code, &text.as_bytes()[..cut_at(text, MAX)]);
        }
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(MAX)];
        #[expect(clippy::cast_possible_truncation, reason = "it was cut to fit")]
        let len = value.len() as u16;
        self.has_options = true;
        self.put(&code.to_le_bytes());
        self.put(&len.to_le_bytes());
        self.put(value);
        self.pad(value.len());
    }

    fn end(&mut self) -> io::Result<()> {
        if self.has_options {
            self.put(&[0; 4]);
        }
        let len = u32::try_from(self.block.len() + 4);
        let len = len.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.put(&len.to_le_bytes());
        self.block[4..8].copy_from_slice(&len.to_le_bytes());
        self.out.write_all(&self.block)?;
        self.written += u64::from(len);
        Ok(())
    }
}

/// Nanoseconds since the epoch, the upper half first. Times after the year 2554 do not fit, and
/// become that year.
fn ticks(time: Duration) -> [[u8; 4]; 2] {
    let ticks = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let [upper, lower] = [ticks >> 32, ticks & 0xffff_ffff];
    #[expect(clippy::cast_possible_truncation, reason = "both have 32 bits")]
    let halves = [upper as u32, lower as u32];
    halves.map(u32::to_le_bytes)
}

/// The last character boundary up to `max`: `str::floor_char_boundary`, which is newer than the
/// oldest supported compiler.
fn cut_at(text: &str, max: usize) -> usize {
    let mut places = (0..=max.min(text.len())).rev();
    places.find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(address: &str, name: &str) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
        let before = writer.get_ref().len();
        writer.name(address.parse().unwrap(), name).unwrap();
        writer.into_inner().split_off(before)
    }

    /// As section 4.5 of the draft has it.
    #[test]
    fn a_name_is_a_record_with_zeros_around() {
        let block = block_of("192.0.2.1", "ab");
        let record = [1, 0, 7, 0, 192, 0, 2, 1, b'a', b'b', 0, 0];
        let whole = [
            &[4, 0, 0, 0, 28, 0, 0, 0][..],
            &record,
            &[0; 4],
            &[28, 0, 0, 0],
        ]
        .concat();
        assert_eq!(block, whole);
        let block = block_of("2001:db8::1", "abc");
        assert_eq!(block[8..12], [2, 0, 20, 0]);
        assert!(block.len().is_multiple_of(4) && block[12..14] == [0x20, 0x01]);
        assert!(block_of("192.0.2.1", "a\0b").is_empty());
        assert!(block_of("192.0.2.1", &"a".repeat(65_001)).is_empty());
    }
}

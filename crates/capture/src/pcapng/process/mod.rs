//! Facts about processes, in their own blocks, to which packets refer.
//!
//! Two programs write such blocks. Wireshark (5.1, `wiretap/pcapng-wireshark-custom.c`) puts the
//! Process Information Block that is proposed for the draft into a custom block of its own;
//! packets point to it by the pid (`epb_processid_threadid`, draft-ietf-opsawg-pcapng, 4.3).
//! Apple's tcpdump has a block for local use; packets point to it by its number.

mod table;

use std::time::Duration;

use super::options::{self, MAX, Options};
use super::{Fields, padding};

pub use table::PacketProcess;
pub(super) use table::Processes;

/// The layouts of Wireshark and Apple. The number of Wireshark's block changes once the draft
/// assigns one; its body stays.
pub(super) mod layout {
    /// Custom blocks (section 4.7 of the draft): one that programs may copy, and one that they must
    /// not copy.
    pub(in super::super) const CUSTOM: u32 = 0x0bad;
    pub(in super::super) const CUSTOM_NOT_COPIED: u32 = 0x4000_0bad;
    /// The enterprise number of the Wireshark Foundation (iana.org/assignments/enterprise-numbers).
    pub(in super::super) const WIRESHARK: u32 = 32_622;
    /// The entry of a Wireshark custom block with the body of a Process Information Block.
    pub(super) const PROCESS_ENTRY: u32 = 3;

    /// Apple's block, of the range for local use.
    pub(in super::super) const APPLE: u32 = 0x8000_0001;

    /// Options of a packet that refer to a process: `epb_processid_threadid`, and the numbers of
    /// Apple's blocks, those of the process with the socket and of the process for which it works.
    pub(in super::super) const PACKET_PROCESS: u16 = 8;
    pub(super) const PACKET_APPLE: u16 = 32_769;
    pub(super) const PACKET_APPLE_EFFECTIVE: u16 = 32_771;

    /// Options of a Process Information Block.
    pub(super) const NAME: u16 = 2;
    pub(super) const PATH: u16 = 3;
    pub(super) const COMMAND_LINE: u16 = 4;
    pub(super) const PARENT: u16 = 5;
    pub(super) const UID: u16 = 6;
    pub(super) const USER: u16 = 7;
    pub(super) const UUID: u16 = 8;
    pub(super) const STARTED: u16 = 9;

    /// Options of Apple's block: 2 is the name there, too.
    pub(super) const APPLE_UUID: u16 = 4;
}

/// The facts about a process in a file, as its writer recorded them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct ProcessFacts {
    /// The process id.
    pub pid: u32,
    /// The name. In Apple's blocks, its first 15 characters.
    pub name: Option<String>,
    /// The path of the executable.
    pub path: Option<String>,
    /// The arguments, the program's own name first.
    pub command_line: Option<Vec<String>>,
    /// The pid of the process that started it.
    pub parent: Option<u32>,
    /// The number of the user that it runs as.
    pub uid: Option<u32>,
    /// The name of that user.
    pub user: Option<String>,
    /// An identifier of the executable from the capturing system.
    pub uuid: Option<[u8; 16]>,
    /// The start time since the Unix epoch. The writer replaces times after the year 2554 with that
    /// year.
    pub started: Option<Duration>,
}

impl ProcessFacts {
    /// A process with this pid; all else is unknown.
    pub fn new(pid: u32) -> Self {
        Self {
            pid,
            ..Self::default()
        }
    }

    /// Parses the content of a custom block including the enterprise number; `None` if it is not
    /// about a process.
    pub(super) fn of_custom(fields: &mut Fields<'_>) -> Option<Self> {
        if fields.u32()? != layout::WIRESHARK {
            return None;
        }
        // From here on little-endian, in any section.
        fields.is_big_endian = false;
        if fields.u32()? != layout::PROCESS_ENTRY {
            return None;
        }
        let len = fields.u32()? as usize;
        let bytes = fields.padded(len)?;
        let mut body = Fields {
            bytes,
            is_big_endian: false,
        };
        let mut facts = Self::new(body.u32()?);
        for (code, value) in body.options() {
            facts.take(code, value);
        }
        Some(facts)
    }

    /// Parses the content of an Apple block.
    pub(super) fn of_apple(fields: &mut Fields<'_>) -> Option<Self> {
        let mut facts = Self::new(fields.u32()?);
        for (code, value) in fields.options() {
            match code {
                layout::NAME => facts.name = text(value),
                layout::APPLE_UUID => facts.uuid = value.try_into().ok(),
                _ => {}
            }
        }
        Some(facts)
    }

    /// Takes an option of the body, which is little-endian. Skips one with the wrong length for its
    /// kind.
    fn take(&mut self, code: u16, value: &[u8]) {
        let number = || value.try_into().ok().map(u32::from_le_bytes);
        match code {
            layout::NAME => self.name = text(value),
            layout::PATH => self.path = text(value),
            layout::COMMAND_LINE => {
                let all = value.split(|byte| *byte == 0);
                self.command_line = Some(all.map(lossy).collect());
            }
            layout::PARENT => self.parent = number(),
            layout::UID => self.uid = number(),
            layout::USER => self.user = text(value),
            layout::UUID => self.uuid = value.try_into().ok(),
            layout::STARTED => {
                let nanoseconds = value.try_into().ok().map(u64::from_le_bytes);
                self.started = nanoseconds.map(Duration::from_nanos);
            }
            _ => {}
        }
    }

    /// The content of a Wireshark custom block in a little-endian section. Leaves out a text that
    /// is too long for an option: half a path is another path.
    pub(super) fn to_custom(&self) -> Vec<u8> {
        let mut body = self.pid.to_le_bytes().to_vec();
        let mut put = |code: u16, value: &[u8]| {
            if value.is_empty() || value.len() > MAX {
                return;
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is at most MAX")]
            let len = value.len() as u16;
            body.extend([code.to_le_bytes(), len.to_le_bytes()].as_flattened());
            body.extend(value);
            body.extend(&[0; 3][..padding(value.len())]);
        };
        put(layout::NAME, text_of(self.name.as_ref()));
        put(layout::PATH, text_of(self.path.as_ref()));
        if let Some(arguments) = &self.command_line {
            put(layout::COMMAND_LINE, arguments.join("\0").as_bytes());
        }
        for (code, number) in [(layout::PARENT, self.parent), (layout::UID, self.uid)] {
            if let Some(number) = number {
                put(code, &number.to_le_bytes());
            }
        }
        put(layout::USER, text_of(self.user.as_ref()));
        put(
            layout::UUID,
            self.uuid.as_ref().map_or(&[], |uuid| &uuid[..]),
        );
        if let Some(started) = self.started {
            let nanoseconds = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX);
            put(layout::STARTED, &nanoseconds.to_le_bytes());
        }
        if body.len() > 4 {
            body.extend(options::END.to_le_bytes());
            body.extend([0; 2]);
        }
        // It has only a few options of 64 KiB.
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let head = [layout::WIRESHARK, layout::PROCESS_ENTRY, len].map(u32::to_le_bytes);
        // All options are padded, and so is the whole.
        [head.as_flattened(), &body].concat()
    }

    /// The length of the texts.
    fn len(&self) -> usize {
        let texts = [&self.name, &self.path, &self.user];
        let texts = texts.into_iter().flatten().map(String::len);
        let arguments = self.command_line.iter().flatten().map(String::len);
        texts.chain(arguments).sum()
    }
}

/// A text that is not empty.
fn text(value: &[u8]) -> Option<String> {
    (!value.is_empty()).then(|| lossy(value))
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn text_of(text: Option<&String>) -> &[u8] {
    text.map_or(&[], |text| text.as_bytes())
}

/// The processes to which the options of a packet refer, including one for which another works.
pub(super) fn pointers(options: Options<'_>) -> impl Iterator<Item = Pointer> + Clone {
    let is_big_endian = options.is_big_endian;
    options.filter_map(move |(code, value)| {
        let fields = || Fields {
            bytes: value,
            is_big_endian,
        };
        match (code, value.len()) {
            (layout::PACKET_PROCESS, 8) => fields().u32().map(Pointer::Pid),
            (layout::PACKET_APPLE, 4) => fields().u32().map(Pointer::Block),
            (layout::PACKET_APPLE_EFFECTIVE, 4) => fields().u32().map(Pointer::EffectiveBlock),
            _ => None,
        }
    })
}

/// How a packet refers to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pointer {
    Pid(u32),
    /// By the number of the block in its section.
    Block(u32),
    /// As [`Block`](Self::Block), for the process for which the one with the socket works.
    EffectiveBlock(u32),
}

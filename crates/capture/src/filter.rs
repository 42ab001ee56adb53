//! Capture filters for the packets of files.
// This calls libpcap's interpreter directly: that of the binding uses the captured length as the
// packet's, so that `greater 100` would be wrong.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{c_uint, c_void};

use pcap::{BpfInstruction, BpfProgram, Capture, Linktype};

use crate::error::Error;
use crate::file_packet::FilePacket;
use crate::link_type::{LinkType, OtherLinkType};
use crate::message::message;
use crate::system::AF_INET6;

unsafe extern "C" {
    /// `pcap/bpf.h`: how many bytes of a packet pass; 0 for none.
    fn bpf_filter(
        program: *const c_void,
        packet: *const u8,
        wire_len: c_uint,
        captured: c_uint,
    ) -> c_uint;
}

/// One expression, compiled for all the link types of a file.
pub(crate) struct Filters {
    expression: String,
    programs: Vec<(LinkType, Option<BpfProgram>)>,
}

impl Filters {
    /// For a file with this link type. If the decoder does not know it, this only checks the
    /// expression.
    pub(crate) fn new(
        expression: &str,
        link_type: Result<LinkType, OtherLinkType>,
    ) -> Result<Self, Error> {
        let mut filters = Self {
            expression: expression.to_owned(),
            programs: Vec::new(),
        };
        let link_type = link_type.unwrap_or(LinkType::Ethernet);
        let program = filters.compile(link_type)?;
        filters.programs.push((link_type, Some(program)));
        Ok(filters)
    }

    /// Whether a packet passes. A frame does not pass if its link type is unknown or does not
    /// support the expression.
    pub(crate) fn pass(&mut self, packet: &FilePacket<'_>) -> bool {
        let Ok(link_type) = packet.link_type else {
            return false;
        };
        let known = self.programs.iter().position(|(of, _)| *of == link_type);
        let place = known.unwrap_or_else(|| {
            let program = self.compile(link_type);
            if let Err(error) = &program {
                tracing::debug!(%error, %link_type, "the filter takes no such packets");
            }
            self.programs.push((link_type, program.ok()));
            self.programs.len() - 1
        });
        let data = as_of_this_system(link_type, packet.data);
        let program = self.programs[place].1.as_ref();
        program.is_some_and(|program| run(program, &data, packet.wire_len))
    }

    /// The link types of the file that do not support the expression, in words.
    pub(crate) fn remark(&self) -> Option<String> {
        let without = self
            .programs
            .iter()
            .filter(|(_, program)| program.is_none());
        let names: Vec<_> = without.map(|(link_type, _)| link_type.name()).collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("the capture filter does not apply to frames of {names}, and left them out")
        })
    }

    fn compile(&self, link_type: LinkType) -> Result<BpfProgram, Error> {
        let optimize = true;
        Capture::dead(Linktype(link_type.dlt()))
            .and_then(|capture| capture.compile(&self.expression, optimize))
            .map_err(|error| Error::Filter {
                expression: self.expression.clone(),
                message: message(error),
            })
    }
}

/// The frame as this system would have captured it: filter programs compare the address family of
/// BSD loopback with its number here, in the byte order of this host.
fn as_of_this_system(link_type: LinkType, data: &[u8]) -> Cow<'_, [u8]> {
    const IPV6: [u8; 4] = [10, 24, 28, 30];
    let number: fn(u32) -> [u8; 4] = match link_type {
        LinkType::Null => u32::to_ne_bytes,
        LinkType::Loop => u32::to_be_bytes,
        _ => return Cow::Borrowed(data),
    };
    let family = match data {
        [family, 0, 0, 0, ..] | [0, 0, 0, family, ..] if IPV6.contains(family) => AF_INET6,
        [family @ 2, 0, 0, 0, ..] | [0, 0, 0, family @ 2, ..] => *family,
        _ => return Cow::Borrowed(data),
    };
    let mut data = data.to_vec();
    data[..4].copy_from_slice(&number(u32::from(family)));
    Cow::Owned(data)
}

fn run(program: &BpfProgram, data: &[u8], wire_len: u32) -> bool {
    let instructions: *const BpfInstruction = program.get_instructions().as_ptr();
    // A slice is never longer than a packet of a file, which has a 32-bit length.
    let captured = c_uint::try_from(data.len()).unwrap_or(c_uint::MAX);
    // SAFETY: `BpfInstruction` is a transparent `bpf_insn`. `pcap_compile` made the program, so it
    // ends with a return and reads only within `captured` bytes of the packet. (An empty program
    // accepts every packet, as with `pcap_setfilter`.)
    unsafe { bpf_filter(instructions.cast(), data.as_ptr(), wire_len, captured) != 0 }
}

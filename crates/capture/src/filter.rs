//! Capture filters on the packets of files.
// libpcap's interpreter is called directly: the binding's takes what was captured for all of
// the packet, so that `greater 100` would be wrong.
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
    /// `pcap/bpf.h`: how much of a packet passes, 0 where it does not.
    fn bpf_filter(
        program: *const c_void,
        packet: *const u8,
        wire_len: c_uint,
        captured: c_uint,
    ) -> c_uint;
}

/// One expression, for all the link types of a file.
pub(crate) struct Filters {
    expression: String,
    programs: Vec<(LinkType, Option<BpfProgram>)>,
}

impl Filters {
    /// For a file whose frames begin so. Where they cannot be decoded, the expression is only
    /// checked.
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

    /// Whether a packet passes. Nothing can be told of frames that cannot be decoded, or to whose
    /// link type the expression does not apply: they do not.
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

    /// To which link types of the file the expression does not apply, in words.
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

/// The frame as this system would have captured it: programs compare the address family of
/// BSD loopback with its number here, in the byte order of here.
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
    // A slice is never longer than a packet of a file, which has 32 bits for its length.
    let captured = c_uint::try_from(data.len()).unwrap_or(c_uint::MAX);
    // SAFETY: `BpfInstruction` is a transparent `bpf_insn`. The program was made by
    // `pcap_compile`, so it ends with a return, and reads within `captured` bytes of the
    // packet only. (An empty program lets everything pass, as `pcap_setfilter` has it.)
    unsafe { bpf_filter(instructions.cast(), data.as_ptr(), wire_len, captured) != 0 }
}

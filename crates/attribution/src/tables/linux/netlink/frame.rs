//! The binary form of netlink messages and their attributes (netlink(7)). Pure: any input parses as
//! messages or as malformed.

/// `NLMSG_NOOP`, `NLMSG_ERROR`, `NLMSG_DONE` and `NLMSG_OVERRUN`.
const NOTHING: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const LOST: u16 = 4;
/// `NLM_F_REQUEST`, and `NLM_F_DUMP` for a list of everything.
pub(crate) const REQUEST: u16 = 1;
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: the list changed during the dump, so some entries may be missing.
pub(crate) const DISTURBED: u16 = 0x10;

/// `struct nlmsghdr`.
pub(crate) const HEADER_LEN: usize = 16;

/// The bytes do not have the form that the kernel writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A message without its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// The end of a dump.
    Done,
    /// An error number, negative; 0 acknowledges.
    Error(i32),
    /// A message without content.
    Nothing,
    /// Messages before it were lost.
    Lost,
    /// Anything else: its type, and what follows.
    Other(u16, &'a [u8]),
}

/// The rest of a message's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u16,
    /// The number of the request that it answers.
    pub(crate) sequence: u32,
    /// The port id of the socket whose request it answers, or that caused it.
    pub(crate) port: u32,
}

/// The header of a request with a body of this length.
pub(crate) fn header(body_len: usize, kind: u16, flags: u16, sequence: u32) -> [u8; HEADER_LEN] {
    let length = u32::try_from(HEADER_LEN + body_len).unwrap_or(u32::MAX);
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes
}

/// The messages in one datagram, without their headers.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, Malformed>> {
    messages(bytes).map(|message| message.map(|(_, frame)| frame))
}

/// The messages in one datagram.
pub(crate) fn messages(
    mut bytes: &[u8],
) -> impl Iterator<Item = Result<(Header, Frame<'_>), Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let taken = take(bytes);
        bytes = taken.map_or(&[], |(.., rest)| rest);
        Some(taken.map(|(header, frame, _)| (header, frame)))
    })
}

fn take(bytes: &[u8]) -> Result<(Header, Frame<'_>, &[u8]), Malformed> {
    let length = usize::try_from(u32_at(bytes, 0)?).map_err(|_| Malformed)?;
    let kind = u16_at(bytes, 4)?;
    let header = Header {
        flags: u16_at(bytes, 6)?,
        sequence: u32_at(bytes, 8)?,
        port: u32_at(bytes, 12)?,
    };
    let body = bytes.get(HEADER_LEN..length).ok_or(Malformed)?;
    let frame = match kind {
        // It has an error number if the kernel does not know the request.
        DONE => match array_at(body, 0).map(i32::from_ne_bytes) {
            Ok(error) if error < 0 => Frame::Error(error),
            _ => Frame::Done,
        },
        ERROR => Frame::Error(i32::from_ne_bytes(array_at(body, 0)?)),
        NOTHING => Frame::Nothing,
        LOST => Frame::Lost,
        _ => Frame::Other(kind, body),
    };
    // The next one begins at a multiple of four (`NLMSG_ALIGN`).
    let next = length.next_multiple_of(4).min(bytes.len());
    Ok((header, frame, &bytes[next..]))
}

/// Types and values: length, type, value, at multiples of four (rtnetlink(7)).
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let taken = attribute(rest);
        rest = taken.map_or(&[], |(_, _, rest)| rest);
        Some(taken.map(|(kind, value, _)| (kind, value)))
    })
}

fn attribute(bytes: &[u8]) -> Result<(u16, &[u8], &[u8]), Malformed> {
    let length = usize::from(u16_at(bytes, 0)?);
    let value = bytes.get(4..length).ok_or(Malformed)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok((u16_at(bytes, 2)?, value, rest))
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    let array = bytes.get(at..).and_then(|rest| rest.first_chunk());
    array.copied().ok_or(Malformed)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    array_at(bytes, at).map(u16::from_ne_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    array_at(bytes, at).map(u32::from_ne_bytes)
}

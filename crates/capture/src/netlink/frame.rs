//! The binary form of messages and their attributes (netlink(7), rtnetlink(7)). Any input parses,
//! up to the first malformed message.

/// `struct nlmsghdr`.
pub(crate) const HEADER_LEN: usize = 16;
/// `struct nlattr`.
const ATTRIBUTE_LEN: usize = 4;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;

/// The bytes do not have the form that the kernel writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    /// The number of the request that it answers; 0 for a notification.
    pub(crate) sequence: u32,
    /// The bytes after the header.
    pub(crate) body: &'a [u8],
}

/// The bytes of a request.
pub(crate) fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// The messages in one datagram. A malformed one is the last, because it is unknown where the next
/// begins.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let taken = take(bytes);
        bytes = taken.map_or(&[], |(_, rest)| rest);
        Some(taken.map(|(message, _)| message))
    })
}

/// The first message and the rest, which is always shorter.
fn take(bytes: &[u8]) -> Result<(Message<'_>, &[u8]), Malformed> {
    let length = u32_at(bytes, 0).ok_or(Malformed)? as usize;
    let message = Message {
        kind: u16_at(bytes, 4).ok_or(Malformed)?,
        flags: u16_at(bytes, 6).ok_or(Malformed)?,
        sequence: u32_at(bytes, 8).ok_or(Malformed)?,
        body: bytes.get(HEADER_LEN..length).ok_or(Malformed)?,
    };
    Ok((message, behind(bytes, length)))
}

/// The types and values of attributes, up to the first malformed one: later kernels add attributes
/// after the known ones.
pub(crate) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let attribute = (u16_at(rest, 2)?, rest.get(ATTRIBUTE_LEN..length)?);
        rest = behind(rest, length);
        Some(attribute)
    })
}

/// The bytes after `length`, aligned to a multiple of four (`NLMSG_ALIGN`, `NLA_ALIGN`).
fn behind(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.next_multiple_of(4)..).unwrap_or_default()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u16::from_ne_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let array = bytes.get(at..)?.first_chunk();
    array.copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invalid_lengths_end_the_messages() {
        let whole = request(7, 0, 1, &[1, 2, 3, 4]);
        for length in [0, 1, 15, 21, u32::MAX] {
            let mut bytes = whole.clone();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let all: Vec<_> = messages(&[&bytes[..], &whole].concat())
                .map(|message| message.is_ok())
                .collect();
            // With 21, the next message has the length in it.
            let expected: &[bool] = if length == 21 {
                &[true, false]
            } else {
                &[false]
            };
            assert_eq!(all, expected, "{length}");
        }
        let attribute = |length: u16| [&length.to_ne_bytes()[..], &[1, 0, 9, 9]].concat();
        assert_eq!(attributes(&attribute(6)).count(), 1);
        for length in [0, 3, 7, u16::MAX] {
            assert_eq!(attributes(&attribute(length)).count(), 0, "{length}");
        }
    }

    proptest! {
        #[test]
        fn requests_are_read_again(
            all in proptest::collection::vec(
                (any::<u16>(), any::<u16>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..20)),
                0..5,
            ),
        ) {
            let mut bytes = Vec::new();
            for (kind, flags, sequence, body) in &all {
                bytes.extend(request(*kind, *flags, *sequence, body));
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            let read: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
            let expected: Vec<_> = all
                .iter()
                .map(|(kind, flags, sequence, body)| Message {
                    kind: *kind,
                    flags: flags | REQUEST,
                    sequence: *sequence,
                    body,
                })
                .collect();
            prop_assert_eq!(read, expected);
        }

        /// Each message needs its own header, so the parse ends, whatever the lengths are.
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let malformed = messages(&bytes).filter(Result::is_err).count();
            prop_assert!(malformed <= 1);
            prop_assert!(messages(&bytes).count() - malformed <= bytes.len() / HEADER_LEN);
            prop_assert!(attributes(&bytes).count() <= bytes.len().div_ceil(ATTRIBUTE_LEN));
        }
    }
}

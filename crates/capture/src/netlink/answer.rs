//! Parses the answer to one request. Pure.

use std::io;

use super::frame::{Malformed, messages, u32_at};

/// `NLMSG_NOOP`, `NLMSG_ERROR`, `NLMSG_DONE`, `NLMSG_OVERRUN`.
const NOTHING: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const LOST: u16 = 4;
/// `NLM_F_DUMP_INTR`: the list changed during the dump, so some entries may be missing.
const DISTURBED: u16 = 0x10;

/// The expected form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// One message.
    One,
    /// Any number of messages, then one that ends the list.
    List,
}

/// The progress of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Nothing else follows.
    pub(crate) is_over: bool,
    /// The list changed meanwhile.
    pub(crate) is_disturbed: bool,
}

/// Reads the messages of an answer in one datagram. Calls `take` with the type of each and the
/// bytes after its header. Messages with another number belong to another answer, and are skipped,
/// like those after the end.
///
/// # Errors
///
/// The error of the kernel, and [`io::ErrorKind::InvalidData`] if the bytes are malformed or
/// messages were lost.
pub(crate) fn read(
    bytes: &[u8],
    sequence: u32,
    expected: Expected,
    mut take: impl FnMut(u16, &[u8]) -> Result<(), Malformed>,
) -> io::Result<Progress> {
    let malformed = |_: Malformed| io::Error::from(io::ErrorKind::InvalidData);
    let mut progress = Progress::default();
    for message in messages(bytes) {
        let message = message.map_err(malformed)?;
        if message.sequence != sequence {
            continue;
        }
        progress.is_disturbed |= message.flags & DISTURBED != 0;
        match message.kind {
            NOTHING => {}
            ERROR => refused(u32_at(message.body, 0).ok_or_else(|| malformed(Malformed))?)?,
            LOST => return Err(malformed(Malformed)),
            // It has an error number if the kernel could not list everything.
            DONE => {
                u32_at(message.body, 0).map_or(Ok(()), refused)?;
                progress.is_over = true;
            }
            kind => {
                take(kind, message.body).map_err(malformed)?;
                progress.is_over = expected == Expected::One;
            }
        }
        if progress.is_over {
            break;
        }
    }
    Ok(progress)
}

/// The error of a negative number; other numbers acknowledge.
fn refused(number: u32) -> io::Result<()> {
    match number.cast_signed() {
        error if error < 0 => Err(io::Error::from_raw_os_error(error.wrapping_neg())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::io::Errno;

    use super::*;
    use crate::netlink::frame::request;

    const KIND: u16 = 20;

    /// Reads several datagrams; returns the messages, and how the answer ended.
    fn read_all(
        parts: &[Vec<u8>],
        sequence: u32,
        expected: Expected,
    ) -> (Vec<Vec<u8>>, io::Result<Progress>) {
        let (mut taken, mut all) = (Vec::new(), Progress::default());
        for part in parts {
            let take = |_: u16, body: &[u8]| {
                taken.push(body.to_vec());
                Ok(())
            };
            match read(part, sequence, expected, take) {
                Ok(progress) => {
                    all.is_disturbed |= progress.is_disturbed;
                    all.is_over = progress.is_over;
                }
                Err(error) => return (taken, Err(error)),
            }
            if all.is_over {
                break;
            }
        }
        (taken, Ok(all))
    }

    fn number(value: i32) -> [u8; 4] {
        value.to_ne_bytes()
    }

    #[test]
    fn a_refusal_is_an_error() {
        let not_permitted = number(Errno::PERM.raw_os_error().wrapping_neg());
        for kind in [ERROR, DONE] {
            let bytes = request(kind, 0, 5, &not_permitted);
            let (_, ended) = read_all(std::slice::from_ref(&bytes), 5, Expected::List);
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
            // The refusal of another request does not count.
            let (_, ended) = read_all(&[bytes], 6, Expected::List);
            assert_eq!(ended.unwrap(), Progress::default());
        }
        let acknowledged = request(ERROR, 0, 5, &number(0));
        let (_, ended) = read_all(&[acknowledged], 5, Expected::List);
        assert_eq!(ended.unwrap(), Progress::default());
        for bytes in [request(LOST, 0, 5, &[]), request(ERROR, 0, 5, &[1])] {
            let (_, ended) = read_all(&[bytes], 5, Expected::List);
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_changed_list_is_reported() {
        let mut bytes = request(KIND, DISTURBED, 5, &[]);
        bytes.extend(request(DONE, 0, 5, &number(0)));
        let (taken, ended) = read_all(&[bytes], 5, Expected::List);
        let expected = Progress {
            is_over: true,
            is_disturbed: true,
        };
        assert_eq!((taken.len(), ended.unwrap()), (1, expected));
    }

    #[derive(Debug, Clone)]
    struct Sent {
        kind: u16,
        sequence: u32,
        body: Vec<u8>,
    }

    fn any_sent() -> impl Strategy<Value = Sent> {
        let kind = prop_oneof![5 => Just(KIND), 1 => Just(DONE), 1 => Just(NOTHING)];
        let body = proptest::collection::vec(1..128_u8, 0..9);
        (kind, 0..3_u32, body).prop_map(|(kind, sequence, body)| Sent {
            kind,
            sequence,
            // No error number.
            body: if kind == DONE { number(0).into() } else { body },
        })
    }

    proptest! {
        /// An answer consists of the messages with its number up to its end, whatever other answers
        /// are between them and however they arrive.
        #[test]
        fn an_answer_has_the_number_of_its_question(
            parts in proptest::collection::vec(proptest::collection::vec(any_sent(), 0..4), 0..6),
            is_list in any::<bool>(),
        ) {
            let received: Vec<Vec<u8>> = parts
                .iter()
                .map(|part| {
                    let mut bytes = Vec::new();
                    for sent in part {
                        bytes.extend(request(sent.kind, 0, sent.sequence, &sent.body));
                        bytes.resize(bytes.len().next_multiple_of(4), 0);
                    }
                    bytes
                })
                .collect();
            let mut own = parts.iter().flatten().filter(|sent| sent.sequence == 1);
            let mut expected = Vec::new();
            let is_over = own.any(|sent| {
                if sent.kind == KIND {
                    expected.push(sent.body.clone());
                }
                sent.kind == DONE || sent.kind == KIND && !is_list
            });
            let kind = if is_list { Expected::List } else { Expected::One };
            let (taken, ended) = read_all(&received, 1, kind);
            prop_assert_eq!(taken, expected);
            prop_assert_eq!(ended.unwrap().is_over, is_over);
        }

        /// A wrong length ends the parse, with an error or as another message.
        #[test]
        fn a_malformed_length_never_loops(
            all in proptest::collection::vec(any_sent(), 1..6),
            place in any::<prop::sample::Index>(),
            length in any::<u32>(),
        ) {
            let place = place.index(all.len());
            let mut bytes = Vec::new();
            for (number, sent) in all.iter().enumerate() {
                let start = bytes.len();
                bytes.extend(request(sent.kind, 0, sent.sequence, &sent.body));
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                if number == place {
                    bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
                }
            }
            let (taken, _) = read_all(&[bytes.clone()], 1, Expected::List);
            prop_assert!(taken.len() <= bytes.len() / 16);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (taken, _) = read_all(std::slice::from_ref(&bytes), 0, Expected::List);
            prop_assert!(taken.len() <= bytes.len() / 16);
        }
    }
}

//! Fuzzing of the parsers of Linux's devices, addresses and packet sockets. Not part of the
//! interface of this crate.
//!
//! Each function takes any input, and panics if an invariant does not hold.

pub use crate::address_changes::fuzzing as addresses;
use crate::decode;
use crate::link_type::LinkType;
pub use crate::origin::fuzzing as device;
use crate::packet_origin::PacketOrigin;
pub use crate::packet_senders::fuzzing as senders;

/// A frame with a cooked header of the second version: the first version, which is made from it,
/// has the same fields.
///
/// # Panics
/// If it does not.
pub fn cooked(bytes: &[u8]) {
    let (mut frame, length) = (
        bytes.to_vec(),
        u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    );
    let (origin, device, taken) = crate::origin::cooked_for_fuzzing(&mut frame);
    assert_eq!(frame.len() + taken as usize, bytes.len());
    if taken == 0 {
        assert_eq!((frame.as_slice(), device), (bytes, None));
        return;
    }
    assert_eq!(
        origin,
        PacketOrigin::of_header(LinkType::LinuxCooked2, bytes)
    );
    assert_eq!(
        origin,
        PacketOrigin::of_header(LinkType::LinuxCooked, &frame)
    );
    let long = decode(LinkType::LinuxCooked2, bytes, length);
    let short = decode(LinkType::LinuxCooked, &frame, length - taken);
    match (long, short) {
        (Ok(long), Ok(short)) => {
            assert_eq!(long.wire_len, short.wire_len + taken);
            let (wire_len, long) = (short.wire_len, long);
            assert_eq!(crate::Headers { wire_len, ..long }, short);
        }
        (long, short) => assert_eq!(long.is_ok(), short.is_ok()),
    }
}

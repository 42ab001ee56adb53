//! Questions to the Linux kernel, and its notices (netlink(7)).
//!
//! `frame` has the bytes of messages and of attributes, and is pure. `answer`, pure too, reads the
//! answer to one question: a message counts only under the number of the question. `socket` asks, and
//! waits for a moment at most. `options` sets what no crate in use sets.

mod answer;
mod frame;
mod options;
mod socket;

#[cfg(feature = "fuzzing")]
pub(crate) use answer::{Expected, read};
#[cfg(feature = "fuzzing")]
pub(crate) use frame::HEADER_LEN;
pub(crate) use frame::{Malformed, attributes, messages, u16_at, u32_at};
pub(crate) use socket::{Netlink, Notices};

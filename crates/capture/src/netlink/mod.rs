//! Requests to the Linux kernel, and its notifications (netlink(7)).
//!
//! `frame` has the binary form of messages and attributes, and is pure. `answer`, also pure, parses
//! the answer to one request: a message counts only with the number of the request. `socket` sends
//! requests and waits at most a moment. `options` sets options that no crate in use offers.

mod answer;
mod frame;
mod options;
mod socket;

#[cfg(feature = "fuzzing")]
pub(crate) use answer::{Expected, read};
#[cfg(feature = "fuzzing")]
pub(crate) use frame::HEADER_LEN;
pub(crate) use frame::{Malformed, attributes, messages, u16_at, u32_at};
pub(crate) use socket::{Netlink, Notices, whole_list};

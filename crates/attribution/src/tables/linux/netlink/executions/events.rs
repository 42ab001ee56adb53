//! Messages of the process events connector (`linux/connector.h`, `linux/cn_proc.h`). Pure: any bytes
//! whatsoever are read as an event or as none.

use crate::tables::linux::netlink::frame::{HEADER_LEN, array_at, header, u32_at};

/// `CN_IDX_PROC` and `CN_VAL_PROC`: the connector's id, of which the first is the group, too.
const INDEX: u32 = 1;
const VALUE: u32 = 1;
/// The group as a bit.
pub(super) const GROUP: u32 = 1 << (INDEX - 1);
/// `PROC_CN_MCAST_LISTEN` and `PROC_CN_MCAST_IGNORE`.
pub(super) const LISTEN: u32 = 1;
pub(super) const IGNORE: u32 = 2;
/// `PROC_EVENT_NONE`, which acknowledges, and `PROC_EVENT_EXEC`.
pub(super) const ACKNOWLEDGED: u32 = 0;
pub(super) const EXECUTED: u32 = 2;
/// `struct cn_msg` without data.
const CONNECTOR_LEN: usize = 20;
/// Where `struct proc_event` begins: with what it is about.
pub(super) const EVENT: usize = HEADER_LEN + CONNECTOR_LEN;
/// More than a message has.
pub(super) const MAX_LEN: usize = 256;
/// `NLMSG_DONE`, which is the type of all messages of connectors.
const DONE: u16 = 3;

/// What the kernel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It has taken a request; or the number of an error.
    Acknowledged(i32),
    /// A process has executed a program, in nanoseconds of `CLOCK_MONOTONIC`.
    Executed { pid: u32, at: u64 },
}

/// The request that begins or ends reports.
pub(super) fn request(operation: u32) -> Vec<u8> {
    let operation = operation.to_ne_bytes();
    let length = u16::try_from(operation.len()).unwrap_or_default();
    let mut bytes = header(CONNECTOR_LEN + operation.len(), DONE, 0, 0).to_vec();
    for number in [INDEX, VALUE, 0, 0] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(length.to_ne_bytes());
    bytes.extend(0_u16.to_ne_bytes());
    bytes.extend(operation);
    bytes
}

/// The event in a message; `None` if it is about something else.
pub(super) fn event(bytes: &[u8]) -> Option<Event> {
    let is_its =
        u32_at(bytes, HEADER_LEN) == Ok(INDEX) && u32_at(bytes, HEADER_LEN + 4) == Ok(VALUE);
    let what = u32_at(bytes, EVENT).ok().filter(|_| is_its)?;
    // After that come the CPU, the time, and what each kind has: here two numbers of the process.
    let at = array_at(bytes, EVENT + 8).map(u64::from_ne_bytes).ok()?;
    let first = array_at(bytes, EVENT + 16).ok()?;
    match what {
        ACKNOWLEDGED => Some(Event::Acknowledged(i32::from_ne_bytes(first))),
        EXECUTED => Some(Event::Executed {
            pid: u32_at(bytes, EVENT + 20).ok()?,
            at,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(what: u32, at: u64, data: [u32; 2]) -> Vec<u8> {
        let mut bytes = request(0);
        bytes.truncate(EVENT);
        bytes.extend([what, 0].into_iter().flat_map(u32::to_ne_bytes));
        bytes.extend(at.to_ne_bytes());
        bytes.extend(data.into_iter().flat_map(u32::to_ne_bytes));
        bytes
    }

    #[test]
    fn executions_have_a_process_and_a_time() {
        let executed = message(EXECUTED, 77, [5, 4]);
        assert_eq!(event(&executed), Some(Event::Executed { pid: 4, at: 77 }));
        let refused = message(ACKNOWLEDGED, 1, [(-1_i32).cast_unsigned(), 0]);
        assert_eq!(event(&refused), Some(Event::Acknowledged(-1)));
        assert_eq!(event(&message(1, 77, [5, 4])), None);
        let mut other = executed;
        other[HEADER_LEN] = 9;
        assert_eq!(event(&other), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _event = event(&bytes);
        }
    }
}

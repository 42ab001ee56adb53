//! A protocol of IP that has no ports.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Count, Task};
use crate::platform::Result;

/// For experiments (RFC 3692).
pub(crate) const PROTOCOL: i32 = 253;

pub(super) fn run(task: &Task) -> Result<Count> {
    let socket = Socket::new(
        Domain::for_address(task.to),
        Type::RAW,
        Some(Protocol::from(PROTOCOL)),
    )?;
    let to = SockAddr::from(SocketAddr::new(task.to.ip(), 0));
    let payload = vec![b'r'; task.size];
    let mut pace = task.pace();
    let mut sent = 0;
    while let Some(length) = pace.next(task.size) {
        sent += socket.send_to(&payload[..length], &to)? as u64;
    }
    Ok(Count { sent, received: 0 })
}

//! Echo requests through a raw socket, as `ping` sends them, without a pause.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Count, Task};
use crate::platform::Result;

/// After such a silence, the rest was lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests without an answer, so that no answer finds a full buffer.
const AHEAD: u64 = 16;
/// Of an IPv4 header without options, and of ICMP's.
const IP_HEADER: usize = 20;
const ICMP_HEADER: usize = 8;

pub(super) fn run(task: &Task) -> Result<Count> {
    let SocketAddr::V4(_) = task.to else {
        return Err("echo requests are IPv4".into());
    };
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let to = SockAddr::from(task.to);
    let [.., high, low] = std::process::id().to_be_bytes();
    let id = u16::from_be_bytes([high, low]);
    let payload = vec![b'e'; task.size];
    let (mut count, mut requests, mut answers) = (Count::default(), 0, 0);
    let mut pace = task.pace();
    while pace.next(task.size).is_some() {
        let seq = u16::try_from(requests & 0xffff)?;
        let echo = Icmpv4Type::EchoRequest(IcmpEchoHeader { id, seq });
        let mut message = Icmpv4Header::with_checksum(echo, &payload)
            .to_bytes()
            .to_vec();
        message.extend_from_slice(&payload);
        count.sent += socket.send_to(&message, &to)? as u64;
        requests += 1;
        while requests - answers >= AHEAD {
            count.received += answer(&socket, id)?;
            answers += 1;
        }
    }
    while answers < requests {
        count.received += answer(&socket, id)?;
        answers += 1;
    }
    Ok(count)
}

/// The bytes of the next answer to one of these requests, without the header of IP.
fn answer(mut socket: &Socket, id: u16) -> Result<u64> {
    let mut buffer = [0; 2_048];
    loop {
        let length = socket.read(&mut buffer)?;
        let message = buffer[..length].get(IP_HEADER..).unwrap_or_default();
        let is_reply = message.len() >= ICMP_HEADER && message[0] == 0;
        if is_reply && message[4..6] == id.to_be_bytes() {
            return Ok(message.len() as u64);
        }
    }
}

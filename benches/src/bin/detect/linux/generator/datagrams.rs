//! UDP: one datagram a call, or many.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

use super::{Count, Task};
use crate::platform::Result;
use crate::platform::server::END;

/// Datagrams of one call.
const BATCH: usize = 32;
/// After such a silence, the rest was lost.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(task: &Task) -> Result<Count> {
    let from: SocketAddr = match task.to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(from)?;
    socket.connect(task.to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    match (task.is_upload, task.method.as_str()) {
        (true, "many") => send_many(task, &socket),
        (true, _) => send(task, &socket),
        (false, method) => receive(task, &socket, method == "many"),
    }
}

fn send(task: &Task, socket: &UdpSocket) -> Result<Count> {
    let datagram = vec![b'u'; task.size];
    let mut pace = task.pace();
    let mut sent = 0;
    while let Some(length) = pace.next(task.size) {
        sent += socket.send(&datagram[..length])? as u64;
    }
    Ok(Count { sent, received: 0 })
}

fn send_many(task: &Task, socket: &UdpSocket) -> Result<Count> {
    let datagram = vec![b'u'; task.size];
    let slices = vec![[IoSlice::new(&datagram)]; BATCH];
    let nowhere: Vec<Option<()>> = vec![None; BATCH];
    let mut pace = task.pace();
    let mut sent = 0;
    while pace.next(task.size * BATCH).is_some() {
        let mut headers = MultiHeaders::preallocate(BATCH, None);
        let fd = socket.as_raw_fd();
        let results = sendmmsg(fd, &mut headers, &slices, &nowhere, [], MsgFlags::empty())?;
        sent += results.map(|result| result.bytes as u64).sum::<u64>();
    }
    Ok(Count { sent, received: 0 })
}

fn receive(task: &Task, socket: &UdpSocket, takes_many: bool) -> Result<Count> {
    let request = task.download().request();
    socket.send(request.as_bytes())?;
    let mut received = 0;
    let mut buffers = vec![[0; 2_048]; BATCH];
    loop {
        let lengths = if takes_many {
            receive_many(socket, &mut buffers)?
        } else {
            vec![socket.recv(&mut buffers[0])?]
        };
        for (buffer, &length) in buffers.iter().zip(&lengths) {
            if &buffer[..length] == END {
                return Ok(Count {
                    sent: request.len() as u64,
                    received,
                });
            }
            received += length as u64;
        }
    }
}

/// The lengths of the datagrams that came with one call.
fn receive_many(socket: &UdpSocket, buffers: &mut [[u8; 2_048]]) -> Result<Vec<usize>> {
    let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
    let mut slices: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| [IoSliceMut::new(buffer)])
        .collect();
    let fd = socket.as_raw_fd();
    // It waits for the first one only (recv(2)).
    let flags = MsgFlags::MSG_WAITFORONE;
    let results = recvmmsg(fd, &mut headers, &mut slices, flags, None)?;
    Ok(results.map(|result| result.bytes).collect())
}

//! TCP and SCTP: plain, from a file without a copy, into a pipe without a copy.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use rustix::pipe::SpliceFlags;
use socket2::{SockAddr, Socket};

use super::{Count, Task};
use crate::platform::Result;
use crate::platform::server::sctp;

/// Bytes that go in one call.
const BLOCK: usize = 64 << 10;

pub(super) fn run(task: &Task, kind: &str) -> Result<Count> {
    let mut all = Count::default();
    for _ in 0..task.connections {
        let socket = if kind == "sctp" {
            let socket = sctp()?;
            socket.connect(&SockAddr::from(task.to))?;
            socket
        } else {
            Socket::from(TcpStream::connect(task.to)?)
        };
        let count = if task.is_upload {
            upload(task, &socket)?
        } else {
            download(task, &socket)?
        };
        all.sent += count.sent;
        all.received += count.received;
    }
    Ok(all)
}

fn upload(task: &Task, socket: &Socket) -> Result<Count> {
    let mut socket = socket;
    socket.write_all(b"up\n")?;
    let block = vec![b'u'; BLOCK];
    let mut pace = task.pace();
    let file = match task.method.as_str() {
        "sendfile" => Some(file_of(&block)?),
        _ => None,
    };
    while let Some(length) = pace.next(BLOCK) {
        match &file {
            Some(file) => send_from(file, socket, length)?,
            None => socket.write_all(&block[..length])?,
        }
    }
    socket.shutdown(Shutdown::Write)?;
    // The other end closes when it has everything.
    let mut rest = [0; 16];
    while socket.read(&mut rest)? > 0 {}
    Ok(Count {
        sent: task.bytes,
        received: 0,
    })
}

/// A file without a name, with these bytes.
fn file_of(bytes: &[u8]) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn send_from(file: &File, socket: &Socket, length: usize) -> Result<()> {
    let mut at = 0;
    while at < length as u64 {
        let left = length - usize::try_from(at)?;
        if rustix::fs::sendfile(socket, file, Some(&mut at), left)? == 0 {
            return Err("the file is too short".into());
        }
    }
    Ok(())
}

fn download(task: &Task, socket: &Socket) -> Result<Count> {
    let mut socket = socket;
    socket.write_all(task.download().request().as_bytes())?;
    let received = if task.method == "splice" {
        splice(socket)?
    } else {
        std::io::copy(&mut socket, &mut std::io::sink())?
    };
    if received != task.bytes {
        return Err(format!("{received} of {} bytes came", task.bytes).into());
    }
    Ok(Count { sent: 0, received })
}

/// From the socket into a pipe, and from there to nowhere, within the kernel.
fn splice(socket: &Socket) -> Result<u64> {
    let (output, input) = rustix::pipe::pipe()?;
    let nowhere = File::options().write(true).open("/dev/null")?;
    let mut all = 0;
    loop {
        let flags = SpliceFlags::MOVE;
        let came = rustix::pipe::splice(socket, None, &input, None, BLOCK, flags)?;
        if came == 0 {
            return Ok(all);
        }
        all += came as u64;
        let mut left = came;
        while left > 0 {
            left -= rustix::pipe::splice(&output, None, &nowhere, None, left, flags)?;
        }
    }
}

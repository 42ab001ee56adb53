//! A host with many processes that hold sockets.
//!
//! The processes are the program itself, started again: a program that starts a
//! [`Load`] calls [`serve_if_asked`] first thing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

/// The argument by which a process of the load knows that it is one.
const ARGUMENT: &str = "flowner-load-process";

/// The other open files of a process: the search for its sockets reads them all.
const FILES: usize = 10;

/// Background processes, until it is dropped.
#[derive(Debug)]
pub struct Load {
    processes: Vec<Child>,
    /// They end when this is closed, also if this process is killed.
    _open_while_needed: io::PipeWriter,
}

impl Load {
    /// Starts so many processes with so many sockets each, half of them both ends
    /// of connections, and with some files; returns when all are open.
    ///
    /// # Errors
    /// When one of them could not be started, or could not open its sockets.
    pub fn start(processes: usize, sockets: usize) -> io::Result<Self> {
        let (stop, open_while_needed) = io::pipe()?;
        let (mut ready, tell_ready) = io::pipe()?;
        let program = std::env::current_exe()?;
        let mut load = Self {
            processes: Vec::with_capacity(processes),
            _open_while_needed: open_while_needed,
        };
        for number in 0..processes {
            let connections = connections(sockets, number);
            let mut command = Command::new(&program);
            command
                .args([ARGUMENT, &sockets.to_string(), &connections.to_string()])
                .stdin(stop.try_clone()?)
                .stdout(tell_ready.try_clone()?)
                .stderr(Stdio::inherit());
            load.processes.push(command.spawn()?);
        }
        // From here on, only the processes hold the other end: one that fails is missed.
        drop(tell_ready);
        let mut told = vec![0; processes];
        ready.read_exact(&mut told)?;
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone_already = process.kill();
        }
        for process in &mut self.processes {
            let _gone_already = process.wait();
        }
    }
}

/// How many connections make half of the sockets, on the average of two processes; one
/// socket is left to connect to.
fn connections(sockets: usize, process: usize) -> usize {
    let half = sockets / 2 + process % 2;
    (half / 2).min(sockets.saturating_sub(1) / 2)
}

/// Becomes a process of the load, if this one was started to be one; it does not
/// return then.
pub fn serve_if_asked() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ARGUMENT) {
        return;
    }
    let mut count = || arguments.next()?.parse().ok();
    let asked = count().zip(count());
    let served = asked.ok_or(io::ErrorKind::InvalidInput.into());
    let code = match served.and_then(|(sockets, connections)| serve(sockets, connections)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("a process of the load failed: {error}");
            1
        }
    };
    std::process::exit(code);
}

fn serve(sockets: usize, connections: usize) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let files = (0..FILES).map(|_| File::open(&program));
    let _files = files.collect::<io::Result<Vec<_>>>()?;
    let _sockets = Sockets::open(sockets, connections)?;
    io::stdout().write_all(b".")?;
    io::stdout().flush()?;
    // Until the one that started this closes its end, or ends.
    io::stdin().read_exact(&mut [0]).or(Ok(()))
}

/// What one process holds.
#[derive(Debug, Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    datagrams: Vec<UdpSocket>,
    streams: Vec<TcpStream>,
}

impl Sockets {
    /// Both ends of so many connections; the rest listeners and datagram sockets.
    fn open(count: usize, connections: usize) -> io::Result<Self> {
        const ADDRESSES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];
        let mut sockets = Self::default();
        for number in 0..count - 2 * connections {
            let address = ADDRESSES[number % 2];
            if number % 4 < 2 {
                sockets.listeners.push(TcpListener::bind(address)?);
            } else {
                sockets.datagrams.push(UdpSocket::bind(address)?);
            }
        }
        for listener in sockets.listeners.iter().cycle().take(connections) {
            let connection = TcpStream::connect(listener.local_addr()?)?;
            sockets.streams.push(connection);
            sockets.streams.push(listener.accept()?.0);
        }
        Ok(sockets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_sockets_are_connected() {
        let check = |sockets, expected: usize| {
            let connections = [0, 1].map(|process| connections(sockets, process));
            for connections in connections {
                let opened = Sockets::open(sockets, connections).unwrap();
                assert_eq!(opened.streams.len(), 2 * connections);
                let others = opened.listeners.len() + opened.datagrams.len();
                assert_eq!(others + opened.streams.len(), sockets);
            }
            assert_eq!(connections.iter().sum::<usize>(), expected);
        };
        check(0, 0);
        check(1, 0);
        check(2, 0);
        check(4, 2);
        check(10, 5);
    }
}

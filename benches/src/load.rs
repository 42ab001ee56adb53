//! A host with many processes that hold sockets.
//!
//! The processes are the program itself, started again: a program that starts a
//! [`Load`] calls [`serve_if_asked`] first thing.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

/// The argument by which a process of the load knows that it is one.
const ARGUMENT: &str = "flowner-load-process";

/// Background processes, until it is dropped.
#[derive(Debug)]
pub struct Load {
    processes: Vec<Child>,
    /// They end when this is closed, also if this process is killed.
    _open_while_needed: io::PipeWriter,
}

impl Load {
    /// Starts so many processes with so many sockets each, and returns when all are
    /// open.
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
        for _ in 0..processes {
            let mut command = Command::new(&program);
            command
                .args([ARGUMENT, &sockets.to_string()])
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

/// Becomes a process of the load, if this one was started to be one; it does not
/// return then.
pub fn serve_if_asked() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ARGUMENT) {
        return;
    }
    let sockets = arguments.next().and_then(|count| count.parse().ok());
    let code = match sockets
        .ok_or(io::ErrorKind::InvalidInput.into())
        .and_then(serve)
    {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("a process of the load failed: {error}");
            1
        }
    };
    std::process::exit(code);
}

fn serve(count: usize) -> io::Result<()> {
    let _sockets = Sockets::open(count)?;
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
    /// Half of them established connections, the rest listeners and datagram sockets.
    fn open(count: usize) -> io::Result<Self> {
        const ADDRESSES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];
        let mut sockets = Self::default();
        let half = count / 2;
        for number in half / 2 * 2..count {
            let address = ADDRESSES[number % 2];
            if number % 4 < 2 {
                sockets.listeners.push(TcpListener::bind(address)?);
            } else {
                sockets.datagrams.push(UdpSocket::bind(address)?);
            }
        }
        let mut listeners = sockets.listeners.iter().cycle();
        for _ in 0..half / 2 {
            let Some(listener) = listeners.next() else {
                break;
            };
            sockets
                .streams
                .push(TcpStream::connect(listener.local_addr()?)?);
            sockets.streams.push(listener.accept()?.0);
        }
        Ok(sockets)
    }
}

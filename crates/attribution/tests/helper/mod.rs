//! Other processes that hold sockets: this test program, run again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]
#![allow(
    dead_code,
    reason = "not every test program gives orders to its helpers"
)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

#[cfg(target_os = "linux")]
mod options;

const SOCKETS: &str = "FLOWNER_TEST_SOCKETS";
/// Distinguishes our lines from those of the test harness.
const MARK: &str = "helper: ";

/// A process that holds sockets until it is dropped.
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Helper {
    /// A process with these sockets, such as `tcp 127.0.0.1:0`.
    pub(crate) fn new(sockets: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        Self::try_run(&program, sockets).expect("the sockets can be opened")
    }

    /// As [`new`](Self::new), from another program file; `None` if an address is
    /// taken.
    pub(crate) fn try_run(program: &Path, sockets: &[&str]) -> Option<Self> {
        Self::run(Command::new(program), sockets)
    }

    /// As [`new`](Self::new), run by a command that takes program and arguments.
    pub(crate) fn through(mut command: Command, sockets: &[&str]) -> Self {
        command.arg(std::env::current_exe().unwrap());
        Self::run(command, sockets).expect("the sockets can be opened")
    }

    fn run(mut command: Command, sockets: &[&str]) -> Option<Self> {
        let mut child = command
            .args(["--exact", "helper::serve", "--ignored", "--nocapture"])
            .env(SOCKETS, sockets.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut helper = Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            child,
            addresses: Vec::new(),
        };
        for _ in sockets {
            let address = helper.heard()?.parse().unwrap();
            helper.addresses.push(address);
        }
        Some(helper)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives the process an order, and waits until it has done it.
    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        assert_eq!(self.heard().as_deref(), Some(order));
    }

    fn heard(&mut self) -> Option<String> {
        let mut lines = self.output.by_ref().map_while(Result::ok);
        // The harness writes the name of the test without a line end before it.
        lines.find_map(|line| Some(line.split_once(MARK)?.1.to_owned()))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The process ends when its input ends.
        drop(self.input.take());
        self.child.wait().expect("the helper ends");
    }
}

enum Held {
    Tcp(TcpListener),
    Udp(UdpSocket),
    #[cfg(target_os = "linux")]
    Bound(options::Bound),
}

impl Held {
    fn open(socket: &str) -> std::io::Result<(Self, SocketAddr)> {
        let (protocol, address) = socket.split_once(' ').unwrap();
        #[cfg(target_os = "linux")]
        if address.contains(' ') {
            let (bound, local) = options::open(protocol, address)?;
            return Ok((Self::Bound(bound), local));
        }
        if protocol == "tcp" {
            let listener = TcpListener::bind(address)?;
            let local = listener.local_addr()?;
            Ok((Self::Tcp(listener), local))
        } else {
            let socket = UdpSocket::bind(address)?;
            let local = socket.local_addr()?;
            Ok((Self::Udp(socket), local))
        }
    }
}

#[test]
#[ignore = "is run by the other tests, as a process of its own"]
fn serve() {
    let wanted = std::env::var(SOCKETS).expect("only the other tests run this");
    let say = |line: &str| {
        let mut output = std::io::stdout().lock();
        writeln!(output, "{MARK}{line}").unwrap();
        output.flush().unwrap();
    };
    let mut held = Vec::new();
    for socket in wanted.split(',') {
        let (socket, local) = Held::open(socket).unwrap();
        say(&local.to_string());
        held.push(socket);
    }
    let mut connections = Vec::new();
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        match (order.as_str(), held.first()) {
            ("accept", Some(Held::Tcp(listener))) => {
                connections.push(listener.accept().unwrap());
            }
            #[cfg(target_os = "linux")]
            (order, Some(Held::Bound(bound))) if order.starts_with("send ") => {
                bound.send(&order["send ".len()..]);
            }
            ("close", _) => {
                held.clear();
                connections.clear();
            }
            _ => panic!("not understood: {order}"),
        }
        say(&order);
    }
    for socket in &held {
        // This does not use a UDP socket, but it must live until here.
        if let Held::Udp(socket) = socket {
            socket.local_addr().unwrap();
        }
    }
}

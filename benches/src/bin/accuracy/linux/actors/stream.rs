//! Processes that send messages of one size, and say how many: sinks that take them, and senders
//! with a socket that changes its owner, or its program, in the middle.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, id};
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::thread::UnshareFlags;
use socket2::{SockAddr, Socket, Type};

use super::{pass_on, plain, standard_input, take, tell};
use crate::platform::Result;
use crate::platform::bytes::MESSAGE;
use crate::platform::other_program::{OTHER_PROGRAM, OTHER_SUFFIX};

/// `KEY=VALUE` each.
pub(super) struct Options<'a>(HashMap<&'a str, &'a str>);

impl<'a> Options<'a> {
    pub(super) fn new(arguments: &'a [String]) -> Result<Self> {
        let pair = |argument: &'a String| argument.split_once('=').ok_or("KEY=VALUE");
        let pairs = arguments.iter().map(pair);
        Ok(Self(pairs.collect::<std::result::Result<_, _>>()?))
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied()
    }

    pub(super) fn wanted(&self, key: &str) -> Result<&'a str> {
        Ok(self.text(key).ok_or_else(|| format!("no {key}="))?)
    }

    pub(super) fn number(&self, key: &str, otherwise: u64) -> Result<u64> {
        Ok(self.text(key).map_or(Ok(otherwise), str::parse)?)
    }
}

pub(crate) fn run(role: &str, arguments: &[String]) -> Result<()> {
    let options = Options::new(arguments)?;
    match role {
        "sink" => sink(&options),
        "silent" => silent(&options),
        "stream" => stream(&options),
        "thread" => thread(&options),
        "hand-over" => hand_over(&options),
        "take-over" => take_over(&options),
        "rest" => rest(&options),
        other => Err(format!("no such role: {other}").into()),
    }
}

/// The socket that `kind`, `from`, `device` and `connect` describe.
fn socket(options: &Options<'_>) -> Result<Socket> {
    let kind = if options.wanted("kind")? == "tcp" {
        Type::STREAM
    } else {
        Type::DGRAM
    };
    let from: SocketAddr = options.wanted("from")?.parse()?;
    let socket = Socket::new(socket2::Domain::for_address(from), kind, None)?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(kind == Type::DGRAM)?;
    if let Some(device) = options.text("device") {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    if let Some(interface) = options.text("interface") {
        socket.set_multicast_if_v4(&interface.parse()?)?;
    }
    socket.bind(&SockAddr::from(from))?;
    if let Some(peer) = options.text("connect") {
        socket.connect(&SockAddr::from(peer.parse::<SocketAddr>()?))?;
    }
    Ok(socket)
}

/// Takes what comes, and answers nothing.
fn sink(options: &Options<'_>) -> Result<()> {
    let socket = socket(options)?;
    if options.wanted("kind")? != "tcp" {
        let socket = UdpSocket::from(socket);
        tell(&format!("ready {}", socket.local_addr()?))?;
        let mut buffer = [0; 2 * MESSAGE];
        loop {
            socket.recv(&mut buffer)?;
        }
    }
    socket.listen(128)?;
    let listener = TcpListener::from(socket);
    tell(&format!("ready {}", listener.local_addr()?))?;
    loop {
        let (mut stream, _) = listener.accept()?;
        std::thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
    }
}

/// Has a socket, and sends nothing.
fn silent(options: &Options<'_>) -> Result<()> {
    let socket = socket(options)?;
    if options.wanted("kind")? == "tcp" {
        socket.listen(1)?;
    }
    let local = socket.local_addr()?.as_socket().ok_or("no such address")?;
    tell(&format!("ready {local}"))?;
    loop {
        std::thread::park();
    }
}

/// An end that sends messages, as often as it says.
struct Sender {
    protocol: &'static str,
    socket: OwnedFd,
    /// As packets have it.
    local: SocketAddr,
    to: SocketAddr,
    is_connected: bool,
    gap: Duration,
}

impl Sender {
    fn open(options: &Options<'_>) -> Result<Self> {
        let socket = socket(options)?;
        let to: SocketAddr = options.wanted("to")?.parse()?;
        if options.wanted("kind")? != "udp" {
            socket.connect(&SockAddr::from(to))?;
        }
        Self::of(socket.into(), options)
    }

    /// The same on a socket that is there already.
    fn of(socket: OwnedFd, options: &Options<'_>) -> Result<Self> {
        let kind = options.wanted("kind")?;
        let protocol = if kind == "tcp" { "tcp" } else { "udp" };
        let bound = rustix::net::getsockname(&socket)?;
        let mut local = SocketAddr::try_from(bound).map_err(|_| "no such address")?;
        if let Some(ip) = options.text("as") {
            local.set_ip(ip.parse::<IpAddr>()?);
        }
        Ok(Self {
            protocol,
            socket,
            local,
            to: options.wanted("to")?.parse()?,
            is_connected: kind != "udp",
            gap: Duration::from_millis(options.number("gap", 20)?),
        })
    }

    /// Sends so many messages.
    fn send(&self, count: u64) -> Result<()> {
        let message = [b'x'; MESSAGE];
        let socket = self.socket.try_clone()?;
        if self.protocol == "tcp" {
            let mut stream = TcpStream::from(socket);
            for _ in 0..count {
                stream.write_all(&message)?;
                std::thread::sleep(self.gap);
            }
            return Ok(());
        }
        let socket = UdpSocket::from(socket);
        for _ in 0..count {
            // There may be no listener; the message was sent all the same.
            let _refused = if self.is_connected {
                socket.send(&message)
            } else {
                socket.send_to(&message, self.to)
            };
            std::thread::sleep(self.gap);
        }
        Ok(())
    }

    fn tell(&self, count: u64) -> Result<()> {
        tell(&sent(self.protocol, self.local, self.to, count)?)
    }
}

/// The line by which this process says how many messages it sent.
pub(super) fn sent(
    protocol: &str,
    local: SocketAddr,
    to: SocketAddr,
    count: u64,
) -> Result<String> {
    let is_other = std::env::current_exe()?
        .to_string_lossy()
        .ends_with(OTHER_SUFFIX);
    let pid = id() + if is_other { OTHER_PROGRAM } else { 0 };
    let (local, to) = (scoped(local), scoped(to));
    Ok(format!("sent {protocol} {local} {to} {pid} {count}"))
}

/// As flows have it: with the scope where it is part of the address.
fn scoped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => address,
        _ => plain(address),
    }
}

fn stream(options: &Options<'_>) -> Result<()> {
    let sender = Sender::open(options)?;
    let count = options.number("count", 1)?;
    sender.send(count)?;
    std::thread::sleep(Duration::from_millis(options.number("linger", 0)?));
    sender.tell(count)
}

/// As [`stream`], by a thread with descriptors of its own.
fn thread(options: &Options<'_>) -> Result<()> {
    std::thread::scope(|scope| {
        let work = || {
            #[expect(unsafe_code, reason = "rustix cannot know what other threads close")]
            // SAFETY: descriptors that are open stay so in both tables, and each thread closes
            // only what it has opened after that.
            let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) };
            unshared.map_err(|error| error.to_string())?;
            stream(options).map_err(|error| error.to_string())
        };
        scope.spawn(work).join().map_err(|_| "a thread failed")?
    })?;
    Ok(())
}

/// Sends the first messages, then hands its socket over to a process that sends the rest.
fn hand_over(options: &Options<'_>) -> Result<()> {
    let how = options.wanted("how")?;
    let first = options.number("first", 3)?;
    let rest = |program: &str, role: &str| {
        let mut command = Command::new(program);
        command.args(["role", role]);
        for key in ["kind", "to", "as", "gap", "then"] {
            if let Some(value) = options.text(key) {
                command.arg(format!("{key}={value}"));
            }
        }
        command
    };
    let own = std::env::current_exe()?;
    let own = own.to_str().ok_or("a path that is no text")?;
    match how {
        "pass" => {
            let (ours, theirs) = UnixStream::pair()?;
            let mut child = rest(own, "take-over")
                .stdin(OwnedFd::from(theirs))
                .spawn()?;
            let sender = Sender::open(options)?;
            sender.send(first)?;
            sender.tell(first)?;
            pass_on(&ours, sender.socket.as_fd(), b"!")?;
            // Taken by now; and this process has it no more before the other one sends.
            (&ours).read_exact(&mut [0])?;
            drop(sender);
            (&ours).write_all(b"!")?;
            child.wait()?;
            Ok(())
        }
        "exec" => {
            let sender = Sender::open(options)?;
            sender.send(first)?;
            sender.tell(first)?;
            rustix::io::fcntl_setfd(&sender.socket, FdFlags::empty())?;
            let other = format!("{own}{OTHER_SUFFIX}");
            Err(rest(&other, "rest").stdin(sender.socket).exec().into())
        }
        // The child has it from this process, which ends.
        "fork" => {
            let sender = Sender::open(options)?;
            sender.send(first)?;
            sender.tell(first)?;
            rest(own, "rest").stdin(sender.socket).spawn()?;
            Ok(())
        }
        other => Err(format!("no such way: {other}").into()),
    }
}

fn take_over(options: &Options<'_>) -> Result<()> {
    let channel = UnixStream::from(standard_input()?);
    let (socket, _) = take(&channel)?;
    (&channel).write_all(b".")?;
    (&channel).read_exact(&mut [0])?;
    finish(&Sender::of(socket, options)?, options)
}

/// Sends the rest through the socket that is its standard input.
fn rest(options: &Options<'_>) -> Result<()> {
    finish(&Sender::of(standard_input()?, options)?, options)
}

fn finish(sender: &Sender, options: &Options<'_>) -> Result<()> {
    // The process that had the socket before has let go of it by then.
    std::thread::sleep(2 * sender.gap);
    let then = options.number("then", 20)?;
    sender.send(then)?;
    sender.tell(then)
}

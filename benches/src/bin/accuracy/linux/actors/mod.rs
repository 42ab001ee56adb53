//! The processes that are observed. A server writes down both ends of each
//! exchange: the client says in its message who holds its end.

mod crowd;
mod inject;
mod portless;
mod ring;
pub(crate) mod stream;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, id};
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use socket2::{Domain, SockAddr, Socket, Type};

use super::Result;

/// Workers of a pre-fork server.
const WORKERS: usize = 3;
/// How long a passed socket stays with both, so that a second lookup can see it.
const TOGETHER: Duration = Duration::from_millis(400);

pub(crate) fn run(role: &str, arguments: &[String]) -> Result<()> {
    // The process that started this is the harness, or a process that the harness started. The rest of
    // the messages are sent by a process that outlives its parent.
    if role != "rest" {
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)?;
    }
    let argument = |place: usize| arguments.get(place).map(String::as_str).ok_or("too few");
    match role {
        "serve-tcp" => serve_tcp(&listen(argument(0)?, argument(1)?)?, delay(arguments)?),
        "prefork" => prefork(argument(0)?),
        "worker" => serve_tcp(&TcpListener::from(standard_input()?), Duration::ZERO),
        "serve-udp" => serve_udp(argument(0)?, argument(1)?, delay(arguments)?),
        "client" => clients(arguments),
        "exec" => exec(argument(0)?),
        "fork" => fork(argument(0)?),
        "talk" => talk(&TcpStream::from(standard_input()?), argument(0)?),
        "pass" => pass(argument(0)?, argument(1)?),
        "receive" => receive(argument(0)?),
        "crowd" => crowd::run(argument(0)?),
        "inject" => inject::run(arguments),
        "portless" => portless::run(arguments),
        "ring" => ring::run(&stream::Options::new(arguments)?),
        other => stream::run(other, arguments),
    }
}

/// The socket that was given to this process as its standard input.
fn standard_input() -> Result<OwnedFd> {
    Ok(std::io::stdin().as_fd().try_clone_to_owned()?)
}

fn tell(line: &str) -> Result<()> {
    // One write, so that lines of several processes do not mix.
    let line = format!("{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}

fn tell_ends(protocol: &str, local: SocketAddr, peer: SocketAddr, client: &str) -> Result<()> {
    let (local, peer, own) = (plain(local), plain(peer), id());
    tell(&format!(
        "end client {protocol} {peer} {local} {client}\nend server {protocol} {local} {peer} {own}"
    ))
}

/// As it is on the wire.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn listen(address: &str, share: &str) -> Result<TcpListener> {
    let socket = bound(address.parse()?, Type::STREAM, share == "shared")?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr, kind: Type, is_shared: bool) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_reuse_address(kind == Type::STREAM)?;
    socket.set_reuse_port(is_shared)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

/// How long a server takes to answer.
fn delay(arguments: &[String]) -> Result<Duration> {
    let milliseconds = arguments.get(2).map_or(Ok(0), |text| text.parse())?;
    Ok(Duration::from_millis(milliseconds))
}

/// A thread for each connection. Clients close first.
fn serve_tcp(listener: &TcpListener, delay: Duration) -> Result<()> {
    tell(&format!("ready {}", listener.local_addr()?))?;
    loop {
        let (stream, peer) = listener.accept()?;
        std::thread::spawn(move || {
            if let Err(error) = answer(&stream, peer, delay) {
                eprintln!("an exchange failed: {error}");
            }
        });
    }
}

fn answer(stream: &TcpStream, peer: SocketAddr, delay: Duration) -> Result<()> {
    let local = stream.local_addr()?;
    let mut reader = BufReader::new(stream);
    let mut holders = String::new();
    reader.read_line(&mut holders)?;
    pause(delay);
    (&*stream).write_all(b"ok\n")?;
    tell_ends("tcp", local, peer, holders.trim())?;
    // Reset by those who end at once.
    let _until_closed = reader.read_line(&mut String::new());
    Ok(())
}

/// Workers that inherit the listener, and accept from it.
fn prefork(address: &str) -> Result<()> {
    let listener = OwnedFd::from(listen(address, "alone")?);
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["role", "worker"])
            .stdin(listener.try_clone()?);
        workers.push(command.spawn()?);
    }
    let mut alike = vec![id().to_string()];
    alike.extend(workers.iter().map(|worker| worker.id().to_string()));
    tell(&format!("alike {}", alike.join(",")))?;
    for worker in &mut workers {
        worker.wait()?;
    }
    Ok(())
}

fn serve_udp(address: &str, share: &str, delay: Duration) -> Result<()> {
    let socket = bound(address.parse()?, Type::DGRAM, share == "shared")?;
    let socket = UdpSocket::from(socket);
    let local = socket.local_addr()?;
    tell(&format!("ready {local}"))?;
    let mut buffer = [0; 512];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer)?;
        pause(delay);
        socket.send_to(b"ok\n", peer)?;
        let holders = String::from_utf8_lossy(&buffer[..length]).into_owned();
        // The address it was sent to: clients use no other than loopback.
        let ip = if local.ip().is_unspecified() && plain(peer).is_ipv4() {
            "127.0.0.1".parse()?
        } else {
            local.ip()
        };
        let local = SocketAddr::new(ip, local.port());
        tell_ends("udp", local, peer, holders.trim())?;
    }
}

/// `KIND FROM TO MILLISECONDS COUNT`: so many exchanges, each with a socket of its own,
/// which is kept for so long.
fn clients(arguments: &[String]) -> Result<()> {
    let [kind, from, to, linger, count] = arguments else {
        return Err("client KIND FROM TO MILLISECONDS COUNT".into());
    };
    let (to, linger) = (to.parse()?, Duration::from_millis(linger.parse()?));
    let from = if from == "any" {
        None
    } else {
        Some(from.parse()?)
    };
    for _ in 0..count.parse::<u32>()? {
        let own = id().to_string();
        match kind.as_str() {
            "tcp" => {
                let stream = connect(from, to)?;
                exchange(&stream, &own)?;
                pause(linger);
            }
            "udp" | "udp-connected" => {
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let from = from.map_or_else(|| any.parse(), Ok)?;
                let socket = UdpSocket::from(bound(from, Type::DGRAM, false)?);
                ask(&socket, to, kind == "udp-connected", &own)?;
                pause(linger);
            }
            other => return Err(format!("no such client: {other}").into()),
        }
    }
    Ok(())
}

fn pause(time: Duration) {
    if !time.is_zero() {
        // How long a process lives is what is measured.
        std::thread::sleep(time);
    }
}

fn connect(from: Option<SocketAddr>, to: SocketAddr) -> Result<TcpStream> {
    match from {
        None => Ok(TcpStream::connect(to)?),
        Some(from) => {
            let socket = bound(from, Type::STREAM, false)?;
            socket.connect(&SockAddr::from(to))?;
            Ok(socket.into())
        }
    }
}

fn exchange(mut stream: &TcpStream, holders: &str) -> Result<()> {
    stream.write_all(format!("{holders}\n").as_bytes())?;
    stream.read_exact(&mut [0; 3])?;
    Ok(())
}

fn ask(socket: &UdpSocket, to: SocketAddr, is_connected: bool, holders: &str) -> Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    if is_connected {
        socket.connect(to)?;
    }
    let send = || {
        if is_connected {
            socket.send(holders.as_bytes())
        } else {
            socket.send_to(holders.as_bytes(), to)
        }
    };
    send()?;
    if let Err(error) = socket.recv(&mut [0; 16]) {
        // The kernel drops one of two first datagrams that it translates to the same ends at once.
        if error.kind() != std::io::ErrorKind::WouldBlock {
            return Err(error.into());
        }
        send()?;
        socket.recv(&mut [0; 16])?;
    }
    Ok(())
}

/// Connects, becomes another program, and talks then.
fn exec(to: &str) -> Result<()> {
    let stream = TcpStream::connect(to.parse::<SocketAddr>()?)?;
    rustix::io::fcntl_setfd(&stream, FdFlags::empty())?;
    let mut command = Command::new(std::env::current_exe()?);
    let own = id().to_string();
    Err(command
        .args(["role", "talk", &own])
        .stdin(OwnedFd::from(stream))
        .exec()
        .into())
}

/// Connects, and has a child talk, which inherits the connection.
fn fork(to: &str) -> Result<()> {
    let stream = TcpStream::connect(to.parse::<SocketAddr>()?)?;
    let mut command = Command::new(std::env::current_exe()?);
    let holders = format!("{};CHILD", id());
    let mut child = command
        .args(["role", "talk", &holders])
        .stdin(OwnedFd::from(stream.try_clone()?))
        .spawn()?;
    child.wait()?;
    drop(stream);
    Ok(())
}

fn talk(mut stream: &TcpStream, holders: &str) -> Result<()> {
    exchange(stream, &holders.replace("CHILD", &id().to_string()))?;
    // What is sent until a search has found both of them is of neither.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b".")?;
    }
    Ok(())
}

/// Passes a datagram socket to another process, which sends through it. Both hold it
/// from the first datagram to the last, or only the other one.
fn pass(to: &str, mode: &str) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["role", "receive", to]);
    let mut child = command.stdin(OwnedFd::from(theirs)).spawn()?;
    let holders = match mode {
        "kept" => format!("{},{}", id(), child.id()),
        _ => child.id().to_string(),
    };
    pass_on(&ours, socket.as_fd(), format!("{holders}\n").as_bytes())?;
    // Taken by now.
    (&ours).read_exact(&mut [0])?;
    let kept = (mode == "kept").then_some(socket);
    (&ours).write_all(b"!")?;
    child.wait()?;
    drop(kept);
    Ok(())
}

/// Sends a descriptor with a line beside it.
fn pass_on(channel: &UnixStream, descriptor: BorrowedFd<'_>, line: &[u8]) -> Result<()> {
    let descriptors = [descriptor];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    let data = [std::io::IoSlice::new(line)];
    rustix::net::sendmsg(channel, &data, &mut control, SendFlags::empty())?;
    Ok(())
}

/// Takes a descriptor and the line beside it.
fn take(channel: &UnixStream) -> Result<(OwnedFd, String)> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut line = [0; 128];
    let mut data = [std::io::IoSliceMut::new(&mut line)];
    let received = rustix::net::recvmsg(channel, &mut data, &mut control, RecvFlags::empty())?;
    let passed = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let line = String::from_utf8_lossy(&line[..received.bytes]).into_owned();
    Ok((passed.ok_or("nothing was passed")?, line))
}

fn receive(to: &str) -> Result<()> {
    let channel = UnixStream::from(standard_input()?);
    let (socket, holders) = take(&channel)?;
    let socket = UdpSocket::from(socket);
    (&channel).write_all(b".")?;
    (&channel).read_exact(&mut [0])?;
    ask(&socket, to.parse()?, false, holders.trim())?;
    std::thread::sleep(TOGETHER);
    Ok(())
}

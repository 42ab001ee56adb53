//! What the processes talk to: it takes what comes, and sends what they ask for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::thread;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Result;
use super::generator::pace::Pace;

pub(crate) const TCP: u16 = 9_101;
pub(crate) const UDP: u16 = 9_102;
pub(crate) const SCTP: u16 = 9_103;
/// What it says when it listens.
pub(crate) const READY: &str = "ready";
/// The last datagrams of a download; one of them may get lost.
pub(crate) const END: &[u8] = b"end";

/// Serves until the trial ends it.
pub(crate) fn run() -> Result<()> {
    for port in [UDP, 443, 53] {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
        thread::spawn(move || serve_datagrams(&socket));
    }
    if let Ok(listener) = sctp() {
        let address = SocketAddr::from(([0; 4], SCTP));
        listener.bind(&SockAddr::from(address))?;
        listener.listen(16)?;
        thread::spawn(move || serve_sctp(&listener));
    }
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, TCP))?;
    println!("{READY}");
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || serve(&stream));
    }
}

/// A socket for one SCTP association, used like one of TCP (sctp(7)).
pub(crate) fn sctp() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(132)))
}

fn serve_sctp(listener: &Socket) {
    while let Ok((socket, _)) = listener.accept() {
        thread::spawn(move || serve(&socket));
    }
}

/// A connection: the first line says what it is for.
fn serve<S>(stream: &S)
where
    for<'a> &'a S: Read + Write,
{
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let _gone = reader.read_line(&mut request);
    let served = match Download::of(&request) {
        Some(download) => {
            let block = vec![b'd'; 64 << 10];
            download.send(block.len(), |length| {
                let mut stream = stream;
                stream.write_all(&block[..length])
            })
        }
        None => std::io::copy(&mut reader, &mut std::io::sink()).map(|_| ()),
    };
    if let Err(error) = served {
        eprintln!("detect: the server: {error}");
    }
}

/// Datagrams: a request is answered, all else is taken.
fn serve_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 2_048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let (Some(download), Ok(socket)) = (Download::of(text), socket.try_clone()) else {
            continue;
        };
        thread::spawn(move || {
            let datagram = vec![b'd'; download.size];
            let sent = download.send(download.size, |length| {
                socket.send_to(&datagram[..length], from).map(|_| ())
            });
            let ended =
                sent.and_then(|()| (0..3).try_for_each(|_| socket.send_to(END, from).map(|_| ())));
            if let Err(error) = ended {
                eprintln!("detect: the server: {error}");
            }
        });
    }
}

/// The request of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Download {
    pub(crate) bytes: u64,
    pub(crate) rate: u64,
    /// Bytes of a datagram.
    pub(crate) size: usize,
}

impl Download {
    /// As it goes over the network.
    pub(crate) fn request(self) -> String {
        format!("down {} {} {}\n", self.bytes, self.rate, self.size)
    }

    fn of(request: &str) -> Option<Self> {
        let mut words = request.strip_prefix("down ")?.split_whitespace();
        Some(Self {
            bytes: words.next()?.parse().ok()?,
            rate: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
        })
    }

    /// In pieces of at most so many bytes.
    fn send(
        self,
        most: usize,
        mut piece: impl FnMut(usize) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let mut pace = Pace::new(self.bytes, self.rate);
        while let Some(length) = pace.next(most) {
            piece(length)?;
        }
        Ok(())
    }
}

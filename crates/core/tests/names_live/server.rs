//! What the hosts do that clients talk to: a server of DNS with the names of the tests, one of HTTP,
//! and one that reads what comes. A forwarder is a stub on the host of the clients.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

/// All names lead to this host.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Names that lead through an alias of a network that delivers for others.
const ALIASED: &str = "www.shop.example";
const ALIAS: &str = "edge.delivery.example";
/// A name whose answer has no place in a datagram.
pub(crate) const LARGE: &str = "large.example";

/// Answers and takes connections until the process is killed.
pub(crate) fn serve() {
    let datagrams = UdpSocket::bind((ADDRESS, 53)).unwrap();
    let streams = TcpListener::bind((ADDRESS, 53)).unwrap();
    let web = TcpListener::bind((ADDRESS, 80)).unwrap();
    let plain = TcpListener::bind((ADDRESS, 7_000)).unwrap();
    let _quic = UdpSocket::bind((ADDRESS, 443)).unwrap();
    thread::spawn(move || each(&streams, dns_stream));
    thread::spawn(move || each(&web, http));
    thread::spawn(move || {
        each(&plain, |mut stream| {
            let _gone = stream.read_to_end(&mut Vec::new());
        });
    });
    println!("ready");
    let mut question = [0; 1_500];
    while let Ok((length, client)) = datagrams.recv_from(&mut question) {
        let answer = answer(&question[..length], false);
        let _gone = datagrams.send_to(&answer, client);
    }
}

/// Passes questions to the server, one by one, as a stub resolver does.
pub(crate) fn forward() {
    let stub = UdpSocket::bind("127.0.0.53:53").unwrap();
    println!("ready");
    let mut bytes = [0; 1_500];
    while let Ok((length, client)) = stub.recv_from(&mut bytes) {
        let question = bytes[..length].to_vec();
        let upstream = UdpSocket::bind("0.0.0.0:0").unwrap();
        upstream.connect((ADDRESS, 53)).unwrap();
        upstream.send(&question).unwrap();
        let length = upstream.recv(&mut bytes).unwrap();
        let _gone = stub.send_to(&bytes[..length], client);
    }
}

fn each(listener: &TcpListener, with: fn(TcpStream)) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || with(stream));
    }
}

fn dns_stream(mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        if stream.read_exact(&mut question).is_err() {
            return;
        }
        let answer = answer(&question, true);
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        let _gone = stream.write_all(&[&length, &answer[..]].concat());
    }
}

fn http(mut stream: TcpStream) {
    let mut request = [0; 2_000];
    let _length = stream.read(&mut request);
    let _gone =
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

fn answer(question: &[u8], is_stream: bool) -> Vec<u8> {
    const A: [u8; 2] = [0, 1];
    let name_end = 12 + question[12..].iter().position(|&byte| byte == 0).unwrap() + 1;
    let name = text(&question[12..name_end]);
    let mut answer = question[..name_end + 4].to_vec();
    // An answer of a server that asks others, without the records of extensions.
    (answer[2], answer[3]) = (0x81, 0x80);
    answer[6..12].fill(0);
    if name == LARGE && !is_stream {
        answer[2] |= 2;
        return answer;
    }
    if question[name_end..name_end + 2] != A {
        return answer;
    }
    let mut owner = vec![0xc0, 12];
    if name == ALIASED {
        let target = labels(ALIAS);
        answer.extend(&owner);
        answer.extend([
            0,
            5,
            0,
            1,
            0,
            0,
            1,
            44,
            0,
            u8::try_from(target.len()).unwrap(),
        ]);
        answer.extend(&target);
        answer[7] += 1;
        owner = target;
    }
    answer.extend(owner);
    answer.extend([0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
    answer.extend(ADDRESS.octets());
    answer[7] += 1;
    answer
}

fn text(mut labels: &[u8]) -> String {
    let mut name = Vec::new();
    while let [length @ 1..=63, rest @ ..] = labels {
        let (label, others) = rest.split_at((*length).into());
        name.push(String::from_utf8_lossy(label).into_owned());
        labels = others;
    }
    name.join(".")
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

/// Where the server takes connections.
pub(crate) fn end(port: u16) -> SocketAddr {
    (ADDRESS, port).into()
}

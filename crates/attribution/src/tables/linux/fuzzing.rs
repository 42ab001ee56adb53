//! Fuzzing of the parsers of this directory. Not part of the interface of this crate.
//!
//! Each function takes any input, and panics if an invariant does not hold.

use std::io;
use std::net::SocketAddr;

use rustix::net::netlink;

use super::containers;
use super::netlink::frame::Frame;
use super::netlink::link::Link;
use super::netlink::message::{Family, Message, Which};
use super::netlink::{addresses, conntrack, frame, message};
use super::procfs::{cgroup, mountinfo, net, stat};
use crate::answer::Protocol;

/// `RTM_GETADDR` and `struct ifaddrmsg` (rtnetlink(7)).
const GET_ADDRESSES: u16 = 22;
const ADDRESS_BODY_LEN: usize = 8;

/// Netlink messages: each has a header, and the parser reads nothing behind a malformed one.
///
/// # Panics
/// If that does not hold.
pub fn netlink(bytes: &[u8]) {
    let mut frames = frame::frames(bytes);
    let whole = frames.by_ref().take_while(Result::is_ok).count();
    assert_eq!(frames.next(), None);
    assert!(whole <= bytes.len() / frame::HEADER_LEN);
    let count = frame::frames(bytes).count();
    assert_eq!(addresses::messages(bytes).count(), count);
    assert_eq!(message::messages(bytes).count(), count);
    for found in message::messages(bytes) {
        if let Ok(Message::Socket(socket)) = found {
            let remote = socket.remote.unwrap_or(socket.local);
            assert_eq!(Family::of(socket.local), Family::of(remote));
            // A raw socket may be connected to an address, without a port.
            let is_end = |end: SocketAddr| end.port() != 0 || !end.ip().is_unspecified();
            assert!(socket.remote.is_none_or(is_end));
        }
    }
}

/// Answers of conntrack, and its list: each line is parsed by itself.
///
/// # Panics
/// If a line affects another.
pub fn conntrack(bytes: &[u8]) {
    let count = frame::frames(bytes).count();
    assert_eq!(conntrack::answers(bytes).count(), count);
    let mut all = conntrack::listed(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        for of_line in conntrack::listed(line) {
            assert_eq!(all.next(), Some(of_line));
        }
    }
    assert_eq!(all.next(), None);
}

/// A list of `/proc/net`: each line is parsed by itself.
///
/// # Panics
/// If a line affects another.
pub fn proc_net(bytes: &[u8]) {
    let mut sockets = net::parse(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut of_line = net::parse(line);
        if let Some(socket) = of_line.next() {
            assert_eq!(sockets.next(), Some(socket));
            assert!(socket.remote.is_none_or(|remote| remote.port() != 0));
        }
        assert_eq!(of_line.next(), None);
    }
    assert_eq!(sockets.next(), None);
}

/// `/proc/PID/stat`, `/proc/PID/status` and `/proc/loadavg`: parsed values occur in the text.
///
/// # Panics
/// If it does not.
pub fn process(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(found) = stat::stat(bytes) {
        assert!(text.contains(&format!("({}", found.name)));
        assert!(text.contains(&found.parent.to_string()));
        assert!(text.contains(&found.started.to_string()));
    }
    let numbers = [
        stat::effective_uid(&text),
        stat::thread_group(&text),
        stat::newest_pid(&text),
    ];
    for number in numbers.into_iter().flatten() {
        assert!(text.contains(&number.to_string()));
    }
}

/// `/proc/PID/cgroup`, and the path of a cgroup: a unit has a name no longer than its source, and
/// the version of the hierarchy does not matter.
///
/// # Panics
/// If that does not hold.
pub fn cgroup(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let units = [cgroup::unit(&text), cgroup::unit_of(&text)];
    for unit in units.into_iter().flatten() {
        assert!(!unit.name.is_empty());
        assert!(unit.name.len() <= text.len());
    }
    for path in text.lines().filter(|path| !path.ends_with(" (deleted)")) {
        let unit = cgroup::unit_of(path);
        let of_text = |text: String| cgroup::unit(&text);
        assert_eq!(of_text(format!("0::{path}")), unit);
        assert_eq!(of_text(format!("0::/\n1:name=systemd:{path}")), unit);
    }
}

/// The files of container runtimes: names have a limit.
///
/// # Panics
/// If a name is longer.
pub fn container(bytes: &[u8]) {
    let id = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";
    let text = String::from_utf8_lossy(bytes);
    let found = [
        containers::docker(bytes, id),
        containers::bundle(bytes),
        containers::storage(bytes, id),
    ];
    for container in found.into_iter().flatten() {
        let texts = [container.name, container.image];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && text.chars().count() <= 512);
        }
    }
    if let Some(directory) = containers::docker_directory(bytes, id) {
        assert!(directory.ends_with(id));
    }
    if let Some(container) = containers::log_name(&text, id) {
        assert!(container.pod.is_some());
    }
}

/// `/proc/PID/mountinfo`: a line is at most one mount, and options are found by name.
///
/// # Panics
/// If that does not hold.
pub fn mountinfo(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    for mount in mountinfo::mounts(&text) {
        assert!(lines.any(|line| line.contains(mount.file_system)));
        assert!(mount.root.len() + mount.point.len() < text.len());
        for name in ["hidepid", "gid", "subset", "name"] {
            if let Some(value) = mount.option(name) {
                assert!(text.contains(&format!("{name}={value}")));
            }
        }
    }
}

/// The answers of this host's kernel to every request that this crate makes, as a corpus to begin
/// with. Leaves out protocols and families that the kernel does not know.
///
/// # Errors
/// If the kernel refuses the connection or an answer.
pub fn answers() -> io::Result<Vec<Vec<u8>>> {
    let mut answers = Vec::new();
    let mut sequence = 0;
    let mut next = || {
        sequence += 1;
        sequence
    };
    let mut diag = Link::open(Some(netlink::SOCK_DIAG), 0)?;
    for protocol in Protocol::ALL {
        for family in [Family::V4, Family::V6] {
            let request = message::dump(protocol, family, Which::All, next());
            ask(&mut diag, &request, &mut answers)?;
        }
    }
    let mut route = Link::open(None, 0)?;
    let mut request = frame::header(ADDRESS_BODY_LEN, GET_ADDRESSES, frame::DUMP, next()).to_vec();
    request.extend([0; ADDRESS_BODY_LEN]);
    ask(&mut route, &request, &mut answers)?;
    Ok(answers)
}

fn ask(link: &mut Link, request: &[u8], answers: &mut Vec<Vec<u8>>) -> io::Result<()> {
    const BUFFER: usize = 64 * 1024;
    link.send(request)?;
    loop {
        let mut buffer = vec![0; BUFFER];
        let received = link.receive(&mut buffer, true)?;
        buffer.truncate(received.length);
        let goes_on = |frame| matches!(frame, Ok(Frame::Other(..)));
        let is_last = !frame::frames(&buffer).all(goes_on);
        answers.push(buffer);
        if is_last {
            return Ok(());
        }
    }
}

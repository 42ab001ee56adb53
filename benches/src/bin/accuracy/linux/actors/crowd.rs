//! Processes with very many descriptors, which send all the time from new sockets.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rustix::process::{Resource, Rlimit};

use super::tell;
use crate::platform::Result;

/// Descriptors of each: with some more, as many as a usual limit allows.
const DESCRIPTORS: u64 = 19_900;
/// And some for what it does.
const ROOM: u64 = 100;
/// Between two sockets.
const GAP: Duration = Duration::from_millis(10);

/// Opens what it may, says so, and sends a datagram from a new socket a hundred times a second.
pub(super) fn run(to: &str) -> Result<()> {
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    rustix::process::setrlimit(Resource::Nofile, limit)?;
    let most = most.unwrap_or(u64::MAX).saturating_sub(ROOM);
    if most < DESCRIPTORS {
        eprintln!("{most} descriptors in place of {DESCRIPTORS}: more are not allowed");
    }
    let open = |_| File::open("/dev/null");
    let _open: Vec<File> = (0..DESCRIPTORS.min(most))
        .map(open)
        .collect::<std::io::Result<_>>()?;
    let to: SocketAddr = to.parse()?;
    tell(&format!("ready {to}"))?;
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(b"x", to)?;
        std::thread::sleep(GAP);
    }
}

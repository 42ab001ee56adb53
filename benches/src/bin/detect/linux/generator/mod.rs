//! A process that makes traffic, and says how much it was.

mod datagrams;
mod frames;
mod icmp;
pub(crate) mod pace;
mod raw;
mod ring;
mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;

use super::Result;
use super::server::Download;
use pace::Pace;

/// What a process is to do.
#[derive(Debug)]
struct Task {
    to: SocketAddr,
    is_upload: bool,
    method: String,
    bytes: u64,
    rate: u64,
    size: usize,
    connections: usize,
    /// Of frames: the device, and where they go.
    device: Option<String>,
    mac: Option<String>,
}

/// Payload bytes that a process counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Task {
    fn pace(&self) -> Pace {
        Pace::new(self.bytes, self.rate)
    }

    fn download(&self) -> Download {
        Download {
            bytes: self.bytes,
            rate: self.rate,
            size: self.size,
        }
    }
}

/// `KEY=VALUE` each.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let pairs = arguments
        .iter()
        .map(|argument| argument.split_once('=').ok_or("KEY=VALUE"));
    let options: HashMap<&str, &str> = pairs.collect::<std::result::Result<_, _>>()?;
    let wanted = |key: &str| options.get(key).copied().ok_or(format!("no {key}="));
    let task = Task {
        to: wanted("to")?.parse()?,
        is_upload: wanted("way")? == "up",
        method: wanted("method")?.to_owned(),
        bytes: wanted("bytes")?.parse()?,
        rate: wanted("rate")?.parse()?,
        size: wanted("size")?.parse()?,
        connections: wanted("connections")?.parse()?,
        device: options.get("device").map(|&device| device.to_owned()),
        mac: options.get("mac").map(|&mac| mac.to_owned()),
    };
    let count = match wanted("kind")? {
        "tcp" | "sctp" => stream::run(&task, wanted("kind")?)?,
        "udp" => datagrams::run(&task)?,
        "icmp" => icmp::run(&task)?,
        "raw" => raw::run(&task)?,
        "packet" => frames::run(&task)?,
        "ring" => ring::run(&task)?,
        other => return Err(format!("no such kind: {other}").into()),
    };
    println!("{} {}", count.sent, count.received);
    Ok(())
}

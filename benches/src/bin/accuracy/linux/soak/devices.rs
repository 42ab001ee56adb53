//! Devices that come, go down and up, change their addresses and go; and what the kernel counted
//! on all of them.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use flowner_benches::random::Random;

use super::judge::Batch;
use super::load::Load;
use super::watched::Counted;
use crate::platform::Result;
use crate::platform::venue::{DEVICES, Side, ip};

/// A port without a listener.
const DISCARD: u16 = 9;
/// Bytes of an Ethernet header, which the kernel counts on devices that have one.
const ETHERNET: u64 = 14;

/// What the kernel counted on devices that are gone, by header.
#[derive(Debug, Default)]
pub(super) struct Gone(Mutex<Frames>);

/// Frames of devices with and without an Ethernet header in their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Frames {
    ethernet: Counted,
    loopback: Counted,
}

impl Frames {
    /// Reads the list of `/proc/net/dev`; only this device, if one is given.
    fn read(text: &str, only: Option<&str>) -> Self {
        let mut frames = Self::default();
        for line in text.lines() {
            let Some((name, numbers)) = line.split_once(':') else {
                continue;
            };
            let name = name.trim();
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let numbers: Vec<u64> = numbers
                .split_whitespace()
                .map_while(|number| number.parse().ok())
                .collect();
            let [
                in_bytes,
                in_packets,
                _,
                _,
                _,
                _,
                _,
                _,
                out_bytes,
                out_packets,
                ..,
            ] = numbers[..]
            else {
                continue;
            };
            if name == "lo" {
                // What is sent there arrives there, and is captured once.
                frames.loopback += Counted {
                    packets: in_packets,
                    bytes: in_bytes,
                };
            } else {
                frames.ethernet += Counted {
                    packets: in_packets + out_packets,
                    bytes: in_bytes + out_bytes,
                };
            }
        }
        frames
    }

    /// Counts bytes as a capture does, with link-layer headers of this length.
    fn counted(self, header: u64) -> Counted {
        let ethernet = self.ethernet;
        let loopback = self.loopback;
        Counted {
            packets: ethernet.packets + loopback.packets,
            bytes: ethernet.bytes - ETHERNET * ethernet.packets
                + loopback.bytes
                + header * (ethernet.packets + loopback.packets),
        }
    }
}

impl Gone {
    /// What the kernel counted until now.
    pub(super) fn counted(&self, header: u64) -> Result<Counted> {
        let gone = self.0.lock().map_err(|_| "a thread failed")?;
        let mut now = Frames::read(&fs::read_to_string("/proc/net/dev")?, None);
        now.ethernet += gone.ethernet;
        Ok(now.counted(header))
    }

    /// Removes a device that is down.
    fn remove(&self, device: &str) -> Result<()> {
        let mut gone = self.0.lock().map_err(|_| "a thread failed")?;
        let last = Frames::read(&fs::read_to_string("/proc/net/dev")?, Some(device));
        gone.ethernet += last.ethernet;
        ip(&format!("link del {device}"))
    }
}

/// Changes devices and addresses until it is over; how many of each.
pub(super) fn change(load: &Load<'_>, gone: &Gone, batches: &Sender<Batch>) -> Result<[u32; 2]> {
    let mut random = Random::new(7);
    let (mut devices, mut addresses) = (0, 0);
    while !load.is_over() {
        if random.below(3) == 0 {
            come_and_go(load, gone, devices, batches)?;
            devices += 1;
        } else {
            change_address(load, addresses, batches)?;
            addresses += 1;
        }
        std::thread::sleep(Duration::from_millis(random.below(300)));
    }
    Ok([devices, addresses])
}

/// A device with an address from which a process sends, while it goes down and up, and gets another
/// address.
fn come_and_go(load: &Load<'_>, gone: &Gone, number: u32, batches: &Sender<Batch>) -> Result<()> {
    let peer = load.venue.network(Side::Client).ok_or("no such network")?;
    let device = format!("extra{number}");
    let [own, there, other] = [1, 2, 3].map(|host| IpAddr::from([10, 92, third_of(number), host]));
    ip(&format!(
        "link add {device} type veth peer name {device} netns {peer}"
    ))?;
    ip(&format!("-n {peer} addr add {there}/24 dev {device}"))?;
    ip(&format!("-n {peer} link set {device} up"))?;
    ip(&format!("addr add {own}/24 dev {device}"))?;
    ip(&format!("link set {device} up"))?;
    let to = SocketAddr::new(there, DISCARD);
    send(load, own, to, false, batches)?;
    ip(&format!("link set {device} down"))?;
    ip(&format!("link set {device} up"))?;
    send(load, own, to, false, batches)?;
    ip(&format!("addr del {own}/24 dev {device}"))?;
    ip(&format!("addr add {other}/24 dev {device}"))?;
    send(load, other, to, false, batches)?;
    ip(&format!("link set {device} down"))?;
    gone.remove(&device)
}

fn third_of(number: u32) -> u8 {
    u8::try_from(number % 250).unwrap_or_default()
}

/// An address that comes for a while, on a device that stays.
fn change_address(load: &Load<'_>, number: u32, batches: &Sender<Batch>) -> Result<()> {
    let [first, _] = &DEVICES;
    let own = IpAddr::from([10, 89, 0, 3 + third_of(number)]);
    ip(&format!("addr add {own}/32 dev {}", first.name))?;
    let to = SocketAddr::new(first.peer.parse()?, DISCARD);
    let sent = send(load, own, to, true, batches);
    ip(&format!("addr del {own}/32 dev {}", first.name))?;
    sent
}

/// Some datagrams of a process.
fn send(
    load: &Load<'_>,
    from: IpAddr,
    to: SocketAddr,
    is_exact: bool,
    batches: &Sender<Batch>,
) -> Result<()> {
    let from = SocketAddr::new(from, load.port());
    let (from, to) = (format!("from={from}"), format!("to={to}"));
    let told = load.play(&["stream", "kind=udp", &from, &to, "count=4", "gap=5"])?;
    let _nobody_waits = batches.send(Batch { told, is_exact });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_devices_is_added_up() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000       10    0    0    0     0          0         0     1000       10    0    0    0     0       0          0
 first:     500        5    0    0    0     0          0         0      300        2    0    0    0     0       0          0
";
        let frames = Frames::read(text, None);
        let expected = Counted {
            packets: 17,
            bytes: 1_000 + 800 - 7 * 14 + 17 * 20,
        };
        assert_eq!(frames.counted(20), expected);
        let first = Frames::read(text, Some("first")).counted(14);
        assert_eq!((first.packets, first.bytes), (7, 800));
    }
}

//! Frames that no socket of this host sends.

use std::net::SocketAddr;

use etherparse::PacketBuilder;

use crate::platform::Result;
use crate::platform::bytes::MESSAGE;

/// `DEVICE MAC KIND FROM TO COUNT`: so many frames of a message each, to that hardware address,
/// as if they came from there.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [device, mac, kind, from, to, count] = arguments else {
        return Err("inject DEVICE MAC KIND FROM TO COUNT".into());
    };
    let mut capture = pcap::Capture::from_device(device.as_str())?.open()?;
    let (from, to): (SocketAddr, SocketAddr) = (from.parse()?, to.parse()?);
    let message = [b'i'; MESSAGE];
    for number in 0..count.parse::<u32>()? {
        let frame = frame(mac_of(mac)?, kind, from, to, number, &message)?;
        capture.sendpacket(frame)?;
    }
    Ok(())
}

fn mac_of(text: &str) -> Result<[u8; 6]> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let bytes: Vec<u8> = bytes.collect::<std::result::Result<_, _>>()?;
    Ok(bytes.try_into().map_err(|_| "not a hardware address")?)
}

fn frame(
    mac: [u8; 6],
    kind: &str,
    from: SocketAddr,
    to: SocketAddr,
    number: u32,
    message: &[u8],
) -> Result<Vec<u8>> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 0x77], mac);
    let ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            ethernet.ipv4(from.ip().octets(), to.ip().octets(), 64)
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            ethernet.ipv6(from.ip().octets(), to.ip().octets(), 64)
        }
        _ => return Err("two families".into()),
    };
    let mut frame = Vec::new();
    if kind == "udp" {
        ip.udp(from.port(), to.port()).write(&mut frame, message)?;
    } else {
        // Data in the middle of a connection.
        let sequence = 1_000 + number * u32::try_from(message.len())?;
        let tcp = ip.tcp(from.port(), to.port(), sequence, 1_024).ack(1).psh();
        tcp.write(&mut frame, message)?;
    }
    Ok(frame)
}

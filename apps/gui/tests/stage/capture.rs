//! Capture files for the stage.

use std::path::{Path, PathBuf};

/// A capture of another host: five exchanges of 192.168.7.9 with others.
pub(crate) fn of_another_host(folder: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        bytes.extend(field.to_le_bytes());
    }
    for number in 1..=5_u8 {
        let (host, other) = ([192, 168, 7, 9], [203, 0, 113, number]);
        for (from, to, ports) in [(host, other, [40_000, 53]), (other, host, [53, 40_000])] {
            let packet = datagram(from, to, ports);
            let length = u32::try_from(packet.len()).unwrap();
            for field in [1_700_000_000 + u32::from(number), 0, length, length] {
                bytes.extend(field.to_le_bytes());
            }
            bytes.extend(packet);
        }
    }
    let path = folder.join("elsewhere.pcap");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// An empty datagram of UDP over IPv4.
fn datagram(from: [u8; 4], to: [u8; 4], ports: [u16; 2]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(from);
    packet.extend(to);
    packet.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    packet.extend([0, 8, 0, 0]);
    packet
}

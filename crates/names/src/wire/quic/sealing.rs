//! Sealed packets of clients, for tests, benches and fuzzing: no part of the interface of this crate.

use aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::aead::AeadInPlace;

use super::Version;
use super::keys::Parts;

/// What a packet is made of.
#[derive(Debug, Clone, Copy)]
pub struct Initial<'a> {
    /// Whether it is of version 2, and not of version 1.
    pub is_v2: bool,
    /// The identifier that the keys come from: at most 20 bytes.
    pub key_id: &'a [u8],
    /// The identifier of the destination: at most 20 bytes.
    pub destination: &'a [u8],
    /// The number of the packet.
    pub number: u8,
    /// What it carries. There may be padding after that.
    pub frames: &'a [u8],
}

impl Initial<'_> {
    /// The packet, protected as a client does it. `None` if it would be too long.
    #[must_use]
    pub fn seal(&self) -> Option<Vec<u8>> {
        const TAG: usize = 16;
        // The longest number of a packet, and as much payload as makes a sample.
        const NUMBER: usize = 4;
        const LEAST: usize = 40;
        let version = if self.is_v2 { Version::V2 } else { Version::V1 };
        let parts = Parts::of_client(version, self.key_id);
        let mut payload = self.frames.to_vec();
        payload.resize(payload.len().max(LEAST), 0);
        let mut packet = vec![0xc0 | version.initial() << 4 | 3];
        packet.extend(match version {
            Version::V1 => [0, 0, 0, 1],
            Version::V2 => [0x6b, 0x33, 0x43, 0xcf],
        });
        packet.push(u8::try_from(self.destination.len()).ok()?);
        packet.extend(self.destination);
        packet.extend([4, 9, 9, 9, 9]);
        // A token of three bytes.
        packet.extend([3, 1, 2, 3]);
        packet.extend(varint(NUMBER + payload.len() + TAG)?);
        let number_at = packet.len();
        packet.extend([0, 0, 0, self.number]);
        let mut nonce = parts.iv;
        nonce[11] ^= self.number;
        let cipher = aes_gcm::Aes128Gcm::new(&parts.key.into());
        let tag = cipher
            .encrypt_in_place_detached(&nonce.into(), &packet, &mut payload)
            .ok()?;
        packet.extend(payload);
        packet.extend(tag);
        let sample_at = number_at + NUMBER;
        let sample = packet.get(sample_at..sample_at + 16)?;
        let mut mask: aes::Block = <[u8; 16]>::try_from(sample).ok()?.into();
        aes::Aes128::new(&parts.header.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        for at in 0..NUMBER {
            packet[number_at + at] ^= mask[at + 1];
        }
        Some(packet)
    }
}

/// A frame with a part of the handshake. `None` if a number is too large for one of two bytes.
#[must_use]
pub fn crypto(offset: usize, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut frame = vec![6];
    frame.extend(varint(offset)?);
    frame.extend(varint(bytes.len())?);
    frame.extend(bytes);
    Some(frame)
}

/// In two bytes.
fn varint(number: usize) -> Option<[u8; 2]> {
    let number = u16::try_from(number)
        .ok()
        .filter(|number| *number < 1 << 14)?;
    Some((number | 0x4000).to_be_bytes())
}

//! The keys of a client's Initial packets (RFC 9001, section 5; RFC 9369, section 3.3).

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

use super::Version;

/// Bytes of the number of a packet at most, after which the sample for the header's protection
/// begins.
const NUMBER: usize = 4;
const SAMPLE: usize = 16;
const TAG: usize = 16;
/// Bits of the first byte of a long header that are protected.
const PROTECTED: u8 = 0x0f;

/// Each version has its own, so that nobody takes one for the other.
const SALT_V1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
const SALT_V2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];

pub(super) struct Keys {
    packet: Aes128Gcm,
    iv: [u8; 12],
    header: Aes128,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// What keys are made of.
pub(super) struct Parts {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl Parts {
    /// From the destination's identifier in the first packet of a client.
    pub(super) fn of_client(version: Version, destination: &[u8]) -> Self {
        let (salt, words) = match version {
            Version::V1 => (&SALT_V1, ["quic key", "quic iv", "quic hp"]),
            Version::V2 => (&SALT_V2, ["quicv2 key", "quicv2 iv", "quicv2 hp"]),
        };
        let initial = Hkdf::<Sha256>::new(Some(salt), destination);
        let secret: [u8; 32] = expand(&initial, "client in");
        let client = Hkdf::<Sha256>::from_prk(&secret).unwrap_or(initial);
        let [key, iv, header] = words;
        Self {
            key: expand(&client, key),
            iv: expand(&client, iv),
            header: expand(&client, header),
        }
    }
}

impl Keys {
    /// From the destination's identifier in the first packet of a client.
    pub(super) fn of_client(version: Version, destination: &[u8]) -> Self {
        let parts = Parts::of_client(version, destination);
        Self {
            packet: Aes128Gcm::new(&parts.key.into()),
            iv: parts.iv,
            header: Aes128::new(&parts.header.into()),
        }
    }

    /// Puts the payload of a packet whose number begins there at the begin of a buffer that is as long
    /// as the packet, and returns its length. `None` if it was not sealed with these keys.
    pub(super) fn open(&self, packet: &[u8], number_at: usize, buffer: &mut [u8]) -> Option<usize> {
        let sample_at = number_at + NUMBER;
        let sample: [u8; SAMPLE] = packet.get(sample_at..sample_at + SAMPLE)?.try_into().ok()?;
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        let first = packet.first()? ^ (mask[0] & PROTECTED);
        let length = usize::from(first & 3) + 1;
        let mut header = packet.get(..number_at + length)?.to_vec();
        header[0] = first;
        let mut nonce = self.iv;
        for at in 0..length {
            header[number_at + at] ^= mask[at + 1];
            // The number, at the end of the nonce. The first ones of a connection are small enough
            // to be there as a whole.
            nonce[self.iv.len() - length + at] ^= header[number_at + at];
        }
        let sealed = packet.get(number_at + length..)?;
        let (payload, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let buffer = buffer.get_mut(..payload.len())?;
        buffer.copy_from_slice(payload);
        let (nonce, tag) = (Nonce::from_slice(&nonce), Tag::from_slice(tag));
        self.packet
            .decrypt_in_place_detached(nonce, &header, buffer, tag)
            .ok()?;
        Some(buffer.len())
    }
}

/// `HKDF-Expand-Label` of TLS 1.3 (RFC 8446, section 7.1), without a context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, word: &str) -> [u8; N] {
    const PREFIX: &[u8] = b"tls13 ";
    let length = u16::try_from(N).unwrap_or(u16::MAX).to_be_bytes();
    let word_length = u8::try_from(PREFIX.len() + word.len()).unwrap_or(u8::MAX);
    let mut key = [0; N];
    let parts: [&[u8]; 5] = [&length, &[word_length], PREFIX, word.as_bytes(), &[0]];
    let expanded = secret.expand_multi_info(&parts, &mut key);
    debug_assert!(expanded.is_ok(), "keys are shorter than what HKDF gives");
    key
}

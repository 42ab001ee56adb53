//! TIFF as macOS writes it: eight bits for each of four channels, colours premultiplied.

use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use crate::picture::Pixels;

pub(super) fn decode(bytes: &[u8]) -> Option<Pixels> {
    let decoder = Decoder::new(Cursor::new(bytes)).ok()?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = 16 * 1024 * 1024;
    let mut decoder = decoder.with_limits(limits);
    let (width, height) = decoder.dimensions().ok()?;
    let colours = decoder.colortype().ok()?;
    let DecodingResult::U8(mut bytes) = decoder.read_image().ok()? else {
        return None;
    };
    if colours != ColorType::RGBA(8) {
        return None;
    }
    for pixel in bytes.chunks_exact_mut(4) {
        let opacity = u32::from(pixel[3]).max(1);
        for channel in &mut pixel[..3] {
            let plain = (u32::from(*channel) * 255 + opacity / 2) / opacity;
            *channel = u8::try_from(plain).unwrap_or(u8::MAX);
        }
    }
    Some(Pixels {
        width,
        height,
        bytes,
    })
}

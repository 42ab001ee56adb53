//! PNG: to pixels and back.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};

use super::Pixels;

/// What such files begin with (PNG Specification, "PNG signature").
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Pixels of the longest side; larger ones are no icons.
const MAX_SIDE: u32 = 1_024;
/// Bytes that decoding may take.
const MAX_MEMORY: usize = 16 * 1024 * 1024;

pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    let text = |error: png::DecodingError| error.to_string();
    let limits = Limits { bytes: MAX_MEMORY };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    // The picture does not need them, and they may have any size when unpacked.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let info = decoder.read_header_info().map_err(text)?;
    let (width, height) = (info.width, info.height);
    if width == 0 || height == 0 || width.max(height) > MAX_SIDE {
        return Err(format!("{width} by {height} pixels are too many"));
    }
    let mut reader = decoder.read_info().map_err(text)?;
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    if size > MAX_MEMORY {
        return Err(format!("{size} bytes of pixels are too many"));
    }
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(text)?;
    buffer.truncate(frame.buffer_size());
    if (frame.width, frame.height) != (width, height) {
        return Err("its first frame is not all of it".to_owned());
    }
    let bytes = rgba(frame.color_type, &buffer)?;
    if bytes.len() as u64 != u64::from(width) * u64::from(height) * 4 {
        return Err("pixels are missing".to_owned());
    }
    Ok(Pixels {
        width,
        height,
        bytes,
    })
}

fn rgba(colours: ColorType, bytes: &[u8]) -> Result<Vec<u8>, String> {
    Ok(match colours {
        ColorType::Rgba => bytes.to_vec(),
        ColorType::Rgb => spread(bytes, |[r, g, b]| [r, g, b, u8::MAX]),
        ColorType::GrayscaleAlpha => spread(bytes, |[grey, opacity]| [grey, grey, grey, opacity]),
        ColorType::Grayscale => spread(bytes, |[grey]| [grey, grey, grey, u8::MAX]),
        ColorType::Indexed => return Err("its colours were not resolved".to_owned()),
    })
}

fn spread<const N: usize>(bytes: &[u8], pixel: impl Fn([u8; N]) -> [u8; 4]) -> Vec<u8> {
    let pixels = bytes.chunks_exact(N);
    let pixels = pixels.filter_map(|chunk| <[u8; N]>::try_from(chunk).ok());
    pixels.flat_map(pixel).collect()
}

pub(super) fn encode(width: u32, height: u32, pixels: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture() -> Vec<u8> {
        let pixels: Vec<u8> = (0..8 * 8 * 4).map(|at| u8::try_from(at).unwrap()).collect();
        encode(8, 8, &pixels).unwrap()
    }

    #[test]
    fn pixels_come_back() {
        let pixels = decode(&picture()).unwrap();
        assert_eq!((pixels.width, pixels.height), (8, 8));
        assert_eq!(pixels.bytes[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_cut_picture_is_refused() {
        let bytes = picture();
        let data = bytes.windows(4).position(|name| name == b"IDAT").unwrap();
        for end in 0..data + 20 {
            assert!(decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn huge_sizes_are_refused_before_memory_is_taken() {
        for size in [[0xff_u8; 4], [0, 0, 4, 1], [0, 0, 0, 0]] {
            let mut bytes = picture();
            bytes[16..20].copy_from_slice(&size);
            // The checksum of the header: over its name and data.
            let checksum = crc32(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
            let error = decode(&bytes).unwrap_err();
            assert!(
                error.contains("too many") || size == [0; 4] || size == [0xff; 4],
                "{error}"
            );
        }
    }

    /// As PNG has it (annex D of its specification).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
            })
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_picture_or_not(
            at in 0_usize..200, byte: u8, rest in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = picture();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _changed = decode(&bytes);
            let _any = decode(&[SIGNATURE, &rest].concat());
        }
    }
}

//! Through `picon`, which hands out pictures in terms of iced; its core is asked what is in
//! them, nothing is drawn with it.

use std::path::Path;

use iced_core::{image, svg};
use picon::IconHandle;

use crate::Icon;
use crate::picture::Pixels;

/// Pixels of the longest side.
const MAX_SIDE: u32 = 1_024;

pub(crate) fn icon(executable: &Path, size: u32) -> Option<Icon> {
    match picon::get_icon(executable.to_str()?)? {
        IconHandle::Image(image::Handle::Path(_, path)) => Icon::read(&path, size).ok(),
        IconHandle::Image(image::Handle::Bytes(_, bytes)) => of_bytes(&bytes, size),
        IconHandle::Image(image::Handle::Rgba {
            width,
            height,
            pixels,
            ..
        }) => of_pixels(width, height, pixels.to_vec(), size),
        IconHandle::Svg(handle) => match handle.data() {
            svg::Data::Path(path) => Icon::read(path, size).ok(),
            svg::Data::Bytes(bytes) => Icon::decode(bytes, size).ok(),
        },
    }
}

fn of_pixels(width: u32, height: u32, bytes: Vec<u8>, size: u32) -> Option<Icon> {
    let length = u64::from(width) * u64::from(height) * 4;
    let is_whole = bytes.len() as u64 == length && width.min(height) > 0;
    let pixels = Pixels {
        width,
        height,
        bytes,
    };
    (is_whole && width.max(height) <= MAX_SIDE).then(|| Icon::of_pixels(pixels.scaled_down(size)))
}

/// Windows gives the icon as a PNG file.
#[cfg(windows)]
fn of_bytes(bytes: &[u8], size: u32) -> Option<Icon> {
    Icon::decode(bytes, size).ok()
}

/// macOS draws them as TIFF.
#[cfg(target_os = "macos")]
fn of_bytes(bytes: &[u8], size: u32) -> Option<Icon> {
    let tiff = || {
        let Pixels {
            width,
            height,
            bytes,
        } = super::tiff::decode(bytes)?;
        of_pixels(width, height, bytes, size)
    };
    Icon::decode(bytes, size).ok().or_else(tiff)
}

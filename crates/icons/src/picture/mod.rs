//! Pictures from untrusted files: bounded in size, in memory and in the time that it takes to draw
//! them, or refused.

mod png;
#[cfg_attr(not(feature = "render"), path = "not_rendered.rs")]
mod render;
mod svg;
mod xpm;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes of the largest file to read. Pictures of 512 pixels have half of it.
const MAX_FILE: u64 = 1024 * 1024;

/// A picture of a program, in no toolkit's terms. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icon {
    /// The picture.
    pub data: Data,
    /// Its longer side in pixels; for [`Data::Svg`], which has any size, the one that was
    /// asked for.
    pub size: u32,
    /// The file that it was read from; `None` for one that was drawn, or that the system
    /// gave.
    pub path: Option<PathBuf>,
}

/// The bytes of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A document in SVG, weighed: no entities, nothing outside of it, and of a size, depth
    /// and number of elements, all references followed, that is drawn in little time.
    Svg(Arc<[u8]>),
    /// Pixels, row by row from the top, each of red, green, blue and opacity, not
    /// premultiplied.
    Rgba {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Four bytes for each pixel.
        pixels: Arc<[u8]>,
    },
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file could not be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is no regular file, but a folder, a pipe or a device.
    #[error("{0} is no regular file")]
    NoFile(PathBuf),
    /// It has more bytes than an icon has.
    #[error("{0} is larger than {MAX_FILE} bytes")]
    TooLarge(PathBuf),
    /// It is neither PNG, SVG nor XPM.
    #[error("{0} is neither PNG, SVG nor XPM")]
    Format(PathBuf),
    /// It is broken, or would take too long or too much memory to draw.
    #[error("{path}: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why bytes are no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They are neither PNG, SVG nor XPM.
    #[error("it is neither PNG, SVG nor XPM")]
    Format,
    /// It is broken, or would take too long or too much memory to draw; with what is wrong.
    #[error("{0}")]
    Refused(String),
}

impl Icon {
    /// Reads a picture, to be drawn with about `size` pixels: PNG, SVG or XPM, whichever it
    /// is by its content.
    ///
    /// # Errors
    /// If the file cannot be read, or its picture is not safe to draw.
    pub fn read(path: &Path, size: u32) -> Result<Self, PictureError> {
        let bytes = bounded(path)?;
        let icon = Self::decode(&bytes, size);
        let icon = icon.map_err(|error| match error {
            DecodeError::Format => PictureError::Format(path.to_owned()),
            DecodeError::Refused(reason) => PictureError::Refused {
                path: path.to_owned(),
                reason,
            },
        })?;
        Ok(Self {
            path: Some(path.to_owned()),
            ..icon
        })
    }

    /// As [`read`](Self::read), from bytes.
    ///
    /// # Errors
    /// If they are not a picture, or one that is not safe to draw.
    pub fn decode(bytes: &[u8], size: u32) -> Result<Self, DecodeError> {
        let pixels = if bytes.starts_with(png::SIGNATURE) {
            png::decode(bytes)
        } else if xpm::is_xpm(bytes) {
            xpm::decode(bytes)
        } else {
            let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Format)?;
            if !text.contains("<svg") {
                return Err(DecodeError::Format);
            }
            svg::weigh(text).map_err(|reason| DecodeError::Refused(reason.to_string()))?;
            return Ok(Self::of_svg(bytes, size));
        };
        let pixels = pixels.map_err(DecodeError::Refused)?;
        Ok(Self::of_pixels(pixels.scaled_down(size)))
    }

    pub(crate) fn of_svg(bytes: &[u8], size: u32) -> Self {
        Self {
            data: Data::Svg(bytes.into()),
            size,
            path: None,
        }
    }

    pub(crate) fn of_pixels(pixels: Pixels) -> Self {
        Self {
            size: pixels.width.max(pixels.height),
            data: Data::Rgba {
                width: pixels.width,
                height: pixels.height,
                pixels: pixels.bytes.into(),
            },
            path: None,
        }
    }

    /// The picture as a file in PNG; `None` for SVG, which has no pixels until the feature
    /// `render` draws them, with its `Icon::rendered`.
    pub fn to_png(&self) -> Option<Vec<u8>> {
        match &self.data {
            Data::Svg(_) => None,
            Data::Rgba {
                width,
                height,
                pixels,
            } => png::encode(*width, *height, pixels),
        }
    }

    /// The bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        match &self.data {
            Data::Svg(bytes) => bytes.len(),
            Data::Rgba { pixels, .. } => pixels.len(),
        }
    }
}

/// Pixels as in [`Data::Rgba`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Pixels {
    /// With every two by two pixels as one, as long as it is at least twice the size: what
    /// is drawn small is not kept large.
    pub(crate) fn scaled_down(mut self, size: u32) -> Self {
        let size = size.max(1);
        while self.width.min(self.height) / 2 >= size {
            self = self.halved();
        }
        self
    }

    fn halved(&self) -> Self {
        let [width, height] = [self.width / 2, self.height / 2];
        let row = self.width as usize * 4;
        let mut bytes = Vec::with_capacity(width as usize * height as usize * 4);
        for y in 0..height as usize {
            for x in 0..width as usize {
                let first = 2 * y * row + 8 * x;
                let four = [first, first + 4, first + row, first + row + 4];
                let four = four.map(|at| self.bytes.get(at..at + 4).unwrap_or(&[0; 4]));
                bytes.extend(mean(four));
            }
        }
        Self {
            width,
            height,
            bytes,
        }
    }
}

/// The mean of four colours, in which one that cannot be seen does not count.
fn mean(four: [&[u8]; 4]) -> [u8; 4] {
    let opacity: u32 = four.iter().map(|pixel| u32::from(pixel[3])).sum();
    let channel = |place: usize| {
        let weighed = four
            .iter()
            .map(|pixel| u32::from(pixel[place]) * u32::from(pixel[3]));
        let sum: u32 = weighed.sum();
        byte((sum + opacity / 2).checked_div(opacity).unwrap_or(0))
    };
    [channel(0), channel(1), channel(2), byte((opacity + 2) / 4)]
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// The bytes of a regular file: a pipe or a device may never end.
fn bounded(path: &Path) -> Result<Vec<u8>, PictureError> {
    let io = |error| PictureError::Io {
        path: path.to_owned(),
        error,
    };
    let metadata = fs::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        return Err(PictureError::NoFile(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    if read.map_err(io)? as u64 > MAX_FILE {
        return Err(PictureError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

/// Whether a file, by its name, is a picture of a kind that this crate reads.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no themes"))]
pub(crate) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// The extensions that this crate reads, the preferred first.
pub(crate) const EXTENSIONS: [&str; 3] = ["png", "svg", "xpm"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_shrink_to_about_the_size() {
        let check = |from: (u32, u32), size, expected: (u32, u32)| {
            let bytes = [10, 20, 30, 255].repeat((from.0 * from.1) as usize);
            let pixels = Pixels {
                width: from.0,
                height: from.1,
                bytes,
            };
            let small = pixels.scaled_down(size);
            assert_eq!((small.width, small.height), expected);
            assert_eq!(small.bytes.len(), (4 * expected.0 * expected.1) as usize);
            assert!(
                small
                    .bytes
                    .chunks(4)
                    .all(|pixel| pixel == [10, 20, 30, 255])
            );
        };
        check((512, 512), 48, (64, 64));
        check((96, 96), 48, (48, 48));
        check((95, 96), 48, (95, 96));
        check((100, 400), 48, (50, 200));
        check((3, 3), 0, (1, 1));
    }

    #[test]
    fn what_cannot_be_seen_does_not_colour_the_rest() {
        let red = &[255, 0, 0, 255][..];
        let clear = &[0, 255, 0, 0][..];
        assert_eq!(mean([red, clear, clear, clear]), [255, 0, 0, 64]);
        assert_eq!(mean([clear; 4]), [0, 0, 0, 0]);
    }

    #[test]
    fn unknown_formats_and_refused_pictures_are_different_errors() {
        let error = |bytes: &[u8]| Icon::decode(bytes, 48).unwrap_err();
        assert_eq!(error(b""), DecodeError::Format);
        assert_eq!(error(b"\xff\xfe"), DecodeError::Format);
        let is_refused = |bytes| matches!(error(bytes), DecodeError::Refused(_));
        assert!(is_refused(png::SIGNATURE));
        assert!(is_refused(b"<svg"));
        assert!(is_refused(b"\n/* XPM */"));
    }
}

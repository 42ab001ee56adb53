//! Writes colours in the form of terminals with 16 colours: crossterm writes even those as indices
//! of a 256-colour palette (`38;5;6`), which such terminals turn into blinking text.

use std::io::{self, Write};

/// Collects the output until it is flushed, and passes it on with the first 16 colours in the form
/// of ECMA-48 and aixterm.
#[derive(Debug)]
pub(super) struct SixteenColours<W> {
    inner: W,
    gathered: Vec<u8>,
}

impl<W> SixteenColours<W> {
    pub(super) const fn new(inner: W) -> Self {
        Self {
            inner,
            gathered: Vec::new(),
        }
    }
}

impl<W: Write> Write for SixteenColours<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let translated = translate(&self.gathered);
        self.gathered.clear();
        self.inner.write_all(&translated)?;
        self.inner.flush()
    }
}

fn translate(bytes: &[u8]) -> Vec<u8> {
    const START: &[u8] = b"\x1b[";
    let mut translated = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(place) = rest.windows(START.len()).position(|it| it == START) {
        let (before, sequence) = rest.split_at(place + START.len());
        translated.extend_from_slice(before);
        let is_parameter = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
        let end = sequence.iter().position(|byte| !is_parameter(byte));
        let (parameters, after) = sequence.split_at(end.unwrap_or(sequence.len()));
        if after.first() == Some(&b'm') {
            translated.extend(style(parameters));
        } else {
            translated.extend_from_slice(parameters);
        }
        rest = after;
    }
    translated.extend_from_slice(rest);
    translated
}

/// SGR parameters with colours of the palette in place of indices.
fn style(parameters: &[u8]) -> Vec<u8> {
    let parameters: Vec<&[u8]> = parameters.split(|byte| *byte == b';').collect();
    let mut translated: Vec<Vec<u8>> = Vec::new();
    let mut rest = &*parameters;
    while let [first, after @ ..] = rest {
        let colour = match after {
            [b"5", place, ..] => colour(first, place),
            _ => None,
        };
        if let Some(colour) = colour {
            translated.push(colour.to_string().into_bytes());
            rest = &after[2..];
        } else {
            translated.push(first.to_vec());
            rest = after;
        }
    }
    translated.join(&b';')
}

/// The parameter for one of the first 16 colours, as foreground or background.
fn colour(kind: &[u8], place: &[u8]) -> Option<u8> {
    let (dark, bright) = match kind {
        b"38" => (30, 90),
        b"48" => (40, 100),
        _ => return None,
    };
    let place: u8 = std::str::from_utf8(place).ok()?.parse().ok()?;
    match place {
        0..8 => Some(dark + place),
        8..16 => Some(bright + place - 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &str) {
        let mut out = Vec::new();
        let mut colours = SixteenColours::new(&mut out);
        // Sequences may arrive in pieces.
        for byte in written.as_bytes() {
            colours.write_all(&[*byte]).unwrap();
        }
        colours.flush().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_first_sixteen_are_translated() {
        check("", "");
        check("a\x1b[38;5;6;49mb", "a\x1b[36;49mb");
        check("\x1b[38;5;9m\x1b[48;5;15m", "\x1b[91m\x1b[107m");
        check("\x1b[1;38;5;0;48;5;7m", "\x1b[1;30;47m");
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "38;5;6m →",
            "\x1b[0m\x1b[m",
            "\x1b[38;5;16m",
            "\x1b[38;2;1;2;3m",
            "\x1b[5;6H",
            "\x1b[?25l",
            "\x1b[38;5",
            "\x1b[",
        ] {
            check(text, text);
        }
    }
}

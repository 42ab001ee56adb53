//! XPM, version 3: to pixels ("XPM Manual", version 3.4i, by Arnaud Le Hors).
//!
//! Such a file is a list of strings in C: sizes, colours, and a string for each row of
//! pixels. As with the library of X, what is between the strings does not matter, and
//! nothing is escaped in them.

mod colours;

use std::collections::HashMap;

use super::Pixels;
use colours::colour;

/// What such files begin with.
const SIGNATURE: &[u8] = b"/* XPM";
/// Pixels of the longest side; larger ones are no icons.
const MAX_SIDE: u32 = 1_024;
/// Characters that stand for a colour: three are more than there can be colours.
const MAX_CHARACTERS: usize = 4;
/// What the colour of a pixel may be given for, the best first: screens with colours, with
/// greys, with four of these, and with black and white.
const VISUALS: [&str; 4] = ["c", "g", "g4", "m"];
/// The name of a colour that a program may set.
const SYMBOL: &str = "s";

/// Whether a file says that it is one.
pub(super) fn is_xpm(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(SIGNATURE)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Pixels, String> {
    let mut strings = Strings { rest: bytes };
    let missing = || "it ends too early".to_owned();
    let sizes = Sizes::read(strings.next().ok_or_else(missing)?)?;
    let mut colours = HashMap::new();
    for _ in 0..sizes.colours {
        let line = strings.next().ok_or_else(missing)?;
        let (characters, rest) = line
            .split_at_checked(sizes.characters)
            .ok_or_else(missing)?;
        // Of two for the same characters, the first one counts.
        colours.entry(characters).or_insert(colour_of(rest)?);
    }
    let mut pixels = Vec::new();
    for _ in 0..sizes.height {
        let row = strings.next().ok_or_else(missing)?;
        let row = row.get(..sizes.width as usize * sizes.characters);
        for characters in row.ok_or_else(missing)?.chunks_exact(sizes.characters) {
            let colour = colours.get(characters);
            pixels.extend(colour.ok_or("a pixel has no colour")?);
        }
    }
    Ok(Pixels {
        width: sizes.width,
        height: sizes.height,
        bytes: pixels,
    })
}

/// The first string: `WIDTH HEIGHT COLOURS CHARACTERS`, perhaps with more behind.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    width: u32,
    height: u32,
    colours: usize,
    /// For each pixel.
    characters: usize,
}

impl Sizes {
    fn read(line: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(line);
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u32>);
        let mut number = || numbers.next().and_then(Result::ok).ok_or("it has no sizes");
        let (width, height) = (number()?, number()?);
        let (colours, characters) = (number()? as usize, number()? as usize);
        if width == 0 || height == 0 || width.max(height) > MAX_SIDE {
            return Err(format!("{width} by {height} pixels are too many"));
        }
        if colours == 0 || characters == 0 || characters > MAX_CHARACTERS {
            return Err(format!(
                "{colours} colours of {characters} characters are no picture"
            ));
        }
        Ok(Self {
            width,
            height,
            colours,
            characters,
        })
    }
}

/// The colour in `c light blue m white s symbol`.
fn colour_of(line: &[u8]) -> Result<[u8; 4], String> {
    let text = String::from_utf8_lossy(line);
    let mut found: Option<(usize, String)> = None;
    let mut words = text.split_ascii_whitespace().peekable();
    while let Some(visual) = words.next() {
        let mut name = words.next().unwrap_or_default().to_owned();
        let is_visual = |word: &&str| *word == SYMBOL || VISUALS.contains(word);
        while let Some(word) = words.next_if(|word| !is_visual(word)) {
            name.push_str(word);
        }
        let rank = VISUALS.iter().position(|known| *known == visual);
        if let Some(rank) = rank
            && found.as_ref().is_none_or(|(best, _)| rank < *best)
        {
            found = Some((rank, name));
        }
    }
    let (_, name) = found.ok_or("a colour is missing")?;
    colour(&name).ok_or_else(|| format!("the colour {name:?} is not known"))
}

/// What stands in quotation marks, outside of comments.
struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let start = self
                .rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'/'))?;
            let (kind, rest) = self.rest[start..].split_first()?;
            if *kind == b'"' {
                let end = rest.iter().position(|byte| *byte == b'"')?;
                self.rest = &rest[end + 1..];
                return Some(&rest[..end]);
            }
            self.rest = match rest.strip_prefix(b"*") {
                Some(comment) => {
                    let end = comment.windows(2).position(|end| end == b"*/")?;
                    &comment[end + 2..]
                }
                None => rest,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PICTURE: &str = "/* XPM */\nstatic char *x[] = {\n/* \"columns\" / rows */\n\
        \"3 2 4 1 0 0\",\n\"  c None\",\n\". c #f00 m white\",\n\"/ s x m black c Light Gray\",\n\
        \"* m black\"\n/* pixels */,\n\" ./\",\n\"*..ignored\"};\n";

    #[test]
    fn pixels_are_those_of_their_characters() {
        let picture = decode(PICTURE.as_bytes()).unwrap();
        assert_eq!((picture.width, picture.height), (3, 2));
        let (clear, red, grey, black) = (
            [0; 4],
            [255, 0, 0, 255],
            [211, 211, 211, 255],
            [0, 0, 0, 255],
        );
        let expected = [clear, red, grey, black, red, red].concat();
        assert_eq!(picture.bytes, expected);
        let two = "/* XPM */{\"1 1 1 2\",\"ab c #000011112222\",\"ab\"}";
        assert_eq!(decode(two.as_bytes()).unwrap().bytes, [0, 17, 34, 255]);
    }

    #[test]
    fn what_is_broken_is_refused() {
        let refused = |from: &str, to: &str, reason: &str| {
            assert!(PICTURE.contains(from), "{from}");
            let error = decode(PICTURE.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        };
        refused("3 2 4 1 0 0", "3 2 4", "no sizes");
        refused("3 2 4 1", "-3 2 4 1", "no sizes");
        refused("3 2 4 1", "4294967295 2 4 1", "too many");
        refused("3 2 4 1", "0 2 4 1", "too many");
        refused("3 2 4 1", "3 2 0 1", "no picture");
        refused("3 2 4 1", "3 2 4 4294967295", "no picture");
        refused("3 2 4 1", "3 2 4294967295 1", "a colour is missing");
        refused("3 2 4 1", "3 3 4 1", "ends too early");
        refused("3 2 4 1", "4 2 4 1", "ends too early");
        refused("Light Gray", "octarine", "\"octarine\"");
        refused("/* pixels */", "/* pixels", "ends too early");
        refused("*..ignored", "*.?", "no colour");
        for end in 0..PICTURE.len() - "ored\"};\n".len() {
            assert!(decode(&PICTURE.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_picture_or_not(
            at in 0_usize..200, byte: u8, rest in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = PICTURE.as_bytes().to_vec();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            if let Ok(picture) = decode(&bytes) {
                let pixels = picture.width * picture.height;
                prop_assert_eq!(picture.bytes.len(), pixels as usize * 4);
            }
            let _any = decode(&[SIGNATURE, &rest].concat());
        }
    }
}

//! What stands for a program that has no icon: a letter on a colour, always the same for
//! the same program. Pure.
//!
//! Letters are drawn, not written: a picture that names a font looks different on every
//! host, and is empty on one without fonts.

use std::fmt::Write;

/// Backgrounds, on all of which white can be read (WCAG 2.2, contrast of 4.5:1).
const COLOURS: [u32; 12] = [
    0x00b4_3a3a,
    0x00a8_4a1b,
    0x0087_5a0c,
    0x0064_660a,
    0x003b_7017,
    0x0017_7245,
    0x000b_7070,
    0x001d_6a96,
    0x0034_5fb5,
    0x005b_52b8,
    0x0086_46a8,
    0x00a6_3d7d,
];

/// A picture in SVG, 48 by 48, for a program: its `key` chooses the colour, the first
/// letter or digit of its `name` is shown. Where there is none of the Latin alphabet, a
/// ring is. [`IconRequest::tile`](crate::IconRequest::tile) gives it as an [`Icon`](crate::Icon).
///
/// ```
/// let picture = flowner_icons::tile("org.mozilla.firefox", "Firefox");
/// assert!(picture.starts_with("<svg"));
/// ```
pub fn tile(key: &str, name: &str) -> String {
    let colour = COLOURS[place(key)];
    let letter = name.chars().find(|letter| letter.is_alphanumeric());
    let strokes = letter.map_or(RING, |letter| strokes(letter.to_ascii_uppercase()));
    let mut picture = String::new();
    // The letter is 4 wide and 6 high.
    let written = write!(
        picture,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"48\" height=\"48\" \
         viewBox=\"0 0 48 48\"><rect x=\"2\" y=\"2\" width=\"44\" height=\"44\" rx=\"10\" \
         fill=\"#{colour:06x}\"/><path transform=\"translate(16 12) scale(4)\" d=\"{strokes}\" \
         fill=\"none\" stroke=\"#fff\" stroke-width=\".9\" stroke-linecap=\"round\" \
         stroke-linejoin=\"round\"/></svg>"
    );
    debug_assert!(written.is_ok(), "a string takes all that is written");
    picture
}

/// FNV-1a, which stays the same from one version to the next.
fn place(key: &str) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in key.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    // The low bits of it alone are poor.
    let folded = (hash >> 16) ^ hash;
    folded as usize % COLOURS.len()
}

const RING: &str = "M2 1Q0 1 0 3T2 5Q4 5 4 3T2 1Z";

/// Where the pen goes, from (0, 0) to (4, 6).
fn strokes(letter: char) -> &'static str {
    match letter {
        'A' => "M0 6L2 0L4 6M.7 4H3.3",
        'B' => "M0 0V6H2.4Q4 6 4 4.5T2.4 3H0M2.4 3Q3.7 3 3.7 1.5T2.4 0H0",
        'C' => "M4 1Q3.4 0 2.1 0Q0 0 0 3T2.1 6Q3.4 6 4 5",
        'D' => "M0 0V6H1.5Q4 6 4 3T1.5 0Z",
        'E' => "M4 0H0V6H4M0 3H3.2",
        'F' => "M4 0H0V6M0 3H3.2",
        'G' => "M4 1Q3.4 0 2.1 0Q0 0 0 3T2.1 6Q4 6 4 3.4H2.4",
        'H' => "M0 0V6M4 0V6M0 3H4",
        'I' => "M2 0V6M1 0H3M1 6H3",
        'J' => "M3.4 0V4.3Q3.4 6 1.7 6T0 4.4",
        'K' => "M0 0V6M4 0L0 3.6M1.3 2.4L4 6",
        'L' => "M0 0V6H4",
        'M' => "M0 6V0L2 3.4L4 0V6",
        'N' => "M0 6V0L4 6V0",
        'O' | '0' => "M2 0Q0 0 0 3T2 6Q4 6 4 3T2 0Z",
        'P' => "M0 6V0H2.3Q4 0 4 1.7T2.3 3.4H0",
        'Q' => "M2 0Q0 0 0 3T2 6Q4 6 4 3T2 0ZM2.6 4.4L4 6.2",
        'R' => "M0 6V0H2.3Q4 0 4 1.7T2.3 3.4H0M2.2 3.4L4 6",
        'S' => "M3.8 1Q3.2 0 2 0Q.2 0 .2 1.5Q.2 2.8 2 3Q4 3.2 4 4.5Q4 6 2 6Q.6 6 0 5",
        'T' => "M0 0H4M2 0V6",
        'U' => "M0 0V4Q0 6 2 6T4 4V0",
        'V' => "M0 0L2 6L4 0",
        'W' => "M0 0L1 6L2 2.4L3 6L4 0",
        'X' => "M0 0L4 6M4 0L0 6",
        'Y' => "M0 0L2 3L4 0M2 3V6",
        'Z' => "M0 0H4L0 6H4",
        '1' => "M.8 1.2L2.2 0V6M.8 6H3.6",
        '2' => "M.1 1.4Q.4 0 2 0Q3.9 0 3.9 1.7Q3.9 3 0 6H4",
        '3' => "M.2 .8Q.8 0 2 0Q3.8 0 3.8 1.5T2 3Q4 3 4 4.5T2 6Q.7 6 0 5.1",
        '4' => "M3 6V0L0 4.2H4",
        '5' => "M3.7 0H.5V2.7Q1 2.2 2.1 2.2Q4 2.2 4 4.1T2 6Q.7 6 0 5.1",
        '6' => "M3.4 .2Q0 .8 0 4Q0 6 2 6T4 4.1Q4 2.3 2 2.3T0 4",
        '7' => "M0 0H4L1.5 6",
        '8' => "M2 0Q.3 0 .3 1.5T2 3Q4 3 4 4.5T2 6Q0 6 0 4.5T2 3Q3.7 3 3.7 1.5T2 0Z",
        '9' => "M.6 5.8Q4 5.2 4 2Q4 0 2 0T0 1.9Q0 3.7 2 3.7T4 2",
        _ => RING,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: u32) -> f64 {
        let [_, channels @ ..] = colour.to_be_bytes();
        let linear = channels.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn letters_can_be_read_on_every_colour() {
        for colour in COLOURS {
            let contrast = 1.05 / (luminance(colour) + 0.05);
            assert!(contrast >= 4.5, "#{colour:06x}: {contrast:.2}");
        }
    }

    #[test]
    fn a_program_keeps_its_colour_and_all_are_used() {
        assert_eq!(tile("a", "Firefox"), tile("a", "firefox --new"));
        let names = (0..500).map(|number| place(&format!("/usr/bin/program{number}")));
        let mut uses = [0; COLOURS.len()];
        names.for_each(|place| uses[place] += 1);
        assert!(uses.iter().all(|uses| *uses > 15), "{uses:?}");
    }

    #[test]
    fn every_letter_and_digit_is_drawn() {
        for letter in ('A'..='Z').chain('1'..='9') {
            assert_ne!(strokes(letter), RING, "{letter}");
        }
        assert!(tile("a", "…").contains(RING));
        assert!(tile("a", "电").contains(RING));
    }

    proptest! {
        #[test]
        fn any_name_gives_a_picture_without_it(key in any::<String>(), name in any::<String>()) {
            let picture = tile(&key, &name);
            prop_assert!(picture.starts_with("<svg") && picture.ends_with("</svg>"));
            prop_assert!(picture.is_ascii() && picture.len() < 600);
        }
    }
}

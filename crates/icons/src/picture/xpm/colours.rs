//! Names of colours, as X has them.

/// Red, green, blue and opacity of `#rgb`, `None` or a name; `None` for what is not known.
/// Upper case and lower case are the same, and a name is to be without spaces.
pub(super) fn colour(name: &str) -> Option<[u8; 4]> {
    if let Some(digits) = name.strip_prefix('#') {
        return of_digits(digits);
    }
    let name = name.to_ascii_lowercase().replace("grey", "gray");
    if name == "none" || name == "transparent" {
        return Some([0; 4]);
    }
    let colour = named(&name)
        .or_else(|| of_grey(&name))
        .or_else(|| shade(&name))?;
    let [_, red, green, blue] = colour.to_be_bytes();
    Some([red, green, blue, u8::MAX])
}

/// One to four digits for each of red, green and blue.
fn of_digits(digits: &str) -> Option<[u8; 4]> {
    let each = digits.len() / 3;
    let is_whole = digits.len() == 3 * each && (1..=4).contains(&each);
    if !is_whole || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let channel = |place: usize| {
        let digits = digits.get(place * each..(place + 1) * each)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        // `f` is as much as `ffff`.
        let most = (1 << (4 * each)) - 1;
        u8::try_from((value * 255 + most / 2) / most).ok()
    };
    Some([channel(0)?, channel(1)?, channel(2)?, u8::MAX])
}

fn named(name: &str) -> Option<u32> {
    let known = NAMES.binary_search_by_key(&name, |(known, _)| known);
    known.ok().map(|place| NAMES[place].1)
}

/// `gold1` to `gold4`, each darker than the one before: by how much is the same for all,
/// up to one in 255 that X rounds otherwise.
fn shade(name: &str) -> Option<u32> {
    const PER_MILLE: [u32; 4] = [1_000, 933, 804, 545];
    let number = name.bytes().last().filter(u8::is_ascii_digit)?;
    let per_mille = PER_MILLE.get(usize::from(number).checked_sub(usize::from(b'1'))?)?;
    let plain = &name[..name.len() - 1];
    // The first shade of some is another colour than the one without a number.
    let first = named(&format!("{plain}1")).or_else(|| named(plain))?;
    let channels = first.to_be_bytes().map(u32::from);
    let darker = channels.map(|channel| (channel * per_mille + 500) / 1_000);
    Some(
        darker
            .into_iter()
            .fold(0, |colour, channel| colour << 8 | channel),
    )
}

/// `gray0` to `gray100`, in per cent of white. X has 127 for half of 255, as for all
/// that `f64` puts below a half; exactly a half is rounded up.
fn of_grey(name: &str) -> Option<u32> {
    let percent: u8 = name.strip_prefix("gray")?.parse().ok()?;
    let level = (f64::from(percent.min(100)) * 2.55).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "255 at most"
    )]
    let level = level as u32;
    (percent <= 100).then_some(level << 16 | level << 8 | level)
}

/// Those of X, sorted (`rgb.txt` of X11; four of them are other colours than on the web).
/// Of those with a number only the first shades, where they are not the plain colour.
#[rustfmt::skip]
#[expect(clippy::unreadable_literal, reason = "two digits for each of red, green and blue")]
const NAMES: [(&str, u32); 183] = [
    ("aliceblue", 0xf0f8ff), ("antiquewhite", 0xfaebd7), ("antiquewhite1", 0xffefdb),
    ("aquamarine", 0x7fffd4), ("azure", 0xf0ffff), ("beige", 0xf5f5dc), ("bisque", 0xffe4c4),
    ("black", 0x000000), ("blanchedalmond", 0xffebcd), ("blue", 0x0000ff),
    ("blueviolet", 0x8a2be2), ("brown", 0xa52a2a), ("brown1", 0xff4040), ("burlywood", 0xdeb887),
    ("burlywood1", 0xffd39b), ("cadetblue", 0x5f9ea0), ("cadetblue1", 0x98f5ff),
    ("chartreuse", 0x7fff00), ("chocolate", 0xd2691e), ("chocolate1", 0xff7f24),
    ("coral", 0xff7f50), ("coral1", 0xff7256), ("cornflowerblue", 0x6495ed),
    ("cornsilk", 0xfff8dc), ("cyan", 0x00ffff), ("darkblue", 0x00008b), ("darkcyan", 0x008b8b),
    ("darkgoldenrod", 0xb8860b), ("darkgoldenrod1", 0xffb90f), ("darkgray", 0xa9a9a9),
    ("darkgreen", 0x006400), ("darkkhaki", 0xbdb76b), ("darkmagenta", 0x8b008b),
    ("darkolivegreen", 0x556b2f), ("darkolivegreen1", 0xcaff70), ("darkorange", 0xff8c00),
    ("darkorange1", 0xff7f00), ("darkorchid", 0x9932cc), ("darkorchid1", 0xbf3eff),
    ("darkred", 0x8b0000), ("darksalmon", 0xe9967a), ("darkseagreen", 0x8fbc8f),
    ("darkseagreen1", 0xc1ffc1), ("darkslateblue", 0x483d8b), ("darkslategray", 0x2f4f4f),
    ("darkslategray1", 0x97ffff), ("darkturquoise", 0x00ced1), ("darkviolet", 0x9400d3),
    ("deeppink", 0xff1493), ("deepskyblue", 0x00bfff), ("dimgray", 0x696969),
    ("dodgerblue", 0x1e90ff), ("firebrick", 0xb22222), ("firebrick1", 0xff3030),
    ("floralwhite", 0xfffaf0), ("forestgreen", 0x228b22), ("gainsboro", 0xdcdcdc),
    ("ghostwhite", 0xf8f8ff), ("gold", 0xffd700), ("goldenrod", 0xdaa520),
    ("goldenrod1", 0xffc125), ("gray", 0xbebebe), ("green", 0x00ff00), ("greenyellow", 0xadff2f),
    ("honeydew", 0xf0fff0), ("hotpink", 0xff69b4), ("hotpink1", 0xff6eb4), ("indianred", 0xcd5c5c),
    ("indianred1", 0xff6a6a), ("ivory", 0xfffff0), ("khaki", 0xf0e68c), ("khaki1", 0xfff68f),
    ("lavender", 0xe6e6fa), ("lavenderblush", 0xfff0f5), ("lawngreen", 0x7cfc00),
    ("lemonchiffon", 0xfffacd), ("lightblue", 0xadd8e6), ("lightblue1", 0xbfefff),
    ("lightcoral", 0xf08080), ("lightcyan", 0xe0ffff), ("lightgoldenrod", 0xeedd82),
    ("lightgoldenrod1", 0xffec8b), ("lightgoldenrodyellow", 0xfafad2), ("lightgray", 0xd3d3d3),
    ("lightgreen", 0x90ee90), ("lightpink", 0xffb6c1), ("lightpink1", 0xffaeb9),
    ("lightsalmon", 0xffa07a), ("lightseagreen", 0x20b2aa), ("lightskyblue", 0x87cefa),
    ("lightskyblue1", 0xb0e2ff), ("lightslateblue", 0x8470ff), ("lightslategray", 0x778899),
    ("lightsteelblue", 0xb0c4de), ("lightsteelblue1", 0xcae1ff), ("lightyellow", 0xffffe0),
    ("limegreen", 0x32cd32), ("linen", 0xfaf0e6), ("magenta", 0xff00ff), ("maroon", 0xb03060),
    ("maroon1", 0xff34b3), ("mediumaquamarine", 0x66cdaa), ("mediumblue", 0x0000cd),
    ("mediumorchid", 0xba55d3), ("mediumorchid1", 0xe066ff), ("mediumpurple", 0x9370db),
    ("mediumpurple1", 0xab82ff), ("mediumseagreen", 0x3cb371), ("mediumslateblue", 0x7b68ee),
    ("mediumspringgreen", 0x00fa9a), ("mediumturquoise", 0x48d1cc), ("mediumvioletred", 0xc71585),
    ("midnightblue", 0x191970), ("mintcream", 0xf5fffa), ("mistyrose", 0xffe4e1),
    ("moccasin", 0xffe4b5), ("navajowhite", 0xffdead), ("navy", 0x000080), ("navyblue", 0x000080),
    ("oldlace", 0xfdf5e6), ("olivedrab", 0x6b8e23), ("olivedrab1", 0xc0ff3e), ("orange", 0xffa500),
    ("orangered", 0xff4500), ("orchid", 0xda70d6), ("orchid1", 0xff83fa),
    ("palegoldenrod", 0xeee8aa), ("palegreen", 0x98fb98), ("palegreen1", 0x9aff9a),
    ("paleturquoise", 0xafeeee), ("paleturquoise1", 0xbbffff), ("palevioletred", 0xdb7093),
    ("palevioletred1", 0xff82ab), ("papayawhip", 0xffefd5), ("peachpuff", 0xffdab9),
    ("peru", 0xcd853f), ("pink", 0xffc0cb), ("pink1", 0xffb5c5), ("plum", 0xdda0dd),
    ("plum1", 0xffbbff), ("powderblue", 0xb0e0e6), ("purple", 0xa020f0), ("purple1", 0x9b30ff),
    ("red", 0xff0000), ("rosybrown", 0xbc8f8f), ("rosybrown1", 0xffc1c1), ("royalblue", 0x4169e1),
    ("royalblue1", 0x4876ff), ("saddlebrown", 0x8b4513), ("salmon", 0xfa8072),
    ("salmon1", 0xff8c69), ("sandybrown", 0xf4a460), ("seagreen", 0x2e8b57),
    ("seagreen1", 0x54ff9f), ("seashell", 0xfff5ee), ("sienna", 0xa0522d), ("sienna1", 0xff8247),
    ("skyblue", 0x87ceeb), ("skyblue1", 0x87ceff), ("slateblue", 0x6a5acd),
    ("slateblue1", 0x836fff), ("slategray", 0x708090), ("slategray1", 0xc6e2ff),
    ("snow", 0xfffafa), ("springgreen", 0x00ff7f), ("steelblue", 0x4682b4),
    ("steelblue1", 0x63b8ff), ("tan", 0xd2b48c), ("tan1", 0xffa54f), ("thistle", 0xd8bfd8),
    ("thistle1", 0xffe1ff), ("tomato", 0xff6347), ("turquoise", 0x40e0d0),
    ("turquoise1", 0x00f5ff), ("violet", 0xee82ee), ("violetred", 0xd02090),
    ("violetred1", 0xff3e96), ("wheat", 0xf5deb3), ("wheat1", 0xffe7ba), ("white", 0xffffff),
    ("whitesmoke", 0xf5f5f5), ("yellow", 0xffff00), ("yellowgreen", 0x9acd32),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_they_are_found() {
        assert!(NAMES.is_sorted_by(|(one, _), (next, _)| one < next));
    }

    #[test]
    fn colours_are_those_of_x() {
        let check = |name, expected| assert_eq!(colour(name), expected, "{name}");
        let seen = |red, green, blue| Some([red, green, blue, 255]);
        check("None", Some([0; 4]));
        check("#f0a", seen(255, 0, 170));
        check("#FF00aA", seen(255, 0, 170));
        check("#fff000aaa", seen(255, 0, 170));
        check("#ffff00008000", seen(255, 0, 128));
        check("LightSlateGrey", seen(119, 136, 153));
        check("green", seen(0, 255, 0));
        check("gray", seen(190, 190, 190));
        check("gray0", seen(0, 0, 0));
        check("grey10", seen(26, 26, 26));
        check("gray50", seen(127, 127, 127));
        check("gray100", seen(255, 255, 255));
        check("blue4", seen(0, 0, 139));
        check("gold1", seen(255, 215, 0));
        check("Brown1", seen(255, 64, 64));
        check("DarkOrange3", seen(205, 102, 0));
        for unknown in [
            "",
            "#",
            "#12",
            "#1234",
            "#+12",
            "#g00",
            "#\u{e9}0",
            "gray101",
            "gray-1",
            "gold0",
            "gold5",
            "none1",
            "1",
            "octarine",
            "#1234512345123451",
        ] {
            check(unknown, None);
        }
    }
}

//! The colours of each theme.

use iced::theme::Palette;
use iced::{Color, Theme};
use serde::{Deserialize, Serialize};

/// How many programs have a colour of their own in a chart.
pub const SERIES: usize = 7;

/// A theme to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// Light or dark, as the system is.
    #[default]
    System,
    Light,
    Dark,
    /// Warm and light.
    Paper,
    /// Cool and light.
    Mist,
    /// Blue and dark.
    Midnight,
    /// Green and dark.
    Forest,
    /// Warm and dark.
    Ember,
    /// White on black, as strong as it gets.
    Contrast,
}

impl Scheme {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 9] = [
        Self::System,
        Self::Light,
        Self::Dark,
        Self::Paper,
        Self::Mist,
        Self::Midnight,
        Self::Forest,
        Self::Ember,
        Self::Contrast,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
            Self::Paper => "Paper",
            Self::Mist => "Mist",
            Self::Midnight => "Midnight",
            Self::Forest => "Forest",
            Self::Ember => "Ember",
            Self::Contrast => "Contrast",
        }
    }

    /// Its colours; `is_dark` is whether the system's are dark.
    pub fn colors(self, is_dark: bool) -> Colors {
        Colors(match self {
            Self::System if is_dark => &DARK,
            Self::System | Self::Light => &LIGHT,
            Self::Dark => &DARK,
            Self::Paper => &PAPER,
            Self::Mist => &MIST,
            Self::Midnight => &MIDNIGHT,
            Self::Forest => &FOREST,
            Self::Ember => &EMBER,
            Self::Contrast => &CONTRAST,
        })
    }
}

/// The colours of a theme; a copy is a reference.
#[derive(Debug, Clone, Copy)]
pub struct Colors(&'static Shades);

impl std::ops::Deref for Colors {
    type Target = Shades;

    fn deref(&self) -> &Shades {
        self.0
    }
}

/// The colours of a theme, by what they are for.
#[derive(Debug, Clone, PartialEq)]
pub struct Shades {
    /// Behind everything.
    pub ground: Color,
    /// Behind bars, heads and what lies above the ground.
    pub raised: Color,
    /// Behind what the pointer is on.
    pub hover: Color,
    /// Behind what is selected.
    pub selected: Color,
    /// Lines between parts.
    pub line: Color,
    /// Text.
    pub text: Color,
    /// Text that stands back.
    pub muted: Color,
    /// What is active or can be acted on.
    pub accent: Color,
    /// Text on the accent.
    pub on_accent: Color,
    /// It is well.
    pub good: Color,
    /// It is not quite well.
    pub warn: Color,
    /// It is not well.
    pub bad: Color,
    /// The programs of a chart, by rank.
    pub series: [Color; SERIES],
    /// All others in a chart.
    pub rest: Color,
}

impl Colors {
    /// The toolkit's theme of these colours.
    pub fn theme(self, name: &'static str) -> Theme {
        Theme::custom(
            name,
            Palette {
                background: self.ground,
                text: self.text,
                primary: self.accent,
                success: self.good,
                warning: self.warn,
                danger: self.bad,
            },
        )
    }
}

const fn rgb(hex: u32) -> Color {
    let [_, r, g, b] = hex.to_be_bytes();
    Color::from_rgb8(r, g, b)
}

const LIGHT_SERIES: [Color; SERIES] = [
    rgb(0x0027_6fbf),
    rgb(0x00c4_5d1a),
    rgb(0x0023_8551),
    rgb(0x0093_4bb3),
    rgb(0x00a8_7a00),
    rgb(0x00c2_3b62),
    rgb(0x0012_8a8f),
];

const DARK_SERIES: [Color; SERIES] = [
    rgb(0x0058_a6f2),
    rgb(0x00f0_9350),
    rgb(0x0056_c288),
    rgb(0x00c4_8ae6),
    rgb(0x00e3_bd4f),
    rgb(0x00f0_7c9d),
    rgb(0x004b_c5c9),
];

static LIGHT: Shades = Shades {
    ground: rgb(0x00ff_ffff),
    raised: rgb(0x00f6_f7f9),
    hover: rgb(0x00f0_f2f5),
    selected: rgb(0x00df_ebfa),
    line: rgb(0x00e2_e5ea),
    text: rgb(0x001b_1f26),
    muted: rgb(0x005b_6472),
    accent: rgb(0x001f_66b5),
    on_accent: rgb(0x00ff_ffff),
    good: rgb(0x001c_7446),
    warn: rgb(0x008f_5a00),
    bad: rgb(0x00b3_2f3d),
    series: LIGHT_SERIES,
    rest: rgb(0x0085_8d9a),
};

static DARK: Shades = Shades {
    ground: rgb(0x0015_181d),
    raised: rgb(0x001c_2027),
    hover: rgb(0x0023_2831),
    selected: rgb(0x0023_3850),
    line: rgb(0x002d_333d),
    text: rgb(0x00e4_e7ec),
    muted: rgb(0x009a_a3b2),
    accent: rgb(0x0063_aaf2),
    on_accent: rgb(0x000d_1520),
    good: rgb(0x0056_c288),
    warn: rgb(0x00e0_b04a),
    bad: rgb(0x00f2_7d86),
    series: DARK_SERIES,
    rest: rgb(0x0079_8291),
};

static PAPER: Shades = Shades {
    ground: rgb(0x00fb_f7ef),
    raised: rgb(0x00f4_eee2),
    hover: rgb(0x00ee_e6d7),
    selected: rgb(0x00ea_dcbf),
    line: rgb(0x00df_d5c2),
    text: rgb(0x002e_2a23),
    muted: rgb(0x0063_5b4d),
    accent: rgb(0x008a_4b12),
    on_accent: rgb(0x00ff_fbf4),
    good: rgb(0x0034_662f),
    warn: rgb(0x0080_5200),
    bad: rgb(0x00a0_2c2c),
    series: LIGHT_SERIES,
    rest: rgb(0x0086_7d6c),
};

static MIST: Shades = Shades {
    ground: rgb(0x00f1_f5f8),
    raised: rgb(0x00e7_edf2),
    hover: rgb(0x00df_e7ee),
    selected: rgb(0x00cd_e2ea),
    line: rgb(0x00d0_dae2),
    text: rgb(0x0019_2730),
    muted: rgb(0x004d_5f6c),
    accent: rgb(0x0010_6577),
    on_accent: rgb(0x00ff_ffff),
    good: rgb(0x0019_6b42),
    warn: rgb(0x0082_5000),
    bad: rgb(0x00a6_2b3c),
    series: LIGHT_SERIES,
    rest: rgb(0x0077_8591),
};

static MIDNIGHT: Shades = Shades {
    ground: rgb(0x000d_1222),
    raised: rgb(0x0013_1a2e),
    hover: rgb(0x001a_2340),
    selected: rgb(0x0025_3263),
    line: rgb(0x0025_2e4a),
    text: rgb(0x00e0_e6f7),
    muted: rgb(0x0097_a3c4),
    accent: rgb(0x0090_a8ff),
    on_accent: rgb(0x000c_1230),
    good: rgb(0x005c_ca9b),
    warn: rgb(0x00e4_b85c),
    bad: rgb(0x00f5_7f96),
    series: DARK_SERIES,
    rest: rgb(0x006f_7ca0),
};

static FOREST: Shades = Shades {
    ground: rgb(0x0010_1814),
    raised: rgb(0x0017_211b),
    hover: rgb(0x001e_2b24),
    selected: rgb(0x0022_3f30),
    line: rgb(0x002a_382f),
    text: rgb(0x00e1_ebe4),
    muted: rgb(0x0095_a99c),
    accent: rgb(0x006c_cf97),
    on_accent: rgb(0x000a_1a11),
    good: rgb(0x006c_cf97),
    warn: rgb(0x00e0_b85a),
    bad: rgb(0x00f0_8585),
    series: DARK_SERIES,
    rest: rgb(0x0074_8a7c),
};

static EMBER: Shades = Shades {
    ground: rgb(0x001b_1513),
    raised: rgb(0x0024_1c19),
    hover: rgb(0x002e_2420),
    selected: rgb(0x0049_2f22),
    line: rgb(0x003d_302a),
    text: rgb(0x00f0_e6df),
    muted: rgb(0x00b3_a097),
    accent: rgb(0x00f0_9a5e),
    on_accent: rgb(0x0024_1206),
    good: rgb(0x007d_c48a),
    warn: rgb(0x00e6_b754),
    bad: rgb(0x00f5_857a),
    series: DARK_SERIES,
    rest: rgb(0x0091_7d73),
};

static CONTRAST: Shades = Shades {
    ground: rgb(0x0000_0000),
    raised: rgb(0x000a_0a0a),
    hover: rgb(0x001e_1e1e),
    selected: rgb(0x0000_3a6b),
    line: rgb(0x007a_7a7a),
    text: rgb(0x00ff_ffff),
    muted: rgb(0x00d6_d6d6),
    accent: rgb(0x00ff_d84d),
    on_accent: rgb(0x0000_0000),
    good: rgb(0x006d_f2a4),
    warn: rgb(0x00ff_d84d),
    bad: rgb(0x00ff_9a9a),
    series: DARK_SERIES,
    rest: rgb(0x00a0_a0a0),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2.
    fn contrast(a: Color, b: Color) -> f32 {
        let luminance = |color: Color| {
            let [r, g, b, _] = color.into_linear();
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn all() -> impl Iterator<Item = (&'static str, Colors)> {
        Scheme::ALL
            .into_iter()
            .flat_map(|scheme| [false, true].map(|is_dark| (scheme.name(), scheme.colors(is_dark))))
    }

    #[test]
    fn text_can_be_read_on_whatever_is_behind_it() {
        for (name, colors) in all() {
            let grounds = [colors.ground, colors.raised, colors.hover, colors.selected];
            let texts = [
                colors.text,
                colors.muted,
                colors.accent,
                colors.good,
                colors.warn,
                colors.bad,
            ];
            for ground in grounds {
                for text in texts {
                    let contrast = contrast(ground, text);
                    assert!(
                        contrast >= 4.5,
                        "{name}: {text:?} on {ground:?}: {contrast:.2}"
                    );
                }
            }
            let contrast = contrast(colors.accent, colors.on_accent);
            assert!(contrast >= 4.5, "{name}: on the accent: {contrast:.2}");
        }
    }

    /// WCAG 2.2, 1.4.11: graphics.
    #[test]
    fn charts_can_be_seen() {
        for (name, colors) in all() {
            for color in colors.series.into_iter().chain([colors.rest]) {
                let contrast = contrast(colors.ground, color);
                assert!(contrast >= 3.0, "{name}: {color:?}: {contrast:.2}");
            }
        }
    }
}

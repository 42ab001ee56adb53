//! Everything that makes the app look as it does: colours, sizes, spacings, fonts and the
//! styles of the toolkit's widgets.

pub mod palette;
pub mod style;

use iced::Font;
use iced::font::{Family, Weight};

pub use palette::{Colors, Scheme};

/// Sizes of text, in logical pixels.
pub mod size {
    /// Units, captions, what stands beside the matter.
    pub const SMALL: f32 = 11.0;
    /// Nearly everything.
    pub const BODY: f32 = 13.0;
    /// What a page or a part of it is about.
    pub const TITLE: f32 = 15.0;
    /// The few figures that a page is opened for.
    pub const FIGURE: f32 = 21.0;
}

/// Distances, in logical pixels.
pub mod space {
    /// Between what belongs together.
    pub const XS: f32 = 4.0;
    /// Between neighbours.
    pub const S: f32 = 8.0;
    /// Between groups, and around the contents of a page.
    pub const M: f32 = 14.0;
    /// Between parts of a page.
    pub const L: f32 = 22.0;
}

/// Heights and widths that recur, in logical pixels.
pub mod measure {
    /// A line of a table.
    pub const ROW: f32 = 25.0;
    /// The head of a table.
    pub const HEAD: f32 = 24.0;
    /// The bar at the top of the window.
    pub const BAR: f32 = 44.0;
    /// The line at the bottom of the window.
    pub const STATUS: f32 = 24.0;
    /// A pictogram or the icon of a program.
    pub const ICON: f32 = 16.0;
    /// A line between parts.
    pub const HAIRLINE: f32 = 1.0;
    /// The line around what has the keys.
    pub const RING: f32 = 2.0;
    /// How round corners are.
    pub const RADIUS: f32 = 5.0;
}

/// The font of the app, with tabular figures.
pub const FONT: Font = Font::with_name("Inter");

/// The same, for parts that should catch the eye.
pub const STRONG: Font = Font {
    family: Family::Name("Inter"),
    weight: Weight::Semibold,
    ..Font::DEFAULT
};

/// The files of the fonts.
pub const FONT_FILES: [&[u8]; 2] = [
    include_bytes!("../../assets/fonts/Inter-Regular.ttf"),
    include_bytes!("../../assets/fonts/Inter-SemiBold.ttf"),
];

//! The heads of columns.

/// How wide a column is, in logical pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Width {
    Fixed(f32),
    /// A share of what is left, but no less than this.
    Share(f32, f32),
}

/// On which side of its column text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// The head of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    pub title: &'static str,
    pub width: Width,
    pub align: Align,
    /// Room at the right for units.
    pub unit: f32,
    /// Whether it is left out where there is no room for all.
    pub yields: bool,
}

/// Room for the units of rates.
pub const RATE_UNIT: f32 = 38.0;
/// Room for the units of amounts.
pub const AMOUNT_UNIT: f32 = 30.0;

impl Head {
    /// A column of texts.
    pub const fn text(title: &'static str, width: Width) -> Self {
        Self {
            title,
            width,
            align: Align::Left,
            unit: 0.0,
            yields: false,
        }
    }

    /// A column of numbers without units.
    pub const fn number(title: &'static str, width: f32) -> Self {
        Self {
            title,
            width: Width::Fixed(width),
            align: Align::Right,
            unit: 0.0,
            yields: false,
        }
    }

    /// The same, left out where there is no room for all.
    #[must_use]
    pub const fn yielding(self) -> Self {
        Self {
            yields: true,
            ..self
        }
    }

    /// A column of rates.
    pub const fn rate(title: &'static str) -> Self {
        Self {
            unit: RATE_UNIT,
            ..Self::number(title, 92.0)
        }
    }

    /// A column of amounts.
    pub const fn amount(title: &'static str) -> Self {
        Self {
            unit: AMOUNT_UNIT,
            ..Self::number(title, 84.0)
        }
    }
}

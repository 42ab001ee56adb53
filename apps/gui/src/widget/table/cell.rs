//! What is in a cell.

use std::borrow::Cow;

use flowner_core::present::Quantity;
use iced::Color;

use crate::picture::IconImage;
use crate::shown;
use crate::theme::Colors;

/// In which colour a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    #[default]
    Text,
    Muted,
    Accent,
    Good,
    Warn,
    Bad,
}

impl Tone {
    /// The colour.
    pub fn color(self, colors: Colors) -> Color {
        match self {
            Self::Text => colors.text,
            Self::Muted => colors.muted,
            Self::Accent => colors.accent,
            Self::Good => colors.good,
            Self::Warn => colors.warn,
            Self::Bad => colors.bad,
        }
    }
}

/// What is in a cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub(super) text: String,
    pub(super) unit: Option<&'static str>,
    pub(super) tone: Tone,
    pub(super) is_strong: bool,
    pub(super) picture: Option<IconImage>,
    pub(super) swatch: Option<Color>,
    pub(super) bar: Option<Bar>,
    /// Whether a text that is too long loses its middle and not its end.
    pub(super) is_name: bool,
    /// What stands behind the text where there is room for all of it.
    pub(super) beside: Option<String>,
}

/// Two shares of a whole, from 0 to 1, as a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    pub first: f32,
    pub second: f32,
    pub color: Color,
}

impl Cell {
    /// Nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A text, of which what others wrote is [masked](shown).
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let masked = match shown::line(&text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        };
        Self {
            text: masked.unwrap_or(text),
            ..Self::default()
        }
    }

    /// The name of a host.
    pub fn name(text: impl Into<String>) -> Self {
        Self::text(text).as_name()
    }

    /// The same text, as the name of a host: its end says whose it is, and stays readable.
    #[must_use]
    pub fn as_name(self) -> Self {
        Self {
            is_name: true,
            ..self
        }
    }

    /// A number, and its unit in a column of its own.
    pub fn quantity(quantity: Quantity) -> Self {
        let tone = if quantity.is_nothing() {
            Tone::Muted
        } else {
            Tone::Text
        };
        Self {
            text: quantity.number,
            unit: Some(quantity.unit),
            tone,
            ..Self::default()
        }
    }

    /// A bar.
    pub fn bar(bar: Bar) -> Self {
        Self {
            bar: Some(bar),
            ..Self::default()
        }
    }

    /// The same, standing back.
    #[must_use]
    pub fn muted(self) -> Self {
        self.toned(Tone::Muted)
    }

    /// The same, with something behind it where there is room for all of that.
    #[must_use]
    pub fn beside(self, beside: Option<String>) -> Self {
        let beside = beside.map(|text| shown::line(&text).into_owned());
        Self { beside, ..self }
    }

    /// The same, in another colour.
    #[must_use]
    pub fn toned(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The same, to catch the eye.
    #[must_use]
    pub fn strong(self) -> Self {
        Self {
            is_strong: true,
            ..self
        }
    }

    /// The same, with a picture before it.
    #[must_use]
    pub fn pictured(self, picture: Option<IconImage>) -> Self {
        Self { picture, ..self }
    }

    /// The same, with a colour before it that a chart explains.
    #[must_use]
    pub fn swatched(self, swatch: Option<Color>) -> Self {
        Self { swatch, ..self }
    }

    /// What is copied.
    pub fn content(&self) -> String {
        match self.unit {
            Some(unit) => format!("{} {unit}", self.text),
            None => self.text.clone(),
        }
    }
}

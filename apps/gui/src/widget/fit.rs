//! Text that is cut where there is no room for it, with an ellipsis.

use std::cell::RefCell;
use std::collections::HashMap;

use flowner_core::present::shortened_name;
use iced::advanced::text::{self, Paragraph, Text};
use iced::{Font, Pixels, Renderer, Size, alignment};

/// How wide characters are. What is wide once is always so, therefore each is measured
/// once; kerning is left out, which makes text a little narrower, if anything.
#[derive(Debug, Default)]
pub struct Fitter {
    /// By character and whether it is strong, for a size of 1.
    advances: RefCell<HashMap<(char, bool), f32>>,
}

thread_local! {
    static FITTER: Fitter = Fitter::default();
}

/// As [`Fitter::fit`], for what is put together anew each time.
pub fn fitted(text: String, font: Font, size: f32, room: f32) -> String {
    FITTER.with(|fitter| fitter.fit(text, font, size, room))
}

/// At which size characters are measured.
const MEASURED_AT: f32 = 100.0;

impl Fitter {
    /// How wide a text is.
    pub fn width(&self, text: &str, font: Font, size: f32) -> f32 {
        let advances = text.chars().map(|c| self.advance(c, font));
        advances.sum::<f32>() * size
    }

    /// The text, or as much of its beginning as there is room for.
    pub fn fit(&self, text: String, font: Font, size: f32, room: f32) -> String {
        let mut used = 0.0;
        let mut cut = 0;
        let ellipsis = self.advance('…', font) * size;
        for (place, character) in text.char_indices() {
            used += self.advance(character, font) * size;
            if used + ellipsis <= room {
                cut = place + character.len_utf8();
            }
            if used > room + 0.5 {
                return format!("{}…", text[..cut].trim_end());
            }
        }
        text
    }

    /// The name of a host, or its beginning and its end with an ellipsis between them.
    pub fn fit_name(&self, name: &str, font: Font, size: f32, room: f32) -> String {
        let width = |character| self.advance(character, font) * size;
        shortened_name(name, room, width).into_owned()
    }

    fn advance(&self, character: char, font: Font) -> f32 {
        let key = (character, font == crate::theme::STRONG);
        if let Some(advance) = self.advances.borrow().get(&key) {
            return *advance;
        }
        // Blanks at the end are not measured.
        let alone = measure(&format!("|{character}|"), font);
        let advance = (alone - measure("||", font)) / MEASURED_AT;
        self.advances.borrow_mut().insert(key, advance);
        advance
    }
}

fn measure(content: &str, font: Font) -> f32 {
    let text = Text {
        content,
        bounds: Size::INFINITE,
        size: Pixels(MEASURED_AT),
        line_height: text::LineHeight::default(),
        font,
        align_x: text::Alignment::Left,
        align_y: alignment::Vertical::Top,
        shaping: text::Shaping::Advanced,
        wrapping: text::Wrapping::None,
    };
    let paragraph = <Renderer as text::Renderer>::Paragraph::with_text(text);
    paragraph.min_bounds().width
}

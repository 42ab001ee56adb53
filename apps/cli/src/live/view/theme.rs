//! Colours: only the 16 that every terminal has, so that they follow the user's theme; or none.

use ratatui::style::{Color, Modifier, Style};

/// The style of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Colours,
    /// Only bold, faint and reversed.
    Plain,
}

#[expect(
    clippy::unused_self,
    reason = "what has no colour of its own may get one"
)]
impl Theme {
    const fn coloured(self, color: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(color),
            Self::Plain => Style::new(),
        }
    }

    pub(super) const fn name(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) const fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// The active tab.
    pub(super) const fn tab(self) -> Style {
        self.coloured(Color::Cyan)
            .add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED))
    }

    pub(super) const fn titles(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The title of the sorted column.
    pub(super) const fn sorted(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    pub(super) const fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Unknown owners.
    pub(super) const fn unknown(self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub(super) const fn up(self) -> Style {
        self.coloured(Color::Magenta)
    }

    pub(super) const fn down(self) -> Style {
        self.coloured(Color::Green)
    }

    pub(super) const fn notice(self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub(super) const fn error(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }
}

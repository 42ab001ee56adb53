//! The error of a filter, and its position.

use std::ops::Range;

use crate::model::text::mask;

/// An invalid filter expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong, and what would be right.
    pub message: String,
    /// The position in the expression, in bytes; both ends are on character boundaries.
    pub span: Range<usize>,
    /// The whole expression.
    pub expression: String,
}

impl FilterError {
    /// Message, expression and a line that marks the position, without a line end.
    ///
    /// The marks are in the right place if every character is one column wide.
    pub fn render(&self) -> String {
        let Self {
            message,
            span,
            expression,
        } = self;
        // In parts, so that the marks are below the position as it is shown.
        let parts = [0..span.start, span.clone(), span.end..expression.len()];
        let [before, marked, after] = parts.map(|part| mask(&expression[part]));
        let line = format!("{before}{marked}{after}");
        let before = before.chars().count();
        let marked = marked.chars().count().max(1);
        let message = mask(message);
        format!(
            "{message}\n  {line}\n  {blank}{carets}",
            blank = " ".repeat(before),
            carets = "^".repeat(marked),
        )
    }
}

/// An error at a position, before the expression is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) span: Range<usize>,
    message: String,
}

impl Problem {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { span, message }
    }

    pub(super) fn within(self, expression: &str) -> FilterError {
        FilterError {
            message: self.message,
            span: self.span,
            expression: expression.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_render(expression: &str, span: Range<usize>, expected: &str) {
        let error = FilterError {
            message: "m".to_owned(),
            span,
            expression: expression.to_owned(),
        };
        assert_eq!(error.render(), format!("m\n{expected}"));
    }

    #[test]
    fn marks_stand_below_the_place() {
        check_render("a bc d", 2..4, "  a bc d\n    ^^");
        check_render("ä bc d", 3..5, "  ä bc d\n    ^^");
        check_render("ab", 2..2, "  ab\n    ^");
        check_render("a\n\u{1b}b", 3..4, "  a\\n\\x1bb\n         ^");
        check_render("a\u{202e}b", 1..4, "  a\\u{202e}b\n   ^^^^^^^^");
    }
}

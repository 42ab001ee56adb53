//! What is wrong with a filter, and where.

use std::ops::Range;

use crate::model::text::mask;

/// An expression that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong and what would be right.
    pub message: String,
    /// The place in the expression, in bytes; both ends are on character
    /// boundaries.
    pub span: Range<usize>,
    /// The whole expression.
    pub expression: String,
}

impl FilterError {
    /// Message, expression and a line that marks the place, without a line end.
    ///
    /// The marks stand right where every character is one column wide.
    pub fn render(&self) -> String {
        let Self {
            message,
            span,
            expression,
        } = self;
        // In its parts, so that the marks stand below the place as it is shown.
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

/// What is wrong at a place, before the expression is at hand.
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

/// The one of `known` that was most likely meant by `text`: at most two edits away
/// and nearer than an unrelated word.
pub(super) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (distance(text, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance * 2 <= name.len())
        // A word that is not finished yet is likelier than a slip.
        .min_by_key(|(distance, name)| (*distance, !name.starts_with(text)))
        .map(|(_, name)| name)
}

/// The number of insertions, deletions, substitutions and swaps of neighbours
/// between two short texts (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = substituted.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if is_swap {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_nearest(text: &str, expected: Option<&str>) {
        let known = ["program", "port", "proto", "pid", "dir", "bytes"];
        assert_eq!(nearest(text, known.into_iter()), expected, "{text}");
    }

    #[test]
    fn slips_are_recognised() {
        check_nearest("prt", Some("port"));
        check_nearest("prot", Some("proto"));
        check_nearest("prto", Some("proto"));
        check_nearest("progarm", Some("program"));
        check_nearest("byte", Some("bytes"));
        check_nearest("porto", Some("port"));
        check_nearest("https", None);
        check_nearest("", None);
        check_nearest(&"x".repeat(10_000), None);
    }

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

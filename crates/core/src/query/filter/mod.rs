//! The language that selects flows and sockets, for both apps.
//!
//! Consecutive terms must all hold. `or` (or `|`) separates alternatives, `!` (or `not`) negates
//! the next term, parentheses group, and quotes keep blanks (`""` within them is one quote).
//!
#![doc = include_str!("keys.md")]
//!
//! The names of services are those of [`service_name`](crate::service_name). Text comparison
//! ignores case. A term about a property that the subject lacks does not hold: a socket has no
//! direction, so `dir:out` never holds for it and `!dir:out` does.
//!
//! ```
//! use flowner_core::Filter;
//!
//! let filter = Filter::parse("program:firefox (port:443 or port:80) !state:closed")?;
//! let error = Filter::parse("prot:tcp").unwrap_err();
//! assert_eq!(
//!     error.render(),
//!     "unknown key `prot`; did you mean `proto`?\n  prot:tcp\n  ^^^^",
//! );
//! # Ok::<(), flowner_core::FilterError>(())
//! ```

mod error;
mod eval;
mod expression;
mod keys;
mod lex;
mod parse;
mod subject;
mod term;
mod value;

pub use error::FilterError;
pub use keys::Key;
pub use subject::Subject;
pub use value::amount;

use std::fmt;
use std::str::FromStr;

pub use crate::model::prefix::Network;
use crate::model::selection::Selection;
use expression::Expression;
use term::Term;
use value::Text;

/// A selection of flows or sockets; by default everything.
///
/// Its text form is an equivalent filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    expression: Option<Expression>,
}

impl Filter {
    /// Parses an expression; one without terms selects everything.
    ///
    /// # Errors
    ///
    /// An error with its position.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        match parse::parse(expression) {
            Ok(expression) => Ok(Self { expression }),
            Err(problem) => Err(problem.within(expression)),
        }
    }

    /// Selects flows of a program: the term `program:` with this text.
    pub fn of_program(text: &str) -> Self {
        Self {
            expression: Some(Expression::Term(Term::Program(Text::new(text)))),
        }
    }

    /// Every key of the language, in the order in which help lists them.
    pub fn keys() -> &'static [Key] {
        &keys::KEYS
    }

    /// Selects what both filters select.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = match (self.expression, other.expression) {
            (Some(one), Some(other)) => Some(Expression::all(vec![one, other])),
            (one, other) => one.or(other),
        };
        Self { expression: both }
    }

    /// Whether the filter selects this flow or socket.
    pub fn matches(&self, subject: &impl Subject) -> bool {
        self.expression
            .as_ref()
            .is_none_or(|expression| expression.matches(subject))
    }

    /// Whether there are no terms, so that the filter selects everything.
    pub const fn is_everything(&self) -> bool {
        self.expression.is_none()
    }
}

impl From<&Filter> for Selection {
    fn from(filter: &Filter) -> Self {
        if filter.is_everything() {
            return Self::default();
        }
        let (text, filter) = (filter.to_string(), filter.clone());
        Self::new(text, move |flow| filter.matches(flow))
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression
            .as_ref()
            .map_or(Ok(()), |expression| expression.fmt(f))
    }
}

#[cfg(test)]
mod tests;

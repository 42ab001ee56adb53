//! One language to choose flows and sockets by, for both apps.
//!
//! Terms that follow each other must all hold. `or` (or `|`) stands between
//! alternatives, `!` (or `not`) negates the next term, parentheses group, and
//! quotes hold blanks together (`""` within them is one quote).
//!
#![doc = include_str!("keys.md")]
//!
//! The names of services are those that [`service_name`](crate::service_name) gives.
//! Text is compared in any case. What a subject does not have fulfils no term: a
//! socket has no direction, so `dir:out` never holds for it and `!dir:out` does.
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

/// What to choose; by default everything.
///
/// Its text form is a filter again, one that means the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    expression: Option<Expression>,
}

impl Filter {
    /// Reads an expression; one without terms chooses everything.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        match parse::parse(expression) {
            Ok(expression) => Ok(Self { expression }),
            Err(problem) => Err(problem.within(expression)),
        }
    }

    /// Chooses what a program owns: the term `program:` with this text.
    pub fn of_program(text: &str) -> Self {
        Self {
            expression: Some(Expression::Term(Term::Program(Text::new(text)))),
        }
    }

    /// Every key of the language, in the order in which help lists them.
    pub fn keys() -> &'static [Key] {
        &keys::KEYS
    }

    /// Chooses what both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = match (self.expression, other.expression) {
            (Some(one), Some(other)) => Some(Expression::all(vec![one, other])),
            (one, other) => one.or(other),
        };
        Self { expression: both }
    }

    /// Whether the filter chooses this flow or socket.
    pub fn matches(&self, subject: &impl Subject) -> bool {
        self.expression
            .as_ref()
            .is_none_or(|expression| expression.matches(subject))
    }

    /// Whether there are no terms, so that everything is chosen.
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

//! One language to choose flows and sockets by, for both apps.
//!
//! Terms that follow each other must all hold. `or` (or `|`) stands between
//! alternatives, `!` (or `not`) negates the next term, parentheses group, and
//! quotes hold blanks together (`""` within them is one quote).
//!
//! | term | holds where |
//! |---|---|
//! | `firefox` | program, process, user, address or port contain the text |
//! | `program:firefox` | an owner's program, process name or path contains it |
//! | `pid:4242` | a process with this pid is an owner |
//! | `user:ada`, `user:1000` | an owner runs as this user, by name or number |
//! | `unit:sshd` | an owner's service, container or sandbox contains it |
//! | `host:10.0.0.1`, `host:10.0.0.0/8` | one of the two ends has this address |
//! | `local:` / `remote:10.0.0.0/8:443`, `remote::443` | this end has this address and port |
//! | `port:443`, `port:8000-9000` | one of the two ends has this port |
//! | `proto:tcp` | the protocol above IP |
//! | `service:https` | the [name](crate::service_name) of the service's port |
//! | `state:established` | the state of flow or socket |
//! | `dir:outgoing` (`out`) | the direction of the flow |
//! | `verdict:unknown` | what an owner's verdict is |
//! | `reason:gone` | why no owner is known |
//! | `match:five-tuple` | how the owner was found |
//! | `bytes>1M`, `packets>=5`, `rate<10k` | wire bytes, packets, wire bytes a second |
//!
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
mod lex;
mod parse;
mod subject;
mod term;
mod value;

pub use error::FilterError;
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

//! Terms joined by and, or, not.

use std::fmt::{self, Display};

use super::Subject;
use super::term::Term;

/// An expression in the one form that equal expressions share: no group stands
/// alone, within a group of its own kind, or below two negations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Term(Term),
    Not(Box<Expression>),
    /// Two or more.
    All(Vec<Expression>),
    /// Two or more.
    Any(Vec<Expression>),
}

impl Expression {
    pub(super) fn not(inner: Self) -> Self {
        match inner {
            Self::Not(inner) => *inner,
            inner => Self::Not(Box::new(inner)),
        }
    }

    /// All of `parts`, of which there is at least one.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::All(parts) => parts,
            part => vec![part],
        });
        single(flat.collect()).unwrap_or_else(Self::All)
    }

    /// Any of `parts`, of which there is at least one.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Any(parts) => parts,
            part => vec![part],
        });
        single(flat.collect()).unwrap_or_else(Self::Any)
    }

    pub(super) fn matches(&self, subject: &impl Subject) -> bool {
        match self {
            Self::Term(term) => term.matches(subject),
            Self::Not(inner) => !inner.matches(subject),
            Self::All(parts) => parts.iter().all(|part| part.matches(subject)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(subject)),
        }
    }
}

/// The only part, or all of them back.
fn single(parts: Vec<Expression>) -> Result<Expression, Vec<Expression>> {
    <[Expression; 1]>::try_from(parts).map(|[part]| part)
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(inner) => match **inner {
                Self::All(_) | Self::Any(_) => write!(f, "!({inner})"),
                Self::Term(_) | Self::Not(_) => write!(f, "!{inner}"),
            },
            Self::All(parts) => join(f, parts, " "),
            Self::Any(parts) => join(f, parts, " or "),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Expression], separator: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(separator)?;
        }
        match part {
            // Alternatives bind less tightly than what follows each other.
            Expression::Any(_) => write!(f, "({part})")?,
            _ => part.fmt(f)?,
        }
    }
    Ok(())
}

//! Text forms of enums: `FromStr` reads what `name` gives.
//!
//! `flowner-attribution` has the same error for its own enums. Neither crate depends on the other,
//! and a common crate would be one more to publish for these few lines.

use std::fmt;

/// The error for text that is not a name of an enum. Its message lists the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseNameError {
    text: String,
    what: &'static str,
    names: Vec<&'static str>,
}

impl ParseNameError {
    pub(crate) fn new(text: &str, what: &'static str, names: Vec<&'static str>) -> Self {
        let text = text.to_owned();
        Self { text, what, names }
    }
}

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, what, names } = self;
        write!(f, "`{text}` is not a valid {what}; expected one of ")?;
        f.write_str(&names.join(", "))
    }
}

impl std::error::Error for ParseNameError {}

/// Writes and reads an enum by its `name`, with the table `ALL` of its values.
macro_rules! named {
    ($type:ty, $what:literal) => {
        /// The name.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        /// By the name that `name` gives.
        impl std::str::FromStr for $type {
            type Err = $crate::ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.into_iter();
                all.find(|one| one.name() == text).ok_or_else(|| {
                    let names = Self::ALL.map(Self::name).into();
                    $crate::ParseNameError::new(text, $what, names)
                })
            }
        }
    };
}

pub(crate) use named;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::{Debug, Display};
    use std::hash::Hash;
    use std::str::FromStr;

    use super::*;
    use crate::{Direction, EndReason, State};

    #[track_caller]
    fn check<T>(all: &[T], name: impl Fn(T) -> &'static str)
    where
        T: FromStr<Err = ParseNameError> + Copy + Eq + Hash + Debug + Display,
    {
        let distinct: HashSet<_> = all.iter().map(|one| name(*one)).collect();
        assert_eq!(distinct.len(), all.len());
        for one in all {
            assert_eq!(one.to_string(), name(*one));
            assert_eq!(one.to_string().parse::<T>().as_ref(), Ok(one));
        }
        let error = "no such name".parse::<T>().unwrap_err().to_string();
        assert!(
            error.starts_with("`no such name` is not a valid ") && error.contains(name(all[0])),
            "{error}"
        );
    }

    #[test]
    fn every_name_is_read_again() {
        check(&Direction::ALL, Direction::name);
        check(&EndReason::ALL, EndReason::name);
        check(&State::ALL, State::name);
    }

    #[test]
    fn columns_can_be_padded() {
        assert_eq!(format!("{:>9}|", State::Opening), "  opening|");
    }
}

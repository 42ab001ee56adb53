//! Text forms of enums: `FromStr` reads what `name` gives. (`flowner-flows`, which this crate does
//! not depend on, has the same error for its own enums.)

use std::fmt;

/// The error for text that is not a name of an enum.
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

/// Reads an enum by its [`name`](crate::Protocol::name), from the table `ALL` of its values. With
/// the feature `serde`, the macro also serialises the enum by that name.
///
/// If names have changed, `$by_name` also finds the earlier ones.
macro_rules! named {
    ($type:ty, $what:literal) => {
        $crate::answer::text::named!($type, $what, |name| {
            <$type>::ALL.into_iter().find(|one| one.name() == name)
        });
    };
    ($type:ty, $what:literal, $by_name:expr) => {
        /// By its name, as `name` gives it.
        impl std::str::FromStr for $type {
            type Err = $crate::answer::text::ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let by_name: fn(&str) -> Option<Self> = $by_name;
                by_name(text).ok_or_else(|| {
                    let names = Self::ALL.map(Self::name).into();
                    $crate::answer::text::ParseNameError::new(text, $what, names)
                })
            }
        }

        /// As its name.
        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.name())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// As [`named`], for enums that display their name.
macro_rules! displayed {
    ($type:ty, $what:literal) => {
        $crate::answer::text::named!($type, $what);

        /// The name.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(crate) use {displayed, named};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::{Debug, Display};
    use std::hash::Hash;
    use std::str::FromStr;

    use super::*;
    use crate::{ExeState, Match, Protocol, Reason, SocketState, Source, UnitKind};

    #[track_caller]
    fn check<T>(all: &[T], name: impl Fn(&T) -> &'static str)
    where
        T: FromStr<Err = ParseNameError> + Copy + Eq + Hash + Debug,
    {
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for one in all {
            assert_eq!(name(one).parse::<T>().as_ref(), Ok(one));
        }
        let error = "no such name".parse::<T>().unwrap_err().to_string();
        assert!(
            error.starts_with("`no such name` is not a valid "),
            "{error}"
        );
        assert!(error.contains(name(&all[0])), "{error}");
    }

    #[test]
    fn every_name_is_read_again() {
        check(&Protocol::ALL, |it| it.name());
        check(&SocketState::ALL, |it| it.name());
        check(&Reason::ALL, |it| it.name());
        check(&Match::ALL, |it| it.name());
        check(&Source::ALL, |it| it.name());
        check(&UnitKind::ALL, |it| it.name());
        check(&ExeState::ALL, |it| it.name());
    }

    #[test]
    fn columns_can_be_padded() {
        let padded = |one: &dyn Display| format!("{one:>11}|");
        assert_eq!(padded(&Protocol::Tcp), "        tcp|");
        assert_eq!(padded(&SocketState::Listen), "     listen|");
    }
}

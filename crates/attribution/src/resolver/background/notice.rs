//! The reports of a resolver's thread, beside its answers.

use std::fmt;
use std::time::Duration;

use crate::answer::{Error, SkippedNamespaces};

/// A report about lookups in general. Each displays as a sentence for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A lookup failed, as the first one or with another kind of error than before. The resolver
    /// retries it, and tries others.
    LookupsFail(Error),
    /// The best table of this system could not be opened. The resolver uses a fallback, which
    /// names fewer owners.
    FallbackTable(Error),
    /// There are more network namespaces than the table may open. The owners of sockets in the
    /// others are unknown. Reported once.
    NamespacesSkipped(SkippedNamespaces),
    /// A lookup works again after some failed.
    LookupsWork,
    /// The lookup, or the closure that takes answers, panicked: a bug. Lookups go on with a new
    /// socket table, or fail if there is none.
    Panicked {
        /// The message of the panic.
        message: String,
        /// When the resolver opens another table; `None` if it cannot or need not.
        reopens_in: Option<Duration>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookupsFail(error) => {
                write!(f, "cannot look up owners: {error}; flowner tries again")
            }
            Self::FallbackTable(error) => write!(
                f,
                "fewer owners can be named, as the native socket table could not be opened: {error}"
            ),
            Self::NamespacesSkipped(skipped) => skipped.fmt(f),
            Self::LookupsWork => f.write_str("lookups of owners work again"),
            Self::Panicked {
                message,
                reopens_in,
            } => {
                write!(f, "a bug made a lookup of owners fail ({message})")?;
                match reopens_in {
                    Some(time) => write!(f, "; it begins anew in {} s", time.as_secs_f32().ceil()),
                    None => Ok(()),
                }
            }
        }
    }
}

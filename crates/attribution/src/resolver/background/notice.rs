//! What the thread of a resolver has to report beside answers.

use std::fmt;
use std::time::Duration;

use crate::answer::{Error, SkippedNamespaces};

/// Something about lookups at large. Each displays as a sentence for people.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A lookup failed, as the first one or in another way than those before it. It is tried
    /// again, and so are others.
    LookupsFail(Error),
    /// The best table of this system could not be opened, and a lesser one is used, which names
    /// fewer owners.
    LesserTable(Error),
    /// There are more network namespaces than can be looked into: who has sockets in the others is
    /// not known. Reported once.
    NamespacesSkipped(SkippedNamespaces),
    /// A lookup works again, after some failed.
    LookupsWork,
    /// The lookup, or the closure that takes answers, panicked: a defect. Lookups go on with a
    /// new socket table, or fail where there is none.
    Panicked {
        /// What the panic said.
        message: String,
        /// When another table is opened; `None` where that is not possible, or not needed.
        reopens_in: Option<Duration>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookupsFail(error) => {
                write!(f, "owners cannot be looked up: {error}; it is tried again")
            }
            Self::LesserTable(error) => write!(
                f,
                "fewer owners can be named, as the native socket table could not be opened: {error}"
            ),
            Self::NamespacesSkipped(skipped) => skipped.fmt(f),
            Self::LookupsWork => f.write_str("owners are looked up again"),
            Self::Panicked {
                message,
                reopens_in,
            } => {
                write!(f, "looking up owners failed by a defect ({message})")?;
                match reopens_in {
                    Some(time) => write!(f, "; it begins anew in {} s", time.as_secs_f32().ceil()),
                    None => Ok(()),
                }
            }
        }
    }
}

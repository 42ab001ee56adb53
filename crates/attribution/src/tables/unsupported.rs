//! The table for systems that no other table supports. It compiles everywhere, so that a new
//! platform can start with it.

use super::SocketTable;
use crate::answer::{Capabilities, Error, Ownership, Reason, Snapshot, SocketQuery, Source};

/// A table that knows nothing: every snapshot fails, and every answer is [`Reason::Unsupported`].
#[derive(Debug, Default, Clone, Copy)]
pub struct UnsupportedTable;

impl SocketTable for UnsupportedTable {
    fn source(&self) -> Source {
        Source::None
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        Err(Error::Unsupported {
            os: std::env::consts::OS,
        })
    }

    fn find(&mut self, _query: &SocketQuery) -> Result<Ownership, Error> {
        Ok(Ownership::unknown(
            Reason::Unsupported,
            std::time::SystemTime::now(),
            Source::None,
        ))
    }

    /// Each answer is immediate, while a snapshot fails.
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_point_lookup(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Verdict;

    #[test]
    fn it_says_so() {
        let mut table = UnsupportedTable;
        assert!(matches!(table.snapshot(), Err(Error::Unsupported { .. })));
        let query = SocketQuery::tcp(
            "127.0.0.1:1".parse().unwrap(),
            "127.0.0.1:2".parse().unwrap(),
        );
        assert_eq!(
            table.find(&query).unwrap().verdict,
            Verdict::Unknown(Reason::Unsupported)
        );
    }
}

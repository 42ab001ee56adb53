//! The question and the answer: which sockets a query is about, and who owns them. Pure.

pub(crate) mod devices;
mod error;
mod executable;
pub(crate) mod matching;
mod ownership;
mod process;
pub(crate) mod query;
mod snapshot;
mod socket;
pub(crate) mod surroundings;

pub use error::Error;
pub use executable::{ExeFile, ExeState, NamedFile};
pub use ownership::{Evidence, Match, Ownership, Reason, SocketId, Source, Verdict};
pub use process::{NetworkNamespace, Process, ProcessId, SkippedNamespaces, Unit, UnitKind, User};
pub use query::{ParseQueryError, Protocol, SocketQuery};
pub use snapshot::Snapshot;
pub use socket::{Socket, SocketState};

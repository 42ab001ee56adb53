//! The question and the answer: which sockets a query is about, and who owns them. Pure.

mod capabilities;
pub(crate) mod devices;
mod error;
mod executable;
#[cfg(feature = "serde")]
mod lossy;
pub(crate) mod matching;
mod ownership;
mod port_owners;
mod process;
pub(crate) mod query;
mod reason;
mod snapshot;
mod socket;
mod socket_id;
pub(crate) mod surroundings;
pub(crate) mod text;
mod translated;
pub(crate) mod wildcard;

pub use capabilities::Capabilities;
pub use error::Error;
pub use executable::{ExeFile, ExeState, NamedFile};
pub use ownership::{Evidence, Match, Ownership, Source, Verdict};
pub use port_owners::PortOwners;
pub use process::{
    NetworkNamespace, ParseUserIdError, Process, ProcessId, SkippedNamespaces, Unit, UnitKind,
    User, UserId,
};
pub use query::{ParseQueryError, Protocol, SocketQuery};
pub use reason::Reason;
pub use snapshot::Snapshot;
pub use socket::{Socket, SocketState};
pub use socket_id::{SocketId, SocketNamespace};
pub use text::ParseNameError;
pub use translated::TranslatedFrom;

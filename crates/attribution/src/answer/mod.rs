//! The query and the answer: which sockets a query is about, and who owns them. Pure.
//!
//! Some items serve only tables that know devices, translations or single sockets. Only the Linux
//! table does. On other systems, only tests use them.

mod capabilities;
mod container;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "see above"))]
pub(crate) mod devices;
mod error;
mod executable;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "see above"))]
mod heard;
#[cfg(feature = "serde")]
mod lossy;
pub(crate) mod matching;
pub(crate) mod memberships;
mod ownership;
mod packet_socket;
mod port_owners;
mod process;
pub(crate) mod query;
mod reason;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "see above"))]
mod snapshot;
mod socket;
mod socket_id;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "see above"))]
pub(crate) mod surroundings;
mod tcp_info;
pub(crate) mod text;
mod translated;
pub(crate) mod wildcard;

pub use capabilities::Capabilities;
pub use container::{Container, ContainerDetails, Pod};
pub use error::Error;
pub use executable::{ExeFile, ExeState, NamedFile};
pub use ownership::{Evidence, Match, Ownership, Source, Verdict};
pub use packet_socket::{PacketKind, PacketSocket};
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
pub use tcp_info::TcpInfo;
pub use text::ParseNameError;
pub use translated::TranslatedFrom;

//! Where the other end of a flow is, as far as databases and the registries of IANA tell;
//! [`FlowRecord`](crate::FlowRecord) has it.

pub use flowner_names::geo::{Country, Place as RemotePlace};
pub use flowner_names::ranges::Range as AddressRange;

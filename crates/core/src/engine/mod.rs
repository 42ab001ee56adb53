//! Makes flows with owners from packets and answers. Pure: the caller passes in packets, answers
//! and time, and carries out the resulting effects.

pub(crate) mod broadcasts;
pub(crate) mod claims;
pub(crate) mod comment;
pub(crate) mod convert;
pub(crate) mod devices;
pub(crate) mod ledger;
pub(crate) mod local_addresses;
pub(crate) mod name_input;
pub(crate) mod places;
pub(crate) mod recorded_owners;
pub(crate) mod traffic_history;
pub(crate) mod unnamed;

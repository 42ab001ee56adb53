//! From packets and answers to flows with owners. Pure: packets, answers and time come in; what
//! is to be done comes out.

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

//! The data model: flows, owners, sums, history, reports, events, and the settings for what to
//! keep. Plain data, which depends on no other folder except `system`.

pub(crate) mod community_id;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod flow;
pub(crate) mod grouping;
pub(crate) mod history;
pub(crate) mod names;
pub(crate) mod packet_ref;
pub(crate) mod place;
pub(crate) mod prefix;
pub(crate) mod principal;
pub(crate) mod program;
pub(crate) mod report;
pub(crate) mod retired;
pub(crate) mod selection;
pub(crate) mod stop_handle;
pub mod text;
pub(crate) mod totals;

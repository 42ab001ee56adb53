//! Netlink: bytes, messages, the bare socket, requests and their answers.

pub(crate) mod addresses;
pub(crate) mod closings;
pub(crate) mod conntrack;
pub(crate) mod diag;
pub(crate) mod exchange;
pub(crate) mod executions;
pub(crate) mod frame;
pub(crate) mod interfaces;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod packet_diag;
pub(crate) mod sctp;
pub(crate) mod tcp_info;

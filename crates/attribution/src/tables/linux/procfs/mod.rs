//! The content of `/proc`: sockets, processes, their descriptors and cgroups.

pub(crate) mod cgroup;
pub(crate) mod cpu_time;
pub(crate) mod executable;
pub(crate) mod facts;
mod guarded;
pub(crate) mod igmp;
pub(crate) mod io_uring;
pub(crate) mod mountinfo;
pub(crate) mod namespace_id;
pub(crate) mod net;
pub(crate) mod proc;
pub(crate) mod process_reader;
pub(crate) mod running;
pub(crate) mod stat;

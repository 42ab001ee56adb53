//! Which interfaces of the kernel are used.

use std::path::PathBuf;

/// What a [`LinuxTable`](super::LinuxTable) may use. All of it by default; less makes
/// it do what it does on kernels and mounts that offer less.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one interface of the kernel, there or not"
)]
#[non_exhaustive]
pub struct LinuxOptions {
    /// Where the process file system is mounted. Mounted with `hidepid`, or empty,
    /// other users' processes or all of them stay unnamed.
    pub proc: PathBuf,
    /// Whether sockets are asked for through `sock_diag`, else read from
    /// `/proc/net`, which tells neither cgroup nor cookie.
    pub sock_diag: bool,
    /// Whether the count of descriptors that `/proc/PID/fd` has as its size since
    /// Linux 6.2 tells what changed; else every look reads all descriptors.
    pub descriptor_counts: bool,
    /// Whether the sockets of other network namespaces are looked for too, where
    /// privileges allow.
    pub other_namespaces: bool,
    /// Whether a [fast lookup](crate::capture::FastLookup) has a thread on each CPU that sees what is sent
    /// there, where privileges allow (`CAP_NET_RAW`; `CAP_SYS_NICE` for their priority): it names
    /// processes that exit at once.
    pub send_watchers: bool,
    /// Whether those threads run before all others of their CPU that have no real-time
    /// priority (`SCHED_FIFO`, priority 1; sched(7)), where `CAP_SYS_NICE` allows: more of
    /// those who exit at once are named. They bound the time that they take, but what they
    /// delay is the caller's to decide, so this is off by default. Without it they have a nice
    /// value of -20, as the thread that captures.
    pub realtime: bool,
}

impl Default for LinuxOptions {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            sock_diag: true,
            descriptor_counts: true,
            other_namespaces: true,
            send_watchers: true,
            realtime: false,
        }
    }
}

//! The kernel interfaces that a table uses.

use std::path::PathBuf;

/// The interfaces that a [`LinuxTable`](super::LinuxTable) uses. By default, all but real-time
/// priority. With fewer, it behaves as on a kernel or a mount that offers fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one interface of the kernel, there or not"
)]
#[non_exhaustive]
pub struct LinuxOptions {
    /// Where the process file system is mounted. If it is mounted with `hidepid`, answers name no
    /// processes of other users; if it is empty, none at all.
    pub proc: PathBuf,
    /// Whether the table queries `sock_diag` for sockets. If not, it reads `/proc/net`, which has
    /// neither cgroup nor cookie.
    pub sock_diag: bool,
    /// Whether the table uses the count of descriptors, which is the size of `/proc/PID/fd` since Linux
    /// 6.2, to find processes that changed. If not, every search reads all descriptors.
    pub descriptor_counts: bool,
    /// Whether the table searches other network namespaces, too, where privileges allow.
    pub other_namespaces: bool,
    /// Whether the table has the kernel report which processes execute programs (the process events
    /// connector), where it does. If not, the program of a process that executes several ones one after
    /// the other is known less often.
    pub executions: bool,
    /// Whether a [fast lookup](crate::capture::FastLookup) has send watchers: a thread on each CPU,
    /// which looks up the sender of each first packet, where privileges allow (`CAP_NET_RAW`, and
    /// `CAP_SYS_NICE` for its priority). They find processes that exit at once.
    pub send_watchers: bool,
    /// Whether the send watchers preempt all threads without real-time priority on their CPU
    /// (`SCHED_FIFO`, priority 1; sched(7)), where `CAP_SYS_NICE` allows. Then answers name more
    /// processes that exit at once. The send watchers limit their own time, but they delay other
    /// threads, so this is off by default. Without it they have a nice value of -20, like the
    /// capture thread.
    pub realtime: bool,
}

impl Default for LinuxOptions {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            sock_diag: true,
            descriptor_counts: true,
            other_namespaces: true,
            executions: true,
            send_watchers: true,
            realtime: false,
        }
    }
}

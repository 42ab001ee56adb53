//! Tries each interface of the kernel, and reports what this process may read.

use std::io;

use rustix::thread::CapabilitySet;

use crate::observers::linux::send_watcher;
use crate::permissions::{Fix, Level, Resource, Visibility};
use crate::tables::linux::namespaces::Namespaces;
use crate::tables::linux::netlink::conntrack::{Access, Conntrack};
use crate::tables::linux::netlink::diag::Diag;
use crate::tables::linux::netlink::exchange::Location;
use crate::tables::linux::options::LinuxOptions;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};
use crate::tables::linux::procfs::{mountinfo, proc};

/// The kernel requires both: one to open the directory of another user's descriptors, and one to
/// read the links in it (`proc_fd_permission` and `proc_fd_link` in `fs/proc/fd.c`;
/// `PTRACE_MODE_READ_FSCREDS` in ptrace(2)).
const OF_OTHERS: &[&str] = &["cap_dac_read_search", "cap_sys_ptrace"];
/// Required to enter another network namespace (setns(2)) after the table has found it.
const OF_NETWORKS: &[&str] = &["cap_dac_read_search", "cap_sys_ptrace", "cap_sys_admin"];
/// Required for requests to conntrack (`nfnetlink_rcv` in `net/netfilter/nfnetlink.c`).
const OF_TRANSLATIONS: &[&str] = &["cap_net_admin"];
/// The same capabilities, as sets.
const SEES_OTHERS: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::SYS_PTRACE);
const SEES_NETWORKS: CapabilitySet = SEES_OTHERS.union(CapabilitySet::SYS_ADMIN);

/// Tries every interface.
pub(crate) fn visibility() -> Vec<Visibility> {
    let options = LinuxOptions::default();
    let proc = Proc::open(&options.proc, options.descriptor_counts);
    let mut buffers = ReadBuffers::default();
    match proc {
        Ok(proc) => vec![
            sockets(),
            processes(&proc, &mut buffers),
            networks(&proc, &mut buffers),
            translations(&options),
            priority(),
        ],
        Err(error) => vec![sockets(), no_proc(&error)],
    }
}

fn translations(options: &LinuxOptions) -> Visibility {
    let (level, detail) = match Conntrack::new(&options.proc).access() {
        Access::Nothing => (
            Level::Full,
            "conntrack knows no connection, so this host translates none".to_owned(),
        ),
        Access::Asked => (
            Level::Full,
            "conntrack shows the socket of a translated flow, such as that of a container"
                .to_owned(),
        ),
        Access::Listed => (
            Level::Limited,
            "this process may not query conntrack, so it reads the list in /proc, which takes longer the more \
             connections there are"
                .to_owned(),
        ),
        Access::Denied => (
            Level::Limited,
            "this process may not query conntrack: the owners of flows that this host translates, such as those of \
             containers, stay unknown on its outer devices"
                .to_owned(),
        ),
    };
    let is_denied = matches!(level, Level::Limited);
    Visibility {
        resource: Resource::Translations,
        level,
        detail,
        fix: (is_denied && !has(CapabilitySet::NET_ADMIN)).then_some(capabilities(OF_TRANSLATIONS)),
    }
}

fn priority() -> Visibility {
    let (level, detail) = match send_watcher::try_realtime() {
        Ok(()) => (
            Level::Full,
            "send watchers may run ahead of all other threads (SCHED_FIFO), as flowner asks for"
                .to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!(
                "send watchers may not run ahead of all other threads (SCHED_FIFO needs \
                 cap_sys_nice: {error}): on a busy CPU, more senders exit before the lookup"
            ),
        ),
    };
    Visibility {
        resource: Resource::Priority,
        level,
        detail,
        fix: None,
    }
}

fn sockets() -> Visibility {
    let (level, detail) = match Diag::open(Location::Own) {
        Ok(_) => (
            Level::Full,
            "sock_diag lists all of them, with their users".to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!(
                "sock_diag does not answer ({error}), so /proc/net replaces it, which is slower \
                 and has no cgroups; the kernel module inet_diag may be missing"
            ),
        ),
    };
    Visibility {
        resource: Resource::Sockets,
        level,
        detail,
        fix: None,
    }
}

fn no_proc(error: &io::Error) -> Visibility {
    Visibility {
        resource: Resource::Processes,
        level: Level::Nothing,
        detail: format!("/proc cannot be read: {error}"),
        fix: Some(Fix::Command("mount -t proc proc /proc".to_owned())),
    }
}

fn processes(proc: &Proc, buffers: &mut ReadBuffers) -> Visibility {
    let pids = proc.pids(buffers).unwrap_or_default();
    if pids.is_empty() {
        return no_proc(&io::ErrorKind::NotFound.into());
    }
    let is_denied = |pid: &&u32| {
        let directory = proc.process(**pid);
        let sockets = directory.and_then(|directory| proc.sockets(&directory, buffers));
        sockets.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    let denied = pids.iter().filter(is_denied).count();
    let mode = hiding(proc, buffers);
    let is_hiding = mode.is_some() && !has(CapabilitySet::SYS_PTRACE);
    let (level, detail) = match (denied, mode) {
        (_, Some(mode)) if is_hiding => (
            Level::Limited,
            format!(
                "/proc is mounted with hidepid={mode}, which hides the processes of other users: \
                 only the user of their sockets is known"
            ),
        ),
        (0, _) if proc.has_counts() => (
            Level::Full,
            format!("this process may inspect all {}", pids.len()),
        ),
        (0, _) => (
            Level::Limited,
            format!(
                "this process may inspect all {}; before Linux 6.2, each search reads all of their \
                 descriptors",
                pids.len()
            ),
        ),
        (denied, _) => (
            Level::Limited,
            format!(
                "this process may not inspect {denied} of {}: only the user of their sockets is known",
                pids.len()
            ),
        ),
    };
    let is_hidden = denied > 0 || is_hiding;
    Visibility {
        resource: Resource::Processes,
        level,
        detail,
        fix: (is_hidden && !has(SEES_OTHERS)).then_some(capabilities(OF_OTHERS)),
    }
}

/// Whether this thread has these capabilities in effect, so that raising them would change nothing.
fn has(wanted: CapabilitySet) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

const fn capabilities(names: &'static [&'static str]) -> Fix {
    Fix::Capabilities(names)
}

/// How the mount of `/proc` hides processes (`hidepid`, `proc(5)`), if it does.
fn hiding(proc: &Proc, buffers: &mut ReadBuffers) -> Option<String> {
    let text = proc::read(proc.root(), c"self/mountinfo", usize::MAX, buffers).ok()?;
    let text = String::from_utf8_lossy(text);
    let mounts = mountinfo::mounts(&text);
    // The last mount covers earlier ones.
    let mount = mounts
        .filter(|mount| mount.file_system == "proc" && mount.point == "/proc")
        .last()?;
    let mode = mount.option("hidepid")?;
    (!matches!(mode, "0" | "off")).then(|| mode.to_owned())
}

fn networks(proc: &Proc, buffers: &mut ReadBuffers) -> Visibility {
    let searched = Namespaces::new(proc, true).map(|mut namespaces| {
        namespaces.search(proc, buffers);
        let others = namespaces.others().len();
        (others, namespaces.hides_some(), namespaces.skipped())
    });
    let (level, detail) = match searched {
        Ok((0, false, _)) => (
            Level::Full,
            "there is no other network namespace".to_owned(),
        ),
        Ok((others, false, _)) => (
            Level::Full,
            format!("this process may read {others} other network namespaces"),
        ),
        Ok((_, true, Some(skipped))) => (Level::Limited, skipped.to_string()),
        Ok((_, true, None)) => (
            Level::Limited,
            "this process may not see the network namespaces of all processes: sockets of containers \
             may be missing"
                .to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!("the kernel does not show network namespaces: {error}"),
        ),
    };
    Visibility {
        resource: Resource::NetworkNamespaces,
        level,
        detail,
        fix: (level != Level::Full && !has(SEES_NETWORKS)).then_some(capabilities(OF_NETWORKS)),
    }
}

//! What may be seen: each interface of the kernel is tried.

use std::io;

use rustix::thread::CapabilitySet;

use crate::observers::linux::send_watcher;
use crate::permissions::{Fix, Level, Resource, Visibility};
use crate::tables::linux::namespaces::Namespaces;
use crate::tables::linux::netlink::diag::Diag;
use crate::tables::linux::netlink::exchange::Location;
use crate::tables::linux::options::LinuxOptions;
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers};
use crate::tables::linux::procfs::{mountinfo, proc};

/// Both are asked for by the kernel: to open the directory of another user's descriptors,
/// and to see what they stand for (`proc_fd_permission` and `proc_fd_link` in
/// `fs/proc/fd.c`; `PTRACE_MODE_READ_FSCREDS` in ptrace(2)).
const OF_OTHERS: &[&str] = &["cap_dac_read_search", "cap_sys_ptrace"];
/// To enter another network namespace (setns(2)), after it was found.
const OF_NETWORKS: &[&str] = &["cap_dac_read_search", "cap_sys_ptrace", "cap_sys_admin"];
/// The same, as sets.
const SEES_OTHERS: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::SYS_PTRACE);
const SEES_NETWORKS: CapabilitySet = SEES_OTHERS.union(CapabilitySet::SYS_ADMIN);

/// Tries everything.
pub(crate) fn visibility() -> Vec<Visibility> {
    let options = LinuxOptions::default();
    let proc = Proc::open(&options.proc, options.descriptor_counts);
    let mut buffers = ReadBuffers::default();
    match proc {
        Ok(proc) => vec![
            sockets(),
            processes(&proc, &mut buffers),
            networks(&proc, &mut buffers),
            priority(),
        ],
        Err(error) => vec![sockets(), no_proc(&error)],
    }
}

fn priority() -> Visibility {
    let (level, detail) = match send_watcher::try_realtime() {
        Ok(()) => (
            Level::Full,
            "the threads that look up who sends a first packet may run before all others \
             (SCHED_FIFO), where that is asked for: flowner asks for it"
                .to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!(
                "the threads that look up who sends a first packet may not run before all others \
                 (SCHED_FIFO needs cap_sys_nice: {error}): on a busy CPU, more senders \
                 have exited by then"
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
            "sock_diag tells each of them, with its user".to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!(
                "sock_diag does not answer ({error}): /proc/net is read in its place, which \
                 is slower and tells no cgroups; the kernel's module inet_diag may \
                 be missing"
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
                "/proc is mounted with hidepid={mode}: of other users' processes, only the \
                 user is told"
            ),
        ),
        (0, _) if proc.has_counts() => {
            (Level::Full, format!("all {} may be looked at", pids.len()))
        }
        (0, _) => (
            Level::Limited,
            format!(
                "all {} may be looked at; before Linux 6.2, each look reads all their \
                 descriptors",
                pids.len()
            ),
        ),
        (denied, _) => (
            Level::Limited,
            format!(
                "{denied} of {} may not be looked at: of their sockets, only the user is told",
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

/// Whether this thread uses these: then it has what may be had here.
fn has(wanted: CapabilitySet) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(wanted))
}

const fn capabilities(names: &'static [&'static str]) -> Fix {
    Fix::Capabilities(names)
}

/// How processes are hidden by the mount of `/proc` (`proc(5)`), if they are.
fn hiding(proc: &Proc, buffers: &mut ReadBuffers) -> Option<String> {
    let text = proc::read(proc.root(), c"self/mountinfo", usize::MAX, buffers).ok()?;
    let text = String::from_utf8_lossy(text);
    let mounts = mountinfo::mounts(&text);
    // The last one covers those before.
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
            "all processes are in this network namespace".to_owned(),
        ),
        Ok((others, false, _)) => (
            Level::Full,
            format!("{others} other network namespaces may be looked into"),
        ),
        Ok((_, true, Some(skipped))) => (Level::Limited, skipped.to_string()),
        Ok((_, true, None)) => (
            Level::Limited,
            "not all processes tell theirs: sockets of containers may be missing".to_owned(),
        ),
        Err(error) => (
            Level::Limited,
            format!("network namespaces are not told: {error}"),
        ),
    };
    Visibility {
        resource: Resource::NetworkNamespaces,
        level,
        detail,
        fix: (level != Level::Full && !has(SEES_NETWORKS)).then_some(capabilities(OF_NETWORKS)),
    }
}

//! Capabilities of this thread, which the threads that it starts inherit (capabilities(7)).

use std::io;
use std::path::Path;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

use crate::system::privileges::{Needs, Writes};

/// The names, for `setcap`, of capabilities that a program may keep.
const NAMES: [(CapabilitySet, &str); 8] = [
    (CapabilitySet::DAC_OVERRIDE, "cap_dac_override"),
    (CapabilitySet::DAC_READ_SEARCH, "cap_dac_read_search"),
    (CapabilitySet::NET_ADMIN, "cap_net_admin"),
    (CapabilitySet::NET_RAW, "cap_net_raw"),
    (CapabilitySet::SYS_ADMIN, "cap_sys_admin"),
    (CapabilitySet::SYS_NICE, "cap_sys_nice"),
    (CapabilitySet::SYS_PTRACE, "cap_sys_ptrace"),
    (CapabilitySet::SETUID, "cap_setuid"),
];

/// The capabilities for each need; tests of the command line run without them and show the effect.
pub(super) fn of(needs: &Needs) -> CapabilitySet {
    let mut set = CapabilitySet::empty();
    if needs.owners {
        // Descriptors of other users (`proc_fd_permission` in fs/proc/fd.c), their targets and the
        // executables (`PTRACE_MODE_READ_FSCREDS`, ptrace(2)); other network namespaces (setns(2));
        // translated connections (`nfnetlink_rcv`), and the marks of sockets
        // (`inet_diag_msg_attrs_fill`).
        set |= CapabilitySet::DAC_READ_SEARCH
            | CapabilitySet::SYS_PTRACE
            | CapabilitySet::SYS_ADMIN
            | CapabilitySet::NET_ADMIN;
    }
    if needs.capture {
        // Packet sockets (packet(7)), and the real-time thread that looks up a sender before it
        // exits (sched(7)).
        set |= CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::SYS_NICE;
    }
    set
}

/// Root needs this to write in a directory of another user.
pub(super) fn of_root_writing(writes: &Writes) -> CapabilitySet {
    let is_own = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).is_ok_and(|it| it.uid() == 0 && it.mode() & 0o300 == 0o300)
    };
    match writes {
        Writes::In(path) if !is_own(path) => CapabilitySet::DAC_OVERRIDE,
        _ => CapabilitySet::empty(),
    }
}

pub(super) fn current() -> io::Result<CapabilitySets> {
    Ok(capabilities(None)?)
}

/// Puts these capabilities of this thread in effect, and permits only `permitted`.
pub(super) fn set(effective: CapabilitySet, permitted: CapabilitySet) -> io::Result<()> {
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective,
            permitted,
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// Puts those of these capabilities in effect that the thread is permitted to use.
pub(super) fn set_effective(effective: CapabilitySet) -> io::Result<()> {
    let permitted = current()?.permitted;
    set(effective & permitted, permitted)
}

/// Removes all other capabilities from the bounding set, which limits programs that the thread
/// executes; without `CAP_SETPCAP`, they have to stay.
pub(super) fn bound(kept: CapabilitySet) -> io::Result<()> {
    // Kernels before 4.3 have no ambient set.
    let _no_such_set = clear_ambient_capability_set();
    if !current()?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    // The kernel has no capability above this number.
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match capability_is_in_bounding_set(one) {
            Err(_) => break,
            Ok(true) if !kept.contains(one) => remove_capability_from_bounding_set(one)?,
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The names for `setcap`, sorted.
pub(super) fn names(set: CapabilitySet) -> Vec<String> {
    let mut rest = set;
    let mut names = Vec::new();
    for (one, name) in NAMES {
        if set.contains(one) {
            names.push(name.to_owned());
            rest -= one;
        }
    }
    if !rest.is_empty() {
        names.push(format!("{} others", rest.bits().count_ones()));
    }
    names
}

//! Capabilities of this thread, of which threads that it starts have a copy (capabilities(7)).

use std::io;
use std::path::Path;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

use crate::system::privileges::{Needs, Writes};

/// As `setcap` spells those that can be kept.
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

/// What each need takes; what happens without is in the tests of the command line, which try it.
pub(super) fn of(needs: &Needs) -> CapabilitySet {
    let mut set = CapabilitySet::empty();
    if needs.owners {
        // Descriptors of other users (`proc_fd_permission` in fs/proc/fd.c), what they stand for
        // and which file is executed (`PTRACE_MODE_READ_FSCREDS`, ptrace(2)); other network
        // namespaces (setns(2)); connections that are translated (`nfnetlink_rcv`), and the
        // marks of sockets (`inet_diag_msg_attrs_fill`).
        set |= CapabilitySet::DAC_READ_SEARCH
            | CapabilitySet::SYS_PTRACE
            | CapabilitySet::SYS_ADMIN
            | CapabilitySet::NET_ADMIN;
    }
    if needs.capture {
        // Packet sockets (packet(7)), and the thread that looks at a sender before it goes on
        // (sched(7)).
        set |= CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN | CapabilitySet::SYS_NICE;
    }
    set
}

/// What root needs to write there, whom nothing but this lets write in a directory of others.
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

/// Has this thread use these, and be able to use no others than `permitted`.
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

/// Has this thread use these of those that it can use.
pub(super) fn set_effective(effective: CapabilitySet) -> io::Result<()> {
    let permitted = current()?.permitted;
    set(effective & permitted, permitted)
}

/// Takes all but these from what an executed program could have; who lacks `CAP_SETPCAP` has to
/// leave them there.
pub(super) fn bound(kept: CapabilitySet) -> io::Result<()> {
    // Kernels before 4.3 have no ambient set.
    let _no_such_set = clear_ambient_capability_set();
    if !current()?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    // The kernel knows no more than it says.
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

/// As `setcap` spells them, in the order of the alphabet.
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

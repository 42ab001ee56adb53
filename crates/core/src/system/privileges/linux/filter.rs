//! The filter of system calls (seccomp(2)): which calls the kernel refuses.
//!
//! It lists the refused calls, not the allowed ones. The C library, libpcap, the name services of
//! the host, and window systems choose their calls themselves, and choose others with each release.
//! A list of allowed calls could never be proven complete, and a missing call would show up as a
//! lost owner or a dead window on a user's host. Nothing in this project makes the refused calls.
//!
//! The filter cannot read what a pointer leads to: `openat2(2)`, which compares executables, can
//! open a file for writing though the filter would refuse the same to `openat(2)`.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use super::calls;
use crate::system::privileges::{Needs, Writes};

/// Rules by the number of the call; a call without rules is refused with any arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// A part of the filter: the calls that it refuses, and the error that they get.
struct Part {
    error: i32,
    rules: Rules,
}

/// Installs the filter for all threads; returns whether this platform has such filters.
pub(super) fn enforce(needs: &Needs) -> io::Result<bool> {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(false);
    };
    for part in parts(needs).map_err(io::Error::other)? {
        let error = SeccompAction::Errno(part.error.unsigned_abs());
        let filter = SeccompFilter::new(part.rules, SeccompAction::Allow, error, architecture);
        let program = filter.and_then(BpfProgram::try_from);
        let program = program.map_err(io::Error::other)?;
        match apply_filter_all_threads(&program) {
            Ok(()) => {}
            // This kernel has no filters.
            Err(seccompiler::Error::Seccomp(error))
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EINVAL | libc::ENOSYS | libc::ENODEV)
                ) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(true)
}

fn parts(needs: &Needs) -> Result<Vec<Part>, seccompiler::BackendError> {
    let mut refused = Rules::new();
    let never = calls::NEVER.iter().chain(calls::NEVER_HERE);
    for call in never.chain(calls::NEVER_BY_LIBRARY) {
        refuse(&mut refused, *call);
    }
    if !needs.windows {
        for call in calls::EXECUTE {
            refuse(&mut refused, *call);
        }
        for call in calls::EXECUTE_X32 {
            refused.insert(*call, Vec::new());
        }
    }
    // Only network namespaces, which flowner enters to find the owners of their sockets.
    let other_kind = condition(1, SeccompCmpOp::Ne, calls::NEW_NETWORK)?;
    let setns = if needs.owners {
        vec![SeccompRule::new(vec![other_kind])?]
    } else {
        Vec::new()
    };
    add(&mut refused, libc::SYS_setns, &setns);
    // Threads are allowed, namespaces are not.
    let namespaces = calls::NEW_NAMESPACES.iter();
    let namespaces = namespaces.map(|flag| masked(0, *flag));
    add(
        &mut refused,
        libc::SYS_clone,
        &namespaces.collect::<Result<Vec<_>, _>>()?,
    );
    signals(&mut refused)?;
    if needs.writes == Writes::Nowhere {
        writes(&mut refused)?;
    }
    let mut unknown = Rules::new();
    // The flags of `clone3` are behind a pointer; if the kernel refuses it, the C library calls
    // clone(2).
    add(&mut unknown, libc::SYS_clone3, &[]);
    let mut foreign = Rules::new();
    let mut families = vec![
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
    ];
    if needs.capture || needs.owners {
        families.push(libc::AF_PACKET);
    }
    let others = families.into_iter();
    let others = others.map(|it| condition(0, SeccompCmpOp::Ne, u64::from(it.unsigned_abs())));
    let others = SeccompRule::new(others.collect::<Result<Vec<_>, _>>()?)?;
    add(&mut foreign, libc::SYS_socket, &[others]);
    Ok(vec![
        Part {
            error: libc::EPERM,
            rules: refused,
        },
        Part {
            error: libc::ENOSYS,
            rules: unknown,
        },
        // The error of a kernel without these protocols; libpcap tries them one by one.
        Part {
            error: libc::EAFNOSUPPORT,
            rules: foreign,
        },
    ])
}

/// Signals to other processes are refused.
fn signals(refused: &mut Rules) -> Result<(), seccompiler::BackendError> {
    let own = u64::from(std::process::id());
    let other = || condition(0, SeccompCmpOp::Ne, own);
    // Its own group is the shell's job, which Ctrl-Z stops.
    let no_group = condition(0, SeccompCmpOp::Ne, 0)?;
    let kill = SeccompRule::new(vec![other()?, no_group])?;
    add(refused, libc::SYS_kill, &[kill]);
    add(
        refused,
        libc::SYS_tgkill,
        &[SeccompRule::new(vec![other()?])?],
    );
    Ok(())
}

/// Calls that make, change or remove files are refused.
fn writes(refused: &mut Rules) -> Result<(), seccompiler::BackendError> {
    for call in calls::CHANGE.iter().chain(calls::CHANGE_HERE) {
        refuse(refused, *call);
    }
    let mut opens = vec![(libc::SYS_openat, 2)];
    opens.extend(calls::OPEN_HERE.iter().map(|call| (*call, 1)));
    for (call, flags) in opens {
        let mode = u64::from(libc::O_ACCMODE.unsigned_abs());
        let way = |way: i32| {
            let value = u64::from(way.unsigned_abs());
            let is_so = condition(flags, SeccompCmpOp::MaskedEq(mode), value)?;
            SeccompRule::new(vec![is_so])
        };
        let rules = [
            way(libc::O_WRONLY)?,
            way(libc::O_RDWR)?,
            masked(flags, libc::O_CREAT)?,
            masked(flags, libc::O_TRUNC)?,
        ];
        add(refused, call, &rules);
    }
    Ok(())
}

fn condition(
    argument: u8,
    compared: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compared, value)
}

/// The condition that an argument has a flag.
fn masked(argument: u8, flag: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = u64::from(flag.cast_unsigned());
    let has = condition(argument, SeccompCmpOp::MaskedEq(flag), flag)?;
    SeccompRule::new(vec![has])
}

fn refuse(rules: &mut Rules, call: i64) {
    add(rules, call, &[]);
}

/// The call, and its other numbers.
fn add(rules: &mut Rules, call: i64, its: &[SeccompRule]) {
    rules.insert(call, its.to_vec());
    if let Some(twin) = calls::twin(call) {
        rules.insert(twin, its.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_can_be_compiled() {
        let directory = Writes::In("/tmp".into());
        for needs in [
            Needs::nothing(),
            Needs::owners(),
            Needs::capture(),
            Needs::capture().writing(directory),
            Needs::capture().writing(Writes::AsUser).with_windows(),
        ] {
            let architecture = TargetArch::try_from(std::env::consts::ARCH).unwrap();
            for part in parts(&needs).unwrap() {
                let error = SeccompAction::Errno(part.error.unsigned_abs());
                let allow = SeccompAction::Allow;
                let filter = SeccompFilter::new(part.rules, allow, error, architecture).unwrap();
                // `BPF_MAXINSNS` in include/uapi/linux/bpf_common.h.
                assert!(BpfProgram::try_from(filter).unwrap().len() <= 4_096);
            }
        }
    }
}

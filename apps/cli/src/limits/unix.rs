//! Limits of resources (getrlimit(2)).
#![allow(
    unsafe_code,
    reason = "limits of resources have no safe interface in the library"
)]

/// The number of descriptors: for captures, for netlink sockets, for files of `/proc`, and for
/// network namespaces.
const LEAST_FILES: libc::rlim_t = 64;
/// Bytes of the main thread's stack; below 256 KiB, it overflows while arguments are parsed.
const LEAST_STACK: u64 = 512 << 10;
/// One part in so many of the address space is data: the rest is reserved, or shared with the kernel.
const DATA: u64 = 2;

/// Reports if the main thread's stack is too small.
pub(super) fn check_stack() -> Result<(), String> {
    match stack() {
        Some(limit) if bytes(limit.rlim_cur) < LEAST_STACK => Err(format!(
            "the stack may have only {} KiB, and this needs {}; allow more (`ulimit -s`)",
            bytes(limit.rlim_cur) / 1024,
            LEAST_STACK / 1024
        )),
        _ => Ok(()),
    }
}

/// Raises the limit of descriptors as far as possible, and reports limits that are too low.
pub(super) fn check(least_memory: u64) -> Result<(), String> {
    // If a limit cannot be read, that is no reason not to begin.
    if let Some(mut files) = files() {
        if files.rlim_cur < files.rlim_max {
            let all = libc::rlimit {
                rlim_cur: files.rlim_max,
                ..files
            };
            // SAFETY: `all` is an rlimit that lives through the call.
            if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const all) } == 0 {
                files = all;
            }
        }
        if files.rlim_cur < LEAST_FILES {
            return Err(format!(
                "only {} files may be open at a time, and this needs {LEAST_FILES}; allow more \
                 (`ulimit -n`)",
                files.rlim_cur
            ));
        }
    }
    enough(address_space(), least_memory, "address space", "-v")?;
    enough(data(), least_memory / DATA, "data", "-d")
}

/// Reports a limit that leaves fewer bytes than needed.
fn enough(limit: Option<u64>, least: u64, what: &str, option: &str) -> Result<(), String> {
    match limit {
        Some(limit) if limit < least => Err(format!(
            "only {} KiB of {what} may be used, and this needs {}; allow more (`ulimit {option}`)",
            limit / 1024,
            least / 1024
        )),
        _ => Ok(()),
    }
}

const NONE: libc::rlimit = libc::rlimit {
    rlim_cur: 0,
    rlim_max: 0,
};

/// The available bytes of address space, as far as the limit of data lets the program use them.
pub(super) fn memory() -> Option<u64> {
    let by_data = data().map(|data| data.saturating_mul(DATA));
    address_space().into_iter().chain(by_data).min()
}

/// The types differ between systems.
#[allow(
    clippy::unnecessary_fallible_conversions,
    clippy::useless_conversion,
    reason = "it is an u64 on Linux"
)]
fn bytes(limit: libc::rlim_t) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

fn files() -> Option<libc::rlimit> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (result == 0).then_some(limit)
}

fn stack() -> Option<libc::rlimit> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    (result == 0).then_some(limit)
}

/// The available bytes of private memory that can be written: on Linux, of all of it, with the stacks of
/// threads (`may_expand_vm` in mm/mmap.c).
fn data() -> Option<u64> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_DATA, &raw mut limit) };
    (result == 0).then(|| bytes(limit.rlim_cur))
}

#[cfg(not(target_os = "openbsd"))]
fn address_space() -> Option<u64> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    (result == 0).then(|| bytes(limit.rlim_cur))
}

/// OpenBSD limits the data of a process, not its address space (getrlimit(2)).
#[cfg(target_os = "openbsd")]
const fn address_space() -> Option<u64> {
    None
}

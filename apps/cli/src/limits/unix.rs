//! Limits of resources (getrlimit(2)).
#![allow(
    unsafe_code,
    reason = "limits of resources have no safe interface in the library"
)]

/// Descriptors: of captures, of sockets that ask the kernel, of files of `/proc`, and of network
/// namespaces.
const LEAST_FILES: libc::rlim_t = 64;
/// Bytes of address space: of the stacks of threads, of what the kernel captures into, and of what
/// is kept.
const LEAST_MEMORY: libc::rlim_t = 128 << 20;

/// Lets this program have as many descriptors as it may, and says what is too little.
pub(super) fn check() -> Result<(), String> {
    // Whether a limit can be told at all is no reason not to begin.
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
    if let Some(memory) = memory()
        && memory.rlim_cur < LEAST_MEMORY
    {
        return Err(format!(
            "only {} KiB of address space may be used, and this needs {}; allow more (`ulimit -v`)",
            memory.rlim_cur / 1024,
            LEAST_MEMORY / 1024
        ));
    }
    Ok(())
}

const NONE: libc::rlimit = libc::rlimit {
    rlim_cur: 0,
    rlim_max: 0,
};

fn files() -> Option<libc::rlimit> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (result == 0).then_some(limit)
}

fn memory() -> Option<libc::rlimit> {
    let mut limit = NONE;
    // SAFETY: `limit` is an rlimit that lives through the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    (result == 0).then_some(limit)
}

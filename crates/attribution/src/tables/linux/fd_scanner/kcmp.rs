//! Compares the descriptor tables of two threads (kcmp(2)).
#![allow(unsafe_code, reason = "no crate in use calls kcmp(2)")]

use std::cmp::Ordering;
use std::io;

/// `KCMP_FILES` in `include/uapi/linux/kcmp.h`.
const FILES: libc::c_int = 2;

/// The kernel's order of the descriptor tables of two threads, by their ids.
///
/// # Errors
/// If one thread has exited or may not be inspected, or the kernel has no such call.
pub(crate) fn descriptor_tables(one: u32, other: u32) -> io::Result<Ordering> {
    let (one, other) = (one.cast_signed(), other.cast_signed());
    // SAFETY: the call takes only numbers, and ignores the two unused ones.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, FILES, 0_usize, 0_usize) } {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        -1 => Err(io::Error::last_os_error()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_their_descriptors() {
        let id = || {
            rustix::thread::gettid()
                .as_raw_nonzero()
                .get()
                .unsigned_abs()
        };
        let (first, own) = (std::process::id(), id());
        let compared = descriptor_tables(first, own);
        let Ok(compared) = compared else {
            flowner_testing::skipped!("kcmp(2): {compared:?}");
            return;
        };
        assert_eq!(compared, Ordering::Equal);
        let thread = std::thread::spawn(move || {
            // SAFETY: this thread does not use the descriptors of other threads.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            let own = id();
            (
                descriptor_tables(first, own).unwrap(),
                descriptor_tables(own, first).unwrap(),
            )
        });
        let (one, other) = thread.join().unwrap();
        assert_ne!(one, Ordering::Equal);
        assert_eq!(one, other.reverse());
        assert!(descriptor_tables(first, u32::MAX / 2).is_err());
    }
}

//! The calls that only the oldest ABI of this processor has, and those of its third one, x32.

/// Added to the number of each call that x32 shares (`__X32_SYSCALL_BIT`).
const X32: i64 = 0x4000_0000;

/// The number of the same call in x32.
#[expect(clippy::unnecessary_wraps, reason = "other processors have none")]
pub(in crate::system::privileges::platform) const fn twin(call: i64) -> Option<i64> {
    Some(call | X32)
}

/// See `super::NEVER`; the last line has the x32 numbers of `ptrace`, `rt_sigqueueinfo`,
/// `process_vm_readv`, `process_vm_writev` and `kexec_load` (`syscall_64.tbl`).
pub(in crate::system::privileges::platform) const NEVER: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_mknod,
    libc::SYS_uselib,
    libc::SYS__sysctl,
    libc::SYS_modify_ldt,
    521,
    524,
    539,
    540,
    528,
];

/// The x32 numbers of `execve` and `execveat`.
pub(in crate::system::privileges::platform) const EXECUTE_X32: &[i64] = &[X32 + 520, X32 + 545];

/// See `super::CHANGE`.
pub(in crate::system::privileges::platform) const CHANGE: &[i64] = &[
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_creat,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];

/// Calls that open files by path alone.
pub(in crate::system::privileges::platform) const OPEN: &[i64] = &[libc::SYS_open];

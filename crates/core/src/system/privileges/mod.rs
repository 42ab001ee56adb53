//! Giving up privileges: for programs, which ask for it; no library does it by itself.
//!
//! A program calls [`Privileges::set_aside`] first of all, while it has one thread, reads what its
//! user names, and then [`Privileges::keep`]s what its work needs. From then on every thread that
//! it starts has these privileges and no others.
//!
//! # Whose rights files are opened with
//!
//! | started by | until `keep`, and for files of users | after `keep` |
//! |---|---|---|
//! | a user, with file capabilities | the user, no capability in effect | the same; [`raised`] puts those in effect that were kept |
//! | a user, a file of root with the set-user-ID bit | the user, whatever the environment says | the same, as with file capabilities |
//! | `sudo`, `pkexec`, `run0` | the user who called them | the same user, with the capabilities that were kept |
//! | root itself | root | root, with the capabilities that were kept |
//! | a user | the user | the user |
//!
//! # What each platform does
//!
//! Linux: capabilities (`capabilities(7)`) in all five sets, `no_new_privs`, a filter of system
//! calls (`seccomp(2)`), and Landlock (`landlock(7)`) where nobody looks at other processes:
//! a process under Landlock's rules may not inspect processes that are not, not even to read what
//! `/proc` tells of them (`hook_ptrace_access_check` in `security/landlock/task.c`).
//!
//! Elsewhere nothing is given up, and [`in_force`] says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// What a program's work needs, beside what every program may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Needs {
    /// Sockets and processes of all users are looked at, in all network namespaces.
    pub owners: bool,
    /// Devices are captured from. They are opened again when they come back, so this right is
    /// kept until the program ends.
    pub capture: bool,
    /// Where files are written.
    pub writes: Writes,
    /// There are windows: the program may start others, such as a dialog, which inherit nothing.
    pub windows: bool,
}

impl Needs {
    /// What a program needs that does nothing but read what is open, and write to what is open.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// To look at the sockets and processes of all users.
    pub fn owners() -> Self {
        Self {
            owners: true,
            ..Self::default()
        }
    }

    /// To capture, and to look at the sockets and processes of all users.
    pub fn capture() -> Self {
        Self {
            owners: true,
            capture: true,
            ..Self::default()
        }
    }

    /// The same, and files are written.
    #[must_use]
    pub fn writing(self, writes: Writes) -> Self {
        Self { writes, ..self }
    }

    /// The same, with windows.
    #[must_use]
    pub fn with_windows(self) -> Self {
        Self {
            windows: true,
            ..self
        }
    }
}

/// Where a program writes files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Writes {
    /// Nowhere; what is open already, such as standard output, stays writable.
    #[default]
    Nowhere,
    /// In this directory, which exists.
    In(PathBuf),
    /// Wherever its user may.
    AsUser,
}

/// Why privileges could not be given up.
#[derive(Debug, thiserror::Error)]
#[error("privileges could not be given up: {what}: {source}")]
pub struct PrivilegeError {
    /// What the system refused.
    what: &'static str,
    /// What it says.
    source: io::Error,
}

/// Privileges that are set aside, until it is clear which of them are needed.
#[derive(Debug)]
pub struct Privileges {
    platform: platform::SetAside,
}

impl Privileges {
    /// Sets all privileges aside, so that what is read from now on is read with the rights of the
    /// user: of the user who called `sudo`, whose home then is `HOME`, too.
    ///
    /// To be called first, while the process has one thread.
    ///
    /// # Errors
    /// When the system refuses; the program should end then.
    pub fn set_aside() -> Result<Self, PrivilegeError> {
        let platform = platform::SetAside::new()?;
        Ok(Self { platform })
    }

    /// Does what is done with all rights that the program was started with, where root called it,
    /// also by `sudo`; those that a file gives to the user who starts it stay aside.
    pub fn with_rights_of_root<T>(&self, work: impl FnOnce() -> T) -> T {
        self.platform.with_rights_of_root(work)
    }

    /// Gives up all but what is needed, for good. What the kernel does not offer is left out, as
    /// [`in_force`] tells.
    ///
    /// To be called while the process has one thread.
    ///
    /// # Errors
    /// When the system refuses; the program should end then.
    pub fn keep(self, needs: &Needs) -> Result<(), PrivilegeError> {
        self.platform.keep(needs)?;
        tracing::info!("privileges: {}", in_force());
        Ok(())
    }

    /// Gives up nothing that root gave, and has the kernel filter nothing, for debugging. File
    /// capabilities that are not needed are given up all the same: they must not open files.
    ///
    /// # Errors
    /// As for [`keep`](Self::keep).
    pub fn keep_without_sandbox(self, needs: &Needs) -> Result<(), PrivilegeError> {
        self.platform.keep_without_sandbox(needs)?;
        tracing::info!("privileges, without a sandbox: {}", in_force());
        Ok(())
    }
}

/// Does work with the rights of the user alone, on this thread: for files that the user can
/// change. Does nothing else where no program gave privileges up.
pub fn with_rights_of_user<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Lowered::new();
    work()
}

/// Does work with no capability in effect that was kept: for files that the user names. Unlike
/// [`with_rights_of_user`], it stays root's where only root may write and `sudo` called. Does
/// nothing else where no program gave privileges up.
pub fn without_capabilities<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Lowered::of_capabilities();
    work()
}

/// Does work with all capabilities in effect that were kept; threads that it starts have them,
/// too. Does nothing else where no program gave privileges up.
pub fn raised<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Raised::new();
    work()
}

/// What protects this process, as the system tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InForce {
    /// Names of the capabilities that it may use, as `setcap` spells them.
    pub capabilities: Vec<String>,
    /// Whether programs that it starts can have no more privileges (`no_new_privs`).
    pub no_new_privileges: bool,
    /// Whether a filter keeps it from system calls.
    pub filters_calls: bool,
    /// What Landlock keeps it from.
    pub landlock: Layer,
    /// What is given up nowhere on this platform.
    pub is_known: bool,
}

/// Whether a part of the sandbox is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// It is.
    InForce,
    /// It is in force as far as this kernel knows it.
    InPart,
    /// It is not, and why.
    Not(&'static str),
}

impl InForce {
    /// Whether all is in force that can be for the work.
    pub fn is_whole(&self) -> bool {
        self.is_known && self.no_new_privileges && self.filters_calls
    }
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known {
            return f.write_str("nothing is given up on this platform");
        }
        match self.capabilities.as_slice() {
            [] => f.write_str("no capabilities")?,
            names => f.write_str(&names.join(","))?,
        }
        let yes = |is| if is { "yes" } else { "no" };
        write!(
            f,
            "; no_new_privs: {}; system call filter: {}; Landlock: ",
            yes(self.no_new_privileges),
            yes(self.filters_calls)
        )?;
        match self.landlock {
            Layer::InForce => f.write_str("yes"),
            Layer::InPart => f.write_str("in part"),
            Layer::Not(why) => write!(f, "no ({why})"),
        }
    }
}

/// What is in force now.
pub fn in_force() -> InForce {
    platform::in_force()
}

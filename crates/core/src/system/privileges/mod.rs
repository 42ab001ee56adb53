//! Giving up privileges: for programs, which call this; no library does it by itself.
//!
//! A program first calls [`Privileges::set_aside`], while it has one thread, then reads the files
//! that its user names, and then [`Privileges::keep`]s what its work needs. From then on, every
//! thread that it starts has these privileges and no others.
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
//! calls (`seccomp(2)`), and Landlock (`landlock(7)`) in programs that do not inspect other
//! processes: a process under Landlock's rules may not inspect a process without them, not even
//! read its entries in `/proc` (`hook_ptrace_access_check` in `security/landlock/task.c`).
//!
//! Other platforms give up nothing, and [`in_force`] says so.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod platform;

/// The rights that a program's work needs, in addition to those that every program has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Needs {
    /// To look up the sockets and processes of all users, in all network namespaces.
    pub owners: bool,
    /// To capture from devices. The program reopens devices that come back, so it keeps this right
    /// until it ends.
    pub capture: bool,
    /// Where the program writes files.
    pub writes: Writes,
    /// The program has windows: it may start other programs, such as a dialog, which inherit no
    /// privileges.
    pub windows: bool,
}

impl Needs {
    /// For a program that only reads open files, and writes to open files.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// To look up the sockets and processes of all users.
    pub fn owners() -> Self {
        Self {
            owners: true,
            ..Self::default()
        }
    }

    /// To capture, and to look up the sockets and processes of all users.
    pub fn capture() -> Self {
        Self {
            owners: true,
            capture: true,
            ..Self::default()
        }
    }

    /// The same, and to write files.
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
    /// Nowhere; open files, such as standard output, stay writable.
    #[default]
    Nowhere,
    /// In this directory, which exists.
    In(PathBuf),
    /// Anywhere that its user may.
    AsUser,
}

/// Why the program could not give up privileges.
#[derive(Debug, thiserror::Error)]
#[error("privileges could not be given up: {what}: {source}")]
pub struct PrivilegeError {
    /// The step that the system refused.
    what: &'static str,
    /// The error of the system.
    source: io::Error,
}

/// Privileges that are set aside until the program knows which of them it needs.
#[derive(Debug)]
pub struct Privileges {
    platform: platform::SetAside,
}

impl Privileges {
    /// Sets all privileges aside, so that the process reads files with the rights of its user from
    /// now on: those of the user who called `sudo`, whose home then is `HOME`, too.
    ///
    /// The program calls this first, while it has one thread.
    ///
    /// # Errors
    /// When the system refuses; the program should end then.
    pub fn set_aside() -> Result<Self, PrivilegeError> {
        let platform = platform::SetAside::new()?;
        Ok(Self { platform })
    }

    /// Runs work with all rights of root if root started the program, also by `sudo`; privileges
    /// that the file gives to its user stay aside.
    pub fn with_rights_of_root<T>(&self, work: impl FnOnce() -> T) -> T {
        self.platform.with_rights_of_root(work)
    }

    /// Gives up all privileges that the needs do not include, for good. Features that the kernel
    /// lacks stay off; [`in_force`] reports them.
    ///
    /// The process must have one thread.
    ///
    /// # Errors
    /// When the system refuses; the program should end then.
    pub fn keep(self, needs: &Needs) -> Result<(), PrivilegeError> {
        self.platform.keep(needs)?;
        tracing::info!("privileges: {}", in_force());
        Ok(())
    }

    /// Keeps everything that root gave, and installs no filter, for debugging. It does give up file
    /// capabilities that the program does not need: they must not open files.
    ///
    /// # Errors
    /// As for [`keep`](Self::keep).
    pub fn keep_without_sandbox(self, needs: &Needs) -> Result<(), PrivilegeError> {
        self.platform.keep_without_sandbox(needs)?;
        tracing::info!("privileges, without a sandbox: {}", in_force());
        Ok(())
    }
}

/// Runs work with the rights of the user alone, on this thread: for files that the user can change.
/// If the program gave up no privileges, it only runs the work.
pub fn with_rights_of_user<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Lowered::new();
    work()
}

/// Runs work without kept capabilities in effect: for files that the user names. Unlike
/// [`with_rights_of_user`], the thread stays root's if only root may write there and `sudo` called.
/// If the program gave up no privileges, it only runs the work.
pub fn without_capabilities<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Lowered::of_capabilities();
    work()
}

/// Runs work with all kept capabilities in effect; threads that it starts have them, too. If the
/// program gave up no privileges, it only runs the work.
pub fn raised<T>(work: impl FnOnce() -> T) -> T {
    let _until_here = platform::Raised::new();
    work()
}

/// The protection of this process, as the system reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InForce {
    /// Names of the permitted capabilities, for `setcap`.
    pub capabilities: Vec<String>,
    /// Whether the process and its children can never gain privileges (`no_new_privs`).
    pub no_new_privileges: bool,
    /// Whether a filter refuses system calls.
    pub filters_calls: bool,
    /// The state of Landlock.
    pub landlock: Layer,
    /// Whether this program can give up privileges on this platform.
    pub is_known: bool,
}

/// The state of a part of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// It is in force.
    InForce,
    /// It is in force as far as this kernel supports it.
    InPart,
    /// It is off, for this reason.
    Not(&'static str),
}

impl InForce {
    /// Whether everything is in force that this work allows.
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

/// The current protection of this process.
pub fn in_force() -> InForce {
    platform::in_force()
}

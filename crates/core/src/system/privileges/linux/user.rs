//! The user who called `sudo`, with groups and home directory.
#![allow(unsafe_code, reason = "the environment of the process is changed")]

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::getgrouplist;
use rustix::process::{Gid, Uid, getgid, getgroups, getuid};

/// The calling user.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    home: Option<PathBuf>,
}

/// The maximum number of groups of a user (`NGROUPS_MAX` in limits.h).
const MAX_GROUPS: usize = 65_536;

impl User {
    /// The user who started a file of root with the set-user-ID bit; `None` if root did. All of it
    /// comes from the kernel, as that user controls the environment.
    pub(super) fn real() -> io::Result<Option<Self>> {
        let uid = getuid();
        if uid.is_root() {
            return Ok(None);
        }
        Ok(Some(Self {
            uid,
            gid: getgid(),
            groups: getgroups()?,
            home: known(uid.as_raw()).map(|it| it.dir),
        }))
    }

    /// The user who called the program that made this process root's; `None` if root did itself.
    /// The variables of sudo(8), run0(1) and pkexec(1) have the user. Only these programs, and
    /// root, can set them: the real user id is root's, too.
    pub(super) fn calling() -> Option<Self> {
        let variables = ["SUDO_UID", "PKEXEC_UID"];
        let uid = variables.into_iter().find_map(number)?;
        let uid = Some(uid).filter(|it| !matches!(*it, 0 | u32::MAX))?;
        let known = known(uid);
        let gid = number("SUDO_GID").or(known.as_ref().map(|it| it.gid.as_raw()));
        // A user without a known group gets the group id of no group, not root's.
        let gid = Gid::from_raw(gid.filter(|gid| *gid != u32::MAX).unwrap_or(65_534));
        let mut groups = known.as_ref().map(|it| groups(it, gid)).unwrap_or_default();
        if groups.is_empty() {
            groups.push(gid);
        }
        Some(Self {
            uid: Uid::from_raw(uid),
            gid,
            groups,
            home: known.map(|it| it.dir),
        })
    }

    /// Sets `HOME` to the user's home if it is root's, as `sudo` leaves it: flowner reads the
    /// settings and icons of the user then.
    pub(super) fn move_in(&self) {
        let Some(home) = &self.home else {
            return;
        };
        let is_roots = match std::env::var_os("HOME") {
            None => true,
            Some(home) => known(0).is_some_and(|root| root.dir == Path::new(&home)),
        };
        if is_roots {
            // SAFETY: There is only one thread yet; `Privileges::set_aside` demands that.
            unsafe { std::env::set_var("HOME", home) };
        }
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A user's entry in the user databases (getpwuid(3), with LDAP and systemd).
fn known(uid: u32) -> Option<nix::unistd::User> {
    nix::unistd::User::from_uid(uid.into()).ok().flatten()
}

/// The groups of a user, and one more (getgrouplist(3)).
fn groups(user: &nix::unistd::User, gid: Gid) -> Vec<Gid> {
    let groups = CString::new(user.name.as_bytes())
        .map(|name| getgrouplist(&name, gid.as_raw().into()).unwrap_or_default())
        .unwrap_or_default();
    let groups = groups.into_iter().take(MAX_GROUPS);
    groups.map(|gid| Gid::from_raw(gid.as_raw())).collect()
}

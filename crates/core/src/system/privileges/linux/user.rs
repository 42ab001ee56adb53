//! Who called `sudo`, and what belongs to them.
#![allow(unsafe_code, reason = "no crate in use asks for a user's groups")]

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use rustix::process::{Gid, Uid, getgid, getgroups, getuid};

/// Who called.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    home: Option<PathBuf>,
}

/// Groups that a user can be in (`NGROUPS_MAX` in limits.h).
const MAX_GROUPS: usize = 65_536;

impl User {
    /// Whoever started a file of root that has the set-user-ID bit; `None` where root did. The
    /// kernel tells all of them; what their environment says is theirs.
    pub(super) fn real() -> io::Result<Option<Self>> {
        let uid = getuid();
        if uid.is_root() {
            return Ok(None);
        }
        Ok(Some(Self {
            uid,
            gid: getgid(),
            groups: getgroups()?,
            home: PasswdEntry::of(uid.as_raw()).map(|it| it.home),
        }))
    }

    /// Whoever called the program that made this process root's; `None` where root did itself.
    /// The variables of sudo(8), run0(1) and pkexec(1) say it, which those set and whoever is
    /// root can: the real user id is root's, too.
    pub(super) fn calling() -> Option<Self> {
        let variables = ["SUDO_UID", "PKEXEC_UID"];
        let uid = variables.into_iter().find_map(number)?;
        let uid = Some(uid).filter(|it| !matches!(*it, 0 | u32::MAX))?;
        let known = PasswdEntry::of(uid);
        let gid = number("SUDO_GID").or(known.as_ref().map(|it| it.gid));
        // Who has no group is in the one that nobody has, and not in root's.
        let gid = Gid::from_raw(gid.filter(|gid| *gid != u32::MAX).unwrap_or(65_534));
        let mut groups = known.as_ref().map(|it| it.groups(gid)).unwrap_or_default();
        if groups.is_empty() {
            groups.push(gid);
        }
        Some(Self {
            uid: Uid::from_raw(uid),
            gid,
            groups,
            home: known.map(|it| it.home),
        })
    }

    /// Makes `HOME` the user's, where it is root's, as `sudo` leaves it: settings and icons are
    /// the user's then.
    pub(super) fn move_in(&self) {
        let Some(home) = &self.home else {
            return;
        };
        let is_roots = match std::env::var_os("HOME") {
            None => true,
            Some(home) => PasswdEntry::of(0).is_some_and(|root| root.home == OsStr::new(&home)),
        };
        if is_roots {
            // SAFETY: There is one thread yet, as `Privileges::set_aside` demands.
            unsafe { std::env::set_var("HOME", home) };
        }
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What the databases of users tell (getpwuid(3), which knows those of LDAP and systemd, too).
struct PasswdEntry {
    name: OsString,
    gid: u32,
    home: PathBuf,
}

impl PasswdEntry {
    fn of(uid: u32) -> Option<Self> {
        let mut buffer = vec![0; 16_384];
        // SAFETY: A structure of numbers and pointers, for which zeros are values.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = ptr::null_mut();
        // SAFETY: All pointers lead to what lives until the call has returned; the length is that
        // of the buffer.
        let error = unsafe {
            libc::getpwuid_r(
                uid,
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        if error != 0 || found.is_null() || entry.pw_name.is_null() || entry.pw_dir.is_null() {
            return None;
        }
        // SAFETY: Strings that end, in the buffer.
        let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
        Some(Self {
            name: OsStr::from_bytes(name.to_bytes()).to_owned(),
            gid: entry.pw_gid,
            home: OsStr::from_bytes(home.to_bytes()).into(),
        })
    }

    fn groups(&self, gid: Gid) -> Vec<Gid> {
        let Ok(name) = std::ffi::CString::new(self.name.as_bytes()) else {
            return Vec::new();
        };
        let mut groups = vec![0; 64];
        loop {
            let Ok(mut count) = libc::c_int::try_from(groups.len()) else {
                return Vec::new();
            };
            // SAFETY: The name ends, and the count is that of the groups there is room for.
            let written = unsafe {
                libc::getgrouplist(
                    name.as_ptr(),
                    gid.as_raw(),
                    groups.as_mut_ptr(),
                    &raw mut count,
                )
            };
            if written >= 0 {
                let count = usize::try_from(count).unwrap_or_default();
                let groups = groups.into_iter().take(count);
                return groups.map(Gid::from_raw).collect();
            }
            if groups.len() >= MAX_GROUPS {
                return Vec::new();
            }
            groups.resize(groups.len() * 4, 0);
        }
    }
}

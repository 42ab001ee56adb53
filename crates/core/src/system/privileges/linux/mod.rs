//! Linux: capabilities(7), credentials(7), seccomp(2), landlock(7).

mod calls;
mod capabilities;
mod filter;
mod rules;
mod user;

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{
    DumpableBehavior, Gid, Uid, geteuid, getgid, getgroups, set_dumpable_behavior,
};
use rustix::thread::{
    CapabilitySet, SecureComputingMode, no_new_privs, secure_computing_mode, set_keep_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use self::user::User;
use super::{InForce, Layer, Needs, PrivilegeError, Writes};

/// How a thread switches from the rights for its work to the rights of the user.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It puts no capability in effect.
    Capabilities,
    /// It becomes the user who called `sudo`, for a while.
    User(Uid),
}

/// Set after the process set aside privileges that its user does not have.
static WAY: OnceLock<Way> = OnceLock::new();
/// The result of Landlock.
static LANDLOCK: OnceLock<Layer> = OnceLock::new();

#[derive(Debug)]
pub(super) struct SetAside {
    started_by: StartedBy,
}

/// The source of the privileges.
#[derive(Debug)]
enum StartedBy {
    /// There are none.
    User,
    /// The file has capabilities.
    UserOfCapabilities,
    Root,
    /// Root owns the file, which has the set-user-ID bit: any user may have started it, so it opens
    /// nothing as root.
    UserOfRootsFile(User),
    /// `sudo` or the like; with the former groups of root.
    Caller {
        user: User,
        gid: Gid,
        groups: Vec<Gid>,
    },
}

const ROOT: Uid = Uid::ROOT;

/// Adds the name of the step that the system refused.
fn refused<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> PrivilegeError {
    move |source| PrivilegeError {
        what,
        source: source.into(),
    }
}

impl SetAside {
    pub(super) fn new() -> Result<Self, PrivilegeError> {
        if !geteuid().is_root() {
            return Self::of_user();
        }
        let groups = getgroups().map_err(refused("the groups"))?;
        let gid = getgid();
        if let Some(user) = User::real().map_err(refused("the groups"))? {
            act_for(&user)?;
            let started_by = StartedBy::UserOfRootsFile(user);
            return Ok(Self { started_by });
        }
        let Some(user) = User::calling() else {
            return Ok(Self {
                started_by: StartedBy::Root,
            });
        };
        act_for(&user)?;
        Ok(Self {
            started_by: StartedBy::Caller { user, gid, groups },
        })
    }

    fn of_user() -> Result<Self, PrivilegeError> {
        let permitted = capabilities::current()
            .map_err(refused("the capabilities"))?
            .permitted;
        if permitted.is_empty() {
            return Ok(Self {
                started_by: StartedBy::User,
            });
        }
        capabilities::set(CapabilitySet::empty(), permitted)
            .map_err(refused("capabilities that are not in effect"))?;
        let _once = WAY.set(Way::Capabilities);
        Ok(Self {
            started_by: StartedBy::UserOfCapabilities,
        })
    }

    pub(super) fn with_rights_of_root<T>(&self, work: impl FnOnce() -> T) -> T {
        let _until_here = match &self.started_by {
            StartedBy::Caller { user, .. } => Some(AsRoot::new(user.uid)),
            _ => None,
        };
        work()
    }

    pub(super) fn keep(self, needs: &Needs) -> Result<(), PrivilegeError> {
        self.keep_capabilities(needs)?;
        set_no_new_privs(true).map_err(refused("no_new_privs"))?;
        let landlock = if needs.owners {
            Layer::Not("it would hide all other processes")
        } else {
            rules::enforce(&needs.writes)
                .map_err(|error| refused("Landlock")(io::Error::other(error)))?
        };
        let _once = LANDLOCK.set(landlock);
        let is_filtered = filter::enforce(needs).map_err(refused("the system call filter"))?;
        if !is_filtered {
            tracing::warn!("this system filters no system calls");
        }
        Ok(())
    }

    fn keep_capabilities(&self, needs: &Needs) -> Result<(), PrivilegeError> {
        let kept = capabilities::of(needs);
        let as_root = || kept | capabilities::of_root_writing(&needs.writes);
        let none = CapabilitySet::empty();
        match &self.started_by {
            StartedBy::User => return Ok(()),
            StartedBy::UserOfCapabilities => hold(none, kept)?,
            StartedBy::Root => hold(as_root(), as_root())?,
            StartedBy::UserOfRootsFile(user) => become_for_good(user, kept)?,
            StartedBy::Caller { user, .. } if may_write(&needs.writes) => {
                become_for_good(user, kept)?;
            }
            // To write in a directory that only root may write to.
            StartedBy::Caller { user, .. } => {
                set_thread_res_uid(None, ROOT, None).map_err(refused("root's id"))?;
                hold(as_root(), as_root())?;
                let _once = WAY.set(Way::User(user.uid));
            }
        }
        // Other processes with the same user id cannot read its memory; a core dump would contain
        // packets.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("secrecy"))
    }

    pub(super) fn keep_without_sandbox(self, needs: &Needs) -> Result<(), PrivilegeError> {
        let _once = LANDLOCK.set(Layer::Not("--no-sandbox"));
        match &self.started_by {
            StartedBy::User | StartedBy::Root => Ok(()),
            StartedBy::UserOfCapabilities => hold(CapabilitySet::empty(), capabilities::of(needs)),
            StartedBy::UserOfRootsFile(user) => become_for_good(user, capabilities::of(needs)),
            StartedBy::Caller { gid, groups, .. } => {
                set_thread_res_uid(ROOT, ROOT, ROOT).map_err(refused("root's id"))?;
                set_thread_res_gid(*gid, *gid, *gid).map_err(refused("root's group"))?;
                set_thread_groups(groups).map_err(refused("root's groups"))
            }
        }
    }
}

/// Makes root's process act for a user until [`SetAside::keep`].
fn act_for(user: &User) -> Result<(), PrivilegeError> {
    set_thread_groups(&user.groups).map_err(refused("the caller's groups"))?;
    set_thread_res_gid(user.gid, user.gid, user.gid).map_err(refused("the caller's group"))?;
    // The saved user id is still root's, so the capabilities stay permitted, and none is in effect.
    set_thread_res_uid(user.uid, user.uid, ROOT).map_err(refused("the caller's id"))?;
    user.move_in();
    Ok(())
}

/// Keeps these of the existing capabilities.
fn hold(effective: CapabilitySet, kept: CapabilitySet) -> Result<(), PrivilegeError> {
    capabilities::bound(kept).map_err(refused("the bounding set"))?;
    let current = capabilities::current().map_err(refused("the capabilities"))?;
    let kept = kept & current.permitted;
    capabilities::set(effective & kept, kept).map_err(refused("fewer capabilities"))
}

/// Root becomes the calling user, with these capabilities permitted and none in effect.
fn become_for_good(user: &User, kept: CapabilitySet) -> Result<(), PrivilegeError> {
    set_thread_res_uid(None, ROOT, None).map_err(refused("root's id"))?;
    capabilities::bound(kept).map_err(refused("the bounding set"))?;
    set_keep_capabilities(true).map_err(refused("to keep capabilities"))?;
    set_thread_res_uid(user.uid, user.uid, user.uid).map_err(refused("the caller's id"))?;
    set_keep_capabilities(false).map_err(refused("to keep no capabilities"))?;
    hold(CapabilitySet::empty(), kept)?;
    let _once = WAY.set(Way::Capabilities);
    Ok(())
}

/// Whether the user for whom this thread acts may write there.
fn may_write(writes: &Writes) -> bool {
    let may = |path: &Path| {
        let access = Access::WRITE_OK | Access::EXEC_OK;
        accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
    };
    match writes {
        Writes::In(path) => may(path),
        Writes::Nowhere | Writes::AsUser => true,
    }
}

/// If root called, this thread has root's id until the drop.
struct AsRoot(Uid);

impl AsRoot {
    fn new(user: Uid) -> Self {
        if let Err(error) = set_thread_res_uid(None, ROOT, None) {
            tracing::warn!(%error, "root's rights could not be had");
        }
        Self(user)
    }
}

impl Drop for AsRoot {
    fn drop(&mut self) {
        act_as(self.0);
    }
}

/// Makes this thread act for another user; aborts if it fails, as no work may go on with wrong
/// rights.
fn act_as(user: Uid) {
    if let Err(error) = set_thread_res_uid(None, user, None) {
        tracing::error!(%error, "a thread could not change whom it acts for");
        std::process::abort();
    }
}

/// This thread has the user's rights until the drop.
#[derive(Debug)]
pub(super) struct Lowered(Before);

/// The former rights of the thread.
#[derive(Debug)]
enum Before {
    Nothing,
    Capabilities(CapabilitySet),
    Root,
}

impl Lowered {
    pub(super) fn new() -> Self {
        Self(match WAY.get() {
            Some(Way::User(user)) if geteuid().is_root() => {
                act_as(*user);
                Before::Root
            }
            Some(Way::Capabilities) => {
                Before::Capabilities(use_of_capabilities(|_| CapabilitySet::empty()))
            }
            _ => Before::Nothing,
        })
    }
}

impl Lowered {
    /// Takes the kept capabilities out of effect; the user for whom the thread acts stays.
    pub(super) fn of_capabilities() -> Self {
        match WAY.get() {
            Some(Way::Capabilities) => Self::new(),
            Some(Way::User(_)) | None => Self(Before::Nothing),
        }
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        match self.0 {
            Before::Nothing => {}
            Before::Capabilities(effective) => {
                use_of_capabilities(|_| effective);
            }
            Before::Root => act_as(ROOT),
        }
    }
}

/// Puts the capabilities in effect that the function chooses from the permitted ones; returns the
/// former ones.
fn use_of_capabilities(choose: impl FnOnce(CapabilitySet) -> CapabilitySet) -> CapabilitySet {
    let chosen = capabilities::current().and_then(|sets| {
        let effective = choose(sets.permitted);
        if effective != sets.effective {
            capabilities::set_effective(effective)?;
        }
        Ok(sets.effective)
    });
    chosen.unwrap_or_else(|error| {
        tracing::error!(%error, "a thread could not change which capabilities it uses");
        std::process::abort()
    })
}

/// This thread has all kept capabilities in effect until the drop.
#[derive(Debug)]
pub(super) struct Raised(Option<CapabilitySet>);

impl Raised {
    pub(super) fn new() -> Self {
        Self(match WAY.get() {
            Some(Way::Capabilities) => Some(use_of_capabilities(|permitted| permitted)),
            Some(Way::User(_)) | None => None,
        })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(effective) = self.0 {
            use_of_capabilities(|_| effective);
        }
    }
}

pub(super) fn in_force() -> InForce {
    let permitted = capabilities::current().map(|sets| sets.permitted);
    InForce {
        capabilities: permitted.map(capabilities::names).unwrap_or_default(),
        no_new_privileges: no_new_privs().unwrap_or_default(),
        filters_calls: filters_calls(),
        landlock: LANDLOCK
            .get()
            .cloned()
            .unwrap_or(Layer::Not("nothing was given up")),
        is_known: true,
    }
}

/// Whether the process has a filter of system calls: `PR_GET_SECCOMP` of prctl(2), which needs no `/proc`.
fn filters_calls() -> bool {
    matches!(secure_computing_mode(), Ok(SecureComputingMode::Filter))
}

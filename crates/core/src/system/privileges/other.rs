//! Platforms without support: no privileges are given up.

use super::{InForce, Layer, Needs, PrivilegeError};

#[derive(Debug)]
pub(super) struct SetAside;

#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "other platforms need both"
)]
impl SetAside {
    pub(super) fn new() -> Result<Self, PrivilegeError> {
        Ok(Self)
    }

    pub(super) fn with_rights_of_root<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn keep(self, _: &Needs) -> Result<(), PrivilegeError> {
        Ok(())
    }

    pub(super) fn keep_without_sandbox(self, _: &Needs) -> Result<(), PrivilegeError> {
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Lowered;

impl Lowered {
    pub(super) const fn new() -> Self {
        Self
    }

    pub(super) const fn of_capabilities() -> Self {
        Self
    }
}

#[derive(Debug)]
pub(super) struct Raised;

impl Raised {
    pub(super) const fn new() -> Self {
        Self
    }
}

pub(super) const fn in_force() -> InForce {
    InForce {
        capabilities: Vec::new(),
        no_new_privileges: false,
        filters_calls: false,
        landlock: Layer::Not("another platform"),
        is_known: false,
    }
}

//! The owners of connections that have closed.

use std::sync::Arc;
use std::time::Instant;

use super::FdScanner;
use crate::answer::Process;

impl FdScanner {
    /// Remembers the owners of a connection; see [`Index::remember`].
    pub(crate) fn remember(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index()
            .recent_owners
            .remember(cookie, owners, Instant::now());
    }

    /// Forgets the owners of a connection; see [`Index::forget`].
    pub(crate) fn forget(&self, cookie: u64, owners: &[Arc<Process>]) {
        self.index().recent_owners.forget(cookie, owners);
    }

    /// The owners of a connection that has closed.
    pub(crate) fn remembered(&self, cookie: u64) -> Vec<Arc<Process>> {
        self.index().recent_owners.remembered(cookie).to_vec()
    }
}

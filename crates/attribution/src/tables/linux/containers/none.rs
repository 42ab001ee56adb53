//! Without the feature `containers`, the library reads no file about a container, and the container
//! has only its id.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::Unit;

/// How long a lookup waits for the facts about containers: there are none.
pub(crate) const PATIENCE: Duration = Duration::ZERO;
/// How long a list of all sockets waits for them.
pub(crate) const LIST_PATIENCE: Duration = Duration::ZERO;

/// Knows nothing of containers.
#[derive(Debug)]
pub(crate) struct Containers;

#[expect(clippy::unused_self, reason = "the interface is that of the feature")]
impl Containers {
    /// The containers of this system.
    pub(crate) fn of_system() -> Arc<Self> {
        Arc::new(Self)
    }

    /// The unit without a change.
    pub(crate) fn with_details(&self, unit: Unit, _group: &str) -> Unit {
        unit
    }

    /// Returns at once.
    pub(crate) fn wait(&self, _patience: Duration) {}
}

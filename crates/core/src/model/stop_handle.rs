//! Stops a monitor from elsewhere.

use std::sync::Arc;

/// Stops a monitor from elsewhere, such as the thread of a signal handler or of a
/// [sink](crate::Sink).
#[derive(Clone)]
pub struct StopHandle(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StopHandle").finish_non_exhaustive()
    }
}

impl StopHandle {
    pub(crate) fn new(stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(stop))
    }

    /// Ends the input, and returns at once; the monitor's report stays available. A second call
    /// does nothing.
    pub fn stop(&self) {
        (self.0)();
    }
}

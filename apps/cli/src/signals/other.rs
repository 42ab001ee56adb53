//! Where there are no signals.

/// Files have no such limit.
pub(crate) const fn tell_limits() {}

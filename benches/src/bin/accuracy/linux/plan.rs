//! How a case is played.

/// How often, and by how many at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) count: usize,
    pub(crate) at_once: usize,
}

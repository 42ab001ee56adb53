//! The modes of the demo; without the feature `demo`, there are none.

use serde::{Deserialize, Serialize};

/// The mode of the demo.
#[cfg(any(test, feature = "demo"))]
#[cfg_attr(docsrs, doc(cfg(feature = "demo")))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demo {
    /// Ten minutes of the past, then live traffic without end.
    #[default]
    Live,
    /// Ten minutes of one day, at once; always the same.
    Recorded,
}

#[cfg(any(test, feature = "demo"))]
impl Demo {
    /// Whether its packets arrive as they happen.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// There is no demo without the feature `demo`.
#[cfg(not(any(test, feature = "demo")))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Demo {}

#[cfg(not(any(test, feature = "demo")))]
impl Demo {
    pub(crate) const fn is_live(self) -> bool {
        match self {}
    }
}

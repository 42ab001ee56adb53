//! Without the feature `render`, documents stay as they are.

use super::Icon;

impl Icon {
    /// The same.
    #[expect(clippy::unnecessary_wraps, reason = "what is drawn may fail")]
    pub(crate) fn rendered(&self, _size: u32) -> Option<Self> {
        Some(self.clone())
    }
}

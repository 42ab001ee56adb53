//! Selects flows, for folders that do not know the filter language.

use std::fmt;
use std::sync::Arc;

use super::flow::FlowRecord;

/// Selects flows; by default all. Two are equal if they have the same text.
#[derive(Clone, Default)]
pub(crate) struct Selection {
    /// `None` if everything is selected.
    chosen: Option<Chosen>,
}

#[derive(Clone)]
struct Chosen {
    text: Arc<str>,
    passes: Arc<dyn Fn(&FlowRecord) -> bool + Send + Sync>,
}

impl Selection {
    /// Selects the flows for which `chosen` holds. Different selections have different texts.
    pub(crate) fn new(
        text: String,
        passes: impl Fn(&FlowRecord) -> bool + Send + Sync + 'static,
    ) -> Self {
        let chosen = Chosen {
            text: text.into(),
            passes: Arc::new(passes),
        };
        Self {
            chosen: Some(chosen),
        }
    }

    /// Whether it selects this flow.
    pub(crate) fn matches(&self, flow: &FlowRecord) -> bool {
        let chosen = self.chosen.as_ref();
        chosen.is_none_or(|chosen| (chosen.passes)(flow))
    }

    /// Whether it selects every flow, because it has no condition.
    pub(crate) const fn is_everything(&self) -> bool {
        self.chosen.is_none()
    }

    fn text(&self) -> Option<&str> {
        self.chosen.as_ref().map(|chosen| &*chosen.text)
    }
}

impl PartialEq for Selection {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Selection {}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Selection").field(&self.text()).finish()
    }
}

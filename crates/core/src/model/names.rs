//! Whom a flow talks to, by name.

use std::sync::Arc;

pub use flowner_names::{AskedBy, HostName, Name, Source as NameSource};

/// The names that a flow has to do with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowNames {
    /// The name of the remote end, with its evidence. `None` if nothing tells it, or if several are
    /// possible and nothing tells which.
    pub remote: Option<HostName>,
    /// Other names that the remote address has.
    pub others: Vec<Name>,
    /// What is asked for in a flow of DNS: the first names, at most
    /// [`MAX_QUESTIONS`](Self::MAX_QUESTIONS), in the order in which they came.
    pub questions: Vec<Name>,
}

impl FlowNames {
    /// Questions that are kept of one flow. A flow of DNS mostly has one or two.
    pub const MAX_QUESTIONS: usize = 8;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.remote.is_none() && self.others.is_empty() && self.questions.is_empty()
    }

    /// All names of the remote end, the one that the flow is about first.
    pub fn of_remote(&self) -> impl Iterator<Item = &Name> {
        let first = self.remote.iter().map(|remote| &remote.name);
        first.chain(&self.others)
    }

    /// What is left where the other end is the remote one: the questions.
    pub(crate) fn without_remote(&self) -> Option<Arc<Self>> {
        let questions = self.questions.clone();
        let rest = Self {
            questions,
            ..Self::default()
        };
        rest.shared()
    }

    /// As a record has it: without a place if there is none.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (!self.is_empty()).then(|| Arc::new(self))
    }
}

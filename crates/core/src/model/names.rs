//! The names of a flow.

use std::sync::Arc;

pub use flowner_names::{AskedBy, HostName, Name, Source as NameSource};

/// The names of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowNames {
    /// The name of the remote end, with its evidence. `None` if it is unknown, or if several are
    /// possible.
    pub remote: Option<HostName>,
    /// Other names that the remote address has, each with its evidence.
    pub others: Vec<HostName>,
    /// The names that a flow of DNS requests: the first ones, at most
    /// [`MAX_QUESTIONS`](Self::MAX_QUESTIONS), in order.
    pub questions: Vec<Name>,
}

impl FlowNames {
    /// The number of requested names that one flow keeps. A flow of DNS usually has one or two.
    pub const MAX_QUESTIONS: usize = 8;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.remote.is_none() && self.others.is_empty() && self.questions.is_empty()
    }

    /// All names of the remote end, with the one that the flow is about first.
    pub fn of_remote(&self) -> impl Iterator<Item = &Name> {
        let first = self.remote.iter().map(|remote| &remote.name);
        first.chain(self.others.iter().map(|other| &other.name))
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

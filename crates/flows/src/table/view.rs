//! The flows of a table, for readers on other threads.

use super::FlowTable;
use crate::Flow;
use crate::chunked::View;

/// The flows of a table at one point in time.
#[derive(Debug)]
pub struct TableView<T = ()> {
    flows: View<Option<Flow<T>>>,
}

impl<T> TableView<T> {
    /// All flows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Flow<T>> {
        let flows = self.flows.iter().flatten();
        flows.filter(|flow| !flow.is_empty())
    }
}

impl<T: Clone + Default> FlowTable<T> {
    /// All flows as they are now, for a reader on another thread. This copies no flow. While the
    /// view exists, counting a packet copies a few.
    pub fn view(&mut self) -> TableView<T> {
        TableView {
            flows: self.lists.view(),
        }
    }
}

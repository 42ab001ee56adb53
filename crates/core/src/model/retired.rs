//! The sums of flows that are not listed any more: of all, and of the selected ones. Pure.

use crate::model::flow::FlowRecord;
use crate::model::principal::Principal;
use crate::model::selection::Selection;
use crate::model::totals::{Breakdowns, BreakdownsView, Totals};

/// The sums of flows that left the list.
#[derive(Debug)]
pub(crate) struct Retired {
    all: Breakdowns,
    /// The flows that stay listed after they have ended.
    selection: Selection,
    /// The sums of selected flows that left the full list; `None` if everything is selected, where
    /// `all` has them.
    passing: Option<Breakdowns>,
}

/// The sums at one point in time.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetiredView {
    pub(crate) all: BreakdownsView,
    selection: Selection,
    passing: Option<BreakdownsView>,
}

impl Retired {
    /// Empty sums, with at most `groups` groups.
    pub(crate) fn new(selection: Selection, groups: usize) -> Self {
        let passing = (!selection.is_everything()).then(|| Breakdowns::new(groups));
        Self {
            all: Breakdowns::new(groups),
            selection,
            passing,
        }
    }

    /// The flows that stay listed after they have ended.
    pub(crate) const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Counts a flow that leaves the list, or never was in it.
    pub(crate) fn count(&mut self, flow: &FlowRecord) {
        self.all.count(flow);
        if let Some(passing) = &mut self.passing
            && self.selection.matches(flow)
        {
            passing.count(flow);
        }
    }

    /// As [`count`](Self::count), for a flow that is not selected.
    pub(crate) fn count_other(&mut self, flow: &FlowRecord) {
        self.all.count(flow);
    }

    /// As they are now. This copies none of the sums.
    pub(crate) fn view(&mut self) -> RetiredView {
        RetiredView {
            all: self.all.view(),
            selection: self.selection.clone(),
            passing: self.passing.as_mut().map(Breakdowns::view),
        }
    }
}

impl RetiredView {
    /// The sums of the selected flows, and the totals of flows that may or may not be selected:
    /// this can match them only when they leave the list.
    pub(crate) fn select(&self, selection: &Selection) -> (Self, Totals) {
        if selection.is_everything() {
            return (self.clone(), Totals::default());
        }
        match &self.passing {
            Some(passing) if self.selection == *selection => {
                let selected = Self {
                    all: passing.clone(),
                    ..self.clone()
                };
                (selected, Totals::default())
            }
            _ => (Self::default(), self.all.total),
        }
    }

    /// Empty sums, and the totals of one principal.
    pub(crate) fn of_principal(&self, principal: &Principal) -> (Self, Totals) {
        let totals = self.all.programs.totals(principal).unwrap_or_default();
        (Self::default(), totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::filter::Filter;
    use crate::samples::flow;

    #[test]
    fn selected_flows_have_separate_sums() {
        let filter = Filter::parse("bytes>1000").unwrap();
        let select = |view: &RetiredView, filter: &Filter| view.select(&Selection::from(filter));
        let mut retired = Retired::new(Selection::from(&filter), 10);
        let mut large = flow(1);
        large.sent.bytes = 2_000;
        retired.count(&large);
        retired.count(&flow(2));
        retired.count_other(&flow(3));
        let retired = retired.view();
        assert_eq!(retired.all.total.flows, 3);
        let (selected, unsearched) = select(&retired, &filter);
        assert_eq!((selected.all.total.flows, unsearched.flows), (1, 0));
        assert_eq!(selected.all.total.sent.bytes, 2_000);
        // The same filter again selects the same.
        let (again, unsearched) = select(&selected, &filter);
        assert_eq!((again.all.total.flows, unsearched.flows), (1, 0));
        let (all, unsearched) = select(&retired, &Filter::default());
        assert_eq!((all.all.total.flows, unsearched.flows), (3, 0));
        // The sums for another filter are unknown.
        let (none, unsearched) = select(&retired, &Filter::parse("port:443").unwrap());
        assert_eq!((none.all.total.flows, unsearched.flows), (0, 3));
        let (none, unsearched) = retired.of_principal(&flow(1).principal);
        assert_eq!((none.all.total.flows, unsearched.flows), (0, 3));
    }
}

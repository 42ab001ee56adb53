//! Flows that are not listed any more: what they add up to, all of them and those that are
//! chosen. Pure.

use crate::model::flow::FlowRecord;
use crate::model::principal::Principal;
use crate::model::selection::Selection;
use crate::model::totals::{Breakdowns, BreakdownsView, Totals};

/// The sums of flows that left the list.
#[derive(Debug)]
pub(crate) struct Retired {
    all: Breakdowns,
    /// Which flows are listed once they have ended.
    selection: Selection,
    /// Those that passed it and left the list, as there was no place; `None` where everything
    /// passes, which is `all`.
    passing: Option<Breakdowns>,
}

/// Those sums at one point in time.
#[derive(Debug, Clone, Default)]
pub(crate) struct RetiredView {
    pub(crate) all: BreakdownsView,
    selection: Selection,
    passing: Option<BreakdownsView>,
}

impl Retired {
    /// None yet, with so many groups at most.
    pub(crate) fn new(selection: Selection, groups: usize) -> Self {
        let passing = (!selection.is_everything()).then(|| Breakdowns::new(groups));
        Self {
            all: Breakdowns::new(groups),
            selection,
            passing,
        }
    }

    /// Which flows are listed once they have ended.
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

    /// As [`count`](Self::count), of a flow that is not chosen.
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
    /// Those that are chosen, and what all add up to of which that cannot be known: only
    /// while they leave the list can they be matched.
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

    /// None, and what those of one principal add up to.
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
    fn those_that_pass_are_added_up_apart() {
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
        // Of another filter nobody knows.
        let (none, unsearched) = select(&retired, &Filter::parse("port:443").unwrap());
        assert_eq!((none.all.total.flows, unsearched.flows), (0, 3));
        let (none, unsearched) = retired.of_principal(&flow(1).principal);
        assert_eq!((none.all.total.flows, unsearched.flows), (0, 3));
    }
}

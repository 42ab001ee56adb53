//! The lines of a tab, the selected one, and the visible ones.

use super::{Column, Motion, State, sort};
use crate::live::data::{Data, Item, Node, RowId};

/// One line of a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) id: RowId,
    /// The depth below a root.
    pub(crate) depth: u8,
    /// Whether the rows below it are visible; `None` if there are none.
    pub(crate) is_open: Option<bool>,
    pub(crate) target: Target,
}

/// The position of a line's row in the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Node(usize),
    Child(usize, usize),
    NodeItem(usize, usize),
    ChildItem(usize, usize, usize),
    Item(usize),
}

impl State {
    /// Makes the lines anew, after the data or their order changed. The selected row stays
    /// selected.
    pub(super) fn rebuild(&mut self) {
        let Some(data) = &self.data else { return };
        let mut lines = Vec::new();
        if let Some(roots) = self.roots() {
            self.add_roots(data, roots, &mut lines);
        } else {
            for place in self.order_items(data, &data.items) {
                lines.push(leaf(data.items[place].id, 0, Target::Item(place)));
            }
            lines.sort_by_key(|line| self.rank(line.id));
        }
        self.lines = lines;
        self.keep_in_view();
    }

    fn add_roots(&self, data: &Data, roots: &[Node], lines: &mut Vec<Line>) {
        let mut order = self.order_nodes(roots);
        order.sort_by_key(|place| self.rank(roots[*place].id));
        for root in order {
            let node = &roots[root];
            let is_open = self.toggled.contains(&node.id);
            lines.push(branch(node, 0, is_open, Target::Node(root)));
            if !is_open {
                continue;
            }
            for child in self.order_nodes(&node.nodes) {
                let process = &node.nodes[child];
                let is_open = !self.toggled.contains(&process.id);
                lines.push(branch(process, 1, is_open, Target::Child(root, child)));
                if is_open {
                    self.add_items(data, &process.items, 2, lines, |item| {
                        Target::ChildItem(root, child, item)
                    });
                }
            }
            self.add_items(data, &node.items, 1, lines, |item| {
                Target::NodeItem(root, item)
            });
        }
    }

    fn add_items(
        &self,
        data: &Data,
        items: &[Item],
        depth: u8,
        lines: &mut Vec<Line>,
        target: impl Fn(usize) -> Target,
    ) {
        for item in self.order_items(data, items) {
            lines.push(leaf(items[item].id, depth, target(item)));
        }
    }

    /// Indices in the order of the tab; equal rows keep their order.
    fn order_nodes(&self, nodes: &[Node]) -> Vec<usize> {
        let view = self.view();
        sort::order(nodes, view.is_descending, |node| {
            sort::of_node(node, view.sort, self.shows_names)
        })
    }

    fn order_items(&self, data: &Data, items: &[Item]) -> Vec<usize> {
        let view = self.view();
        // The name of a flow is its remote end.
        let column = match view.sort {
            Column::Name | Column::Count | Column::Owners | Column::Trend => {
                Column::Of(flowner_core::present::Column::Remote)
            }
            column => column,
        };
        sort::order_items(data, items, (column, view.is_descending), self.shows_names)
    }

    /// Frozen rows come first, in the order in which the user froze them.
    fn rank(&self, id: RowId) -> usize {
        let place = self.frozen.iter().position(|frozen| *frozen == id);
        place.unwrap_or(self.frozen.len())
    }

    /// The number of lines at the top that stay in place: the frozen ones and those below them.
    pub(super) fn frozen_lines(&self) -> usize {
        if self.frozen.is_empty() {
            return 0;
        }
        let rest = self
            .lines
            .iter()
            .position(|line| line.depth == 0 && !self.frozen.contains(&line.id));
        rest.unwrap_or(self.lines.len())
    }

    /// The root above a line.
    pub(super) fn root_of(&self, line: usize) -> RowId {
        let above = self.lines[..=line].iter().rev();
        let root = above.clone().find(|line| line.depth == 0);
        root.map_or(self.lines[line].id, |root| root.id)
    }

    /// Selects a row if none is selected. Returns whether it replaced one that is gone, which the
    /// user did not choose.
    pub(super) fn select_something(&mut self) -> bool {
        if self.selected_line().is_some() {
            return false;
        }
        let is_lost = self.view().is_lost;
        self.go(if is_lost { Motion::Down } else { Motion::First });
        is_lost
    }

    pub(super) fn go(&mut self, motion: Motion) {
        let Some(last) = self.lines.len().checked_sub(1) else {
            return;
        };
        let page = usize::from(self.areas().rows.height.saturating_sub(1)).max(1);
        let view = self.view();
        let vacated = Some(view.place.min(last)).filter(|_| view.is_lost);
        let next = match (self.selected_line(), motion) {
            (None, Motion::Up) if view.is_lost => view.place.saturating_sub(1).min(last),
            // The row below it is there now.
            (None, Motion::Down | Motion::Left | Motion::Right) if vacated.is_some() => {
                vacated.unwrap_or(0)
            }
            (_, Motion::First) | (None, Motion::Up | Motion::Down | Motion::PageUp) => 0,
            (_, Motion::Last) => last,
            (None, _) => page.min(last),
            (Some(place), Motion::Up) => place.saturating_sub(1),
            (Some(place), Motion::Down) => (place + 1).min(last),
            (Some(place), Motion::PageUp) => place.saturating_sub(page),
            (Some(place), Motion::PageDown) => (place + page).min(last),
            (Some(place), Motion::Left | Motion::Right) => place,
        };
        self.select(next);
    }

    pub(super) fn select(&mut self, place: usize) {
        let id = self.lines[place].id;
        let view = self.view_mut();
        view.selected = Some(id);
        view.place = place;
        view.is_lost = false;
    }

    /// Opens a row with others below it; shows details of any other.
    pub(super) fn toggle(&mut self) {
        if self.select_something() {
            return;
        }
        let Some(line) = self.selected_line().map(|place| self.lines[place]) else {
            return;
        };
        if line.is_open.is_none() {
            self.shows_details = !self.shows_details;
            return;
        }
        self.flip(line.id);
    }

    fn flip(&mut self, id: RowId) {
        if !self.toggled.remove(&id) {
            self.toggled.insert(id);
        }
        self.rebuild();
    }

    pub(super) fn open(&mut self) {
        if self.select_something() {
            return;
        }
        let Some(line) = self.selected_line().map(|place| self.lines[place]) else {
            return;
        };
        match line.is_open {
            Some(false) => self.flip(line.id),
            // Goes to the first row below.
            Some(true) => self.go(Motion::Down),
            None => self.shows_details = true,
        }
    }

    /// Closes the row, or goes to its parent.
    pub(super) fn close(&mut self) {
        let Some(place) = self.selected_line() else {
            return;
        };
        let line = self.lines[place];
        if self.shows_details && line.is_open.is_none() {
            self.shows_details = false;
        } else if line.is_open == Some(true) {
            self.flip(line.id);
        } else if line.depth > 0 {
            let parent = self.lines[..place]
                .iter()
                .rposition(|above| above.depth < line.depth);
            self.select(parent.unwrap_or(place));
        }
    }

    /// Opens all roots, or closes them if all are open.
    pub(super) fn open_all(&mut self) {
        let roots = self.lines.iter().filter(|line| line.depth == 0);
        let closed: Vec<RowId> = roots
            .clone()
            .filter(|line| line.is_open == Some(false))
            .map(|line| line.id)
            .collect();
        if closed.is_empty() {
            let open: Vec<RowId> = roots.map(|line| line.id).collect();
            self.toggled.retain(|id| !open.contains(id));
        } else {
            self.toggled.extend(closed);
        }
        self.rebuild();
    }

    /// Scrolls as little as needed: the selected row keeps its place on the screen while it is
    /// visible.
    pub(super) fn keep_in_view(&mut self) {
        let selected = self.selected_line();
        if let Some(place) = selected {
            self.view_mut().place = place;
        } else if self.view().selected.is_some() {
            // It is gone. Another row has its place now, which a key for the first one must not
            // open.
            let view = self.view_mut();
            view.selected = None;
            view.is_lost = true;
        }
        let areas = self.areas();
        let frozen = usize::from(areas.frozen.height);
        let height = usize::from(areas.rows.height);
        let last_offset = self.lines.len().saturating_sub(frozen + height);
        let mut offset = self.view().offset.min(last_offset);
        if let Some(place) = selected.and_then(|place| place.checked_sub(frozen)) {
            offset = offset.min(place);
            if height > 0 && place >= offset + height {
                offset = place + 1 - height;
            }
        }
        self.view_mut().offset = offset;
    }
}

fn branch(node: &Node, depth: u8, is_open: bool, target: Target) -> Line {
    Line {
        id: node.id,
        depth,
        is_open: node.opens().then_some(is_open),
        target,
    }
}

const fn leaf(id: RowId, depth: u8, target: Target) -> Line {
    Line {
        id,
        depth,
        is_open: None,
        target,
    }
}

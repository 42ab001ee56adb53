//! The state of the view. Pure: [`State::update`] takes a message, and returns the effect.

mod layout;
mod mouse;
mod prompt;
mod rows;
mod sort;

use std::collections::HashSet;

use flowner_core::{Filter, present};
use ratatui::layout::{Position, Rect};

use super::columns::{Column, Spec, Tab, places};
use super::data::{Data, Item, Node, RowId};
pub(crate) use layout::{Areas, NOTICE_MARGIN};
pub(crate) use prompt::Prompt;
pub(crate) use rows::{Line, Target};

/// An event.
#[derive(Debug)]
pub(crate) enum Message {
    /// A second has passed, or the request changed.
    Data(Box<Data>),
    Resized(u16, u16),
    Quit,
    Suspend,
    Redraw,
    Move(Motion),
    /// At a position of the screen.
    Click(Position),
    /// This many lines down.
    Scroll(isize),
    Tab(Tab),
    NextTab,
    PreviousTab,
    Toggle,
    Open,
    OpenAll,
    Close,
    Details,
    SortNext,
    SortPrevious,
    Reverse,
    Freeze,
    /// Names in place of addresses, or the other way.
    Names,
    Pause,
    Help,
    Filter,
    Typed(String),
    Erase,
    EraseNext,
    EraseWord,
    EraseLine,
    Accept,
    Cancel,
}

/// Where the selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
}

/// An effect to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Quit,
    Suspend,
    /// The terminal may show something else: draw everything anew.
    Repaint,
    /// Show what passes this filter, and update it or not.
    Ask {
        filter: Filter,
        is_paused: bool,
        shows_names: bool,
    },
}

/// The state of one tab.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TabState {
    pub(crate) sort: Column,
    pub(crate) is_descending: bool,
    /// None until the user moves, and when the selected row is gone.
    pub(crate) selected: Option<RowId>,
    /// The index of the selected row.
    place: usize,
    /// Whether the selected row is gone: the next motion begins at its place.
    is_lost: bool,
    /// The first visible line.
    pub(crate) offset: usize,
}

/// Everything that decides what the screen shows.
#[derive(Debug)]
pub(crate) struct State {
    /// The captured input, for the heading.
    pub(crate) input: String,
    pub(crate) data: Option<Box<Data>>,
    pub(crate) tab: Tab,
    tabs: [TabState; 4],
    /// Rows that differ from their initial state: programs are closed, processes open.
    toggled: HashSet<RowId>,
    pub(crate) frozen: Vec<RowId>,
    /// The active filter, as the user wrote it.
    pub(crate) filter: String,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) is_paused: bool,
    pub(crate) shows_details: bool,
    /// Whether remote hosts are shown by their names, where those are known.
    pub(crate) shows_names: bool,
    /// The first visible line of the help, while it is open.
    pub(crate) help: Option<u16>,
    /// The lines of the tab, from first to last.
    pub(crate) lines: Vec<Line>,
    /// The rows that were last drawn, each with its line on the screen, for clicks.
    drawn: Vec<(u16, RowId)>,
    size: Rect,
}

impl State {
    /// A state without data.
    pub(crate) fn new(input: String, has_bytes: bool, tab: Tab, filter: String) -> Self {
        let by = |sort| TabState {
            sort,
            is_descending: true,
            selected: None,
            place: 0,
            is_lost: false,
            offset: 0,
        };
        let busiest = if has_bytes {
            Column::Of(present::Column::Down)
        } else {
            Column::Count
        };
        let flows = if has_bytes {
            by(Column::Of(present::Column::Down))
        } else {
            TabState {
                is_descending: false,
                ..by(Column::Of(present::Column::Program))
            }
        };
        Self {
            input,
            data: None,
            tab,
            tabs: [by(busiest), flows, by(busiest), by(busiest)],
            toggled: HashSet::new(),
            frozen: Vec::new(),
            filter,
            prompt: None,
            is_paused: false,
            shows_details: false,
            shows_names: true,
            help: None,
            lines: Vec::new(),
            drawn: Vec::new(),
            size: Rect::new(0, 0, 80, 24),
        }
    }

    /// Starts with another order.
    pub(crate) fn sort_by(&mut self, column: Column, is_descending: bool) {
        for tab in Tab::ALL {
            let state = &mut self.tabs[tab.index()];
            state.sort = column;
            state.is_descending = is_descending;
        }
    }

    /// The state of the active tab.
    pub(crate) const fn view(&self) -> &TabState {
        &self.tabs[self.tab.index()]
    }

    const fn view_mut(&mut self) -> &mut TabState {
        &mut self.tabs[self.tab.index()]
    }

    /// Whether keys are text.
    pub(crate) const fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// The layout.
    pub(crate) fn areas(&self) -> Areas {
        Areas::of(self, self.size)
    }

    /// Handles a message.
    pub(crate) fn update(&mut self, message: Message) -> Option<Effect> {
        if self.is_typing() {
            return self.update_prompt(message);
        }
        if self.help.is_some() && is_for_help(&message) {
            self.read_help(&message);
            return None;
        }
        match message {
            Message::Quit => return Some(Effect::Quit),
            Message::Suspend => return Some(Effect::Suspend),
            Message::Redraw => return Some(Effect::Repaint),
            Message::Pause => {
                self.is_paused = !self.is_paused;
                return Some(self.ask());
            }
            Message::Names => {
                self.shows_names = !self.shows_names;
                self.rebuild();
                self.keep_in_view();
                return Some(self.ask());
            }
            Message::Cancel => return self.step_back(),
            Message::Filter => self.prompt = Some(Prompt::new(&self.filter)),
            Message::Help => self.help = Some(0),
            other => self.navigate(other),
        }
        self.keep_in_view();
        None
    }

    /// Handles messages that only change the view.
    fn navigate(&mut self, message: Message) {
        match message {
            Message::Data(data) => self.take(data),
            Message::Resized(width, height) => self.size = Rect::new(0, 0, width, height),
            Message::Move(motion) => self.go(motion),
            Message::Click(at) => self.click(at),
            Message::Scroll(lines) => self.scroll(lines),
            Message::Tab(tab) => self.show(tab),
            Message::NextTab => self.show(Tab::ALL[(self.tab.index() + 1) % 4]),
            Message::PreviousTab => self.show(Tab::ALL[(self.tab.index() + 3) % 4]),
            Message::Toggle => self.toggle(),
            Message::Open => self.open(),
            Message::OpenAll => self.open_all(),
            Message::Close => self.close(),
            Message::Details => {
                let _is_new = self.select_something();
                self.shows_details = !self.shows_details;
            }
            Message::SortNext => self.sort_along(1),
            Message::SortPrevious => self.sort_along(-1),
            Message::Reverse => {
                let view = self.view_mut();
                view.is_descending = !view.is_descending;
                self.rebuild();
            }
            Message::Freeze => self.freeze(),
            _ => {}
        }
    }

    /// Scrolls the help, or closes it.
    fn read_help(&mut self, message: &Message) {
        let line = self.help.unwrap_or_default();
        self.help = match message {
            Message::Move(Motion::Up) => Some(line.saturating_sub(1)),
            Message::Move(Motion::Down) => Some(line.saturating_add(1)),
            Message::Scroll(lines) => {
                let step = i16::try_from(*lines).unwrap_or(0);
                Some(line.saturating_add_signed(step))
            }
            _ => None,
        };
    }

    fn update_prompt(&mut self, message: Message) -> Option<Effect> {
        let prompt = self.prompt.as_mut()?;
        let effect = match message {
            Message::Quit => return Some(Effect::Quit),
            Message::Suspend => return Some(Effect::Suspend),
            Message::Redraw => return Some(Effect::Repaint),
            Message::Cancel => {
                self.filter = std::mem::take(&mut prompt.before);
                self.prompt = None;
                Some(self.ask())
            }
            Message::Accept => {
                // A filter with an error stays open for correction.
                if prompt.error.is_none() {
                    self.filter = prompt.text().to_owned();
                    self.prompt = None;
                }
                None
            }
            Message::Data(_) | Message::Resized(..) => {
                self.navigate(message);
                None
            }
            edit => {
                let changed = prompt.edit(&edit);
                if changed && prompt.error.is_none() {
                    self.filter = prompt.text().to_owned();
                    Some(self.ask())
                } else {
                    None
                }
            }
        };
        self.keep_in_view();
        effect
    }

    fn ask(&self) -> Effect {
        Effect::Ask {
            // The active filter was parsed before.
            filter: Filter::parse(&self.filter).unwrap_or_default(),
            is_paused: self.is_paused,
            shows_names: self.shows_names,
        }
    }

    /// Esc: closes the topmost part, and removes the filter last.
    fn step_back(&mut self) -> Option<Effect> {
        if self.shows_details {
            self.shows_details = false;
        } else if !self.filter.is_empty() {
            self.filter.clear();
            return Some(self.ask());
        } else {
            let view = self.view_mut();
            view.selected = None;
            view.is_lost = false;
            view.offset = 0;
        }
        self.keep_in_view();
        None
    }

    fn take(&mut self, data: Box<Data>) {
        self.data = Some(data);
        self.rebuild();
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.rebuild();
    }

    fn sort_along(&mut self, step: isize) {
        let Some(data) = &self.data else { return };
        let visible = places(self.tab, data.has_bytes(), self.areas().titles);
        let columns: Vec<Spec> = visible.map(|(spec, ..)| spec).collect();
        if columns.is_empty() {
            return;
        }
        let view = self.view();
        let place = columns.iter().position(|spec| spec.column == view.sort);
        let place = place.map_or(0, |place| {
            let count = columns.len().cast_signed();
            (place.cast_signed() + step)
                .rem_euclid(count)
                .cast_unsigned()
        });
        let spec = columns[place];
        let view = self.view_mut();
        view.sort = spec.column;
        view.is_descending = spec.is_number();
        self.rebuild();
    }

    fn freeze(&mut self) {
        if self.select_something() {
            return;
        }
        let Some(line) = self.selected_line() else {
            return;
        };
        let root = self.root_of(line);
        match self.frozen.iter().position(|id| *id == root) {
            Some(place) => {
                self.frozen.remove(place);
            }
            None => self.frozen.push(root),
        }
        self.rebuild();
    }

    /// The node of a line, if it is one.
    pub(crate) fn node(&self, line: &Line) -> Option<&Node> {
        let roots = self.roots()?;
        match line.target {
            Target::Node(root) => roots.get(root),
            Target::Child(root, child) => roots.get(root)?.nodes.get(child),
            Target::Item(_) | Target::NodeItem(..) | Target::ChildItem(..) => None,
        }
    }

    /// The item of a line, if it is one.
    pub(crate) fn item(&self, line: &Line) -> Option<&Item> {
        let data = self.data.as_ref()?;
        match line.target {
            Target::Item(item) => data.items.get(item),
            Target::NodeItem(root, item) => self.roots()?.get(root)?.items.get(item),
            Target::ChildItem(root, child, item) => {
                self.roots()?.get(root)?.nodes.get(child)?.items.get(item)
            }
            Target::Node(_) | Target::Child(..) => None,
        }
    }

    /// The groups of the tab; none if it lists flows.
    fn roots(&self) -> Option<&[Node]> {
        let data = self.data.as_ref()?;
        match self.tab {
            Tab::Programs => Some(&data.programs),
            Tab::Flows => None,
            Tab::Hosts => Some(&data.hosts),
            Tab::Services => Some(&data.services),
        }
    }

    /// The selected line.
    pub(crate) fn selected_line(&self) -> Option<usize> {
        let selected = self.view().selected?;
        self.lines.iter().position(|line| line.id == selected)
    }
}

/// Whether a message goes to the open help.
const fn is_for_help(message: &Message) -> bool {
    !matches!(
        message,
        Message::Data(_)
            | Message::Resized(..)
            | Message::Quit
            | Message::Suspend
            | Message::Redraw
    )
}

impl From<Data> for Message {
    fn from(data: Data) -> Self {
        Self::Data(Box::new(data))
    }
}

#[cfg(test)]
mod tests;

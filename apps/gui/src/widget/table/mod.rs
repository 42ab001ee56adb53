//! A table of any length: it builds and draws only the visible rows.
//!
//! The page provides the number of rows and the content of a cell. The widget keeps the scroll position,
//! and stays with the visible rows when others come and go above them.

mod cell;
mod columns;
mod draw;
mod handle;
mod head;
mod metrics;
mod state;

use std::hash::{DefaultHasher, Hash, Hasher};

use iced::advanced::layout::{self, Layout};
use iced::advanced::widget::tree::{self, Tree};
use iced::advanced::widget::{Operation, Widget};
use iced::advanced::{Clipboard, Shell, mouse, renderer};
use iced::{Element, Event, Length, Rectangle, Renderer, Size, Theme};

use crate::theme::{Colors, measure, space};
pub use cell::{Bar, Cell, Tone};
pub use head::{AMOUNT_UNIT, Align, Head, RATE_UNIT, Width};
use state::State;

/// What is special about a row, for a moment or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    #[default]
    None,
    /// It has just come.
    New,
    /// It is over since a moment.
    Leaving,
    /// It is over.
    Over,
}

/// What can be done with a table.
struct On<'a, Message> {
    select: Option<Box<dyn Fn(usize, usize) -> Message + 'a>>,
    activate: Option<Box<dyn Fn(usize) -> Message + 'a>>,
    sort: Option<Box<dyn Fn(usize) -> Message + 'a>>,
    reorder: Option<Box<dyn Fn(usize, usize) -> Message + 'a>>,
    copy: Option<Box<dyn Fn(String) -> Message + 'a>>,
}

/// The widget.
#[expect(missing_debug_implementations, reason = "a widget")]
pub struct Table<'a, Message> {
    colors: Colors,
    heads: Vec<Head>,
    rows: usize,
    cell: Box<dyn Fn(usize, usize) -> Cell + 'a>,
    key: Option<Box<dyn Fn(usize) -> u64 + 'a>>,
    mark: Option<Box<dyn Fn(usize) -> Mark + 'a>>,
    /// The column that is sorted by, and whether its greatest come first.
    sorted: Option<(usize, bool)>,
    selected: Option<usize>,
    has_head: bool,
    inset: f32,
    version: u64,
    on: On<'a, Message>,
}

impl<'a, Message> Table<'a, Message> {
    /// A table of so many rows; `cell` tells what is in a row and column.
    pub fn new(
        colors: Colors,
        heads: Vec<Head>,
        rows: usize,
        cell: impl Fn(usize, usize) -> Cell + 'a,
    ) -> Self {
        Self {
            colors,
            heads,
            rows,
            cell: Box::new(cell),
            key: None,
            mark: None,
            sorted: None,
            selected: None,
            has_head: true,
            inset: space::M,
            version: 0,
            on: On {
                select: None,
                activate: None,
                sort: None,
                reorder: None,
                copy: None,
            },
        }
    }

    /// What a row is known by when rows come and go; else its place.
    #[must_use]
    pub fn key(mut self, key: impl Fn(usize) -> u64 + 'a) -> Self {
        self.key = Some(Box::new(key));
        self
    }

    /// What is special about rows.
    #[must_use]
    pub fn mark(mut self, mark: impl Fn(usize) -> Mark + 'a) -> Self {
        self.mark = Some(Box::new(mark));
        self
    }

    /// What it is sorted by.
    #[must_use]
    pub fn sorted(mut self, sorted: Option<(usize, bool)>) -> Self {
        self.sorted = sorted;
        self
    }

    /// The row that is selected. When that changes, it is brought into sight.
    #[must_use]
    pub fn selected(mut self, selected: Option<usize>) -> Self {
        self.selected = selected;
        self
    }

    /// The same without a head.
    #[must_use]
    pub fn headless(mut self) -> Self {
        self.has_head = false;
        self
    }

    /// The same, for a place that is inset already.
    #[must_use]
    pub fn flush(mut self) -> Self {
        self.inset = 0.0;
        self
    }

    /// A row was clicked, in a column.
    #[must_use]
    pub fn on_select(mut self, on: impl Fn(usize, usize) -> Message + 'a) -> Self {
        self.on.select = Some(Box::new(on));
        self
    }

    /// A row was clicked twice.
    #[must_use]
    pub fn on_activate(mut self, on: impl Fn(usize) -> Message + 'a) -> Self {
        self.on.activate = Some(Box::new(on));
        self
    }

    /// The head of a column was clicked.
    #[must_use]
    pub fn on_sort(mut self, on: impl Fn(usize) -> Message + 'a) -> Self {
        self.on.sort = Some(Box::new(on));
        self
    }

    /// The head of a column was dragged to another place.
    #[must_use]
    pub fn on_reorder(mut self, on: impl Fn(usize, usize) -> Message + 'a) -> Self {
        self.on.reorder = Some(Box::new(on));
        self
    }

    /// A cell was clicked with the other button: its content is wanted.
    #[must_use]
    pub fn on_copy(mut self, on: impl Fn(String) -> Message + 'a) -> Self {
        self.on.copy = Some(Box::new(on));
        self
    }

    /// Changes with what the rows hold, such as the time of a report. Only to be set where
    /// much changes at a time.
    #[must_use]
    pub fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// What the table shows, as a number.
    fn shown(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.version, state.first(), state.left.to_bits(), self.rows).hash(&mut hasher);
        (self.sorted, self.heads.len()).hash(&mut hasher);
        hasher.finish()
    }

    fn head_height(&self) -> f32 {
        if self.has_head { measure::HEAD } else { 0.0 }
    }

    fn row_key(&self, row: usize) -> u64 {
        self.key.as_ref().map_or(row as u64, |key| key(row))
    }
}

/// What a row is known by, made of what it is about.
pub fn key_of(subject: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    hasher.finish()
}

impl<Message> Widget<Message, Theme, Renderer> for Table<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        _renderer: &Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let size = limits.max();
        let state = tree.state.downcast_mut::<State>();
        let height = (size.height - self.head_height()).max(0.0);
        let rows = self.rows;
        state.follow(rows, height, self.selected, |row| self.row_key(row));
        state.scroll_sideways(0.0, size.width);
        state.note(self.shown(state));
        let beside = state.handle().map_or(0.0, |_| metrics::SCROLL_BAR);
        state.columns = columns::place(&self.heads, size.width - beside, self.inset);
        layout::Node::new(size)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        _renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        let state = tree.state.downcast_ref::<State>();
        self.tell_texts(state, layout.bounds(), operation);
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _renderer: &Renderer,
        _clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        _viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_mut::<State>();
        self.handle(state, event, layout.bounds(), cursor, shell);
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _viewport: &Rectangle,
        _renderer: &Renderer,
    ) -> mouse::Interaction {
        let state = tree.state.downcast_ref::<State>();
        self.interaction(state, layout.bounds(), cursor)
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        _theme: &Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_ref::<State>();
        self.draw_all(state, renderer, layout.bounds(), cursor);
    }
}

impl<'a, Message: 'a> From<Table<'a, Message>> for Element<'a, Message> {
    fn from(table: Table<'a, Message>) -> Self {
        Self::new(table)
    }
}

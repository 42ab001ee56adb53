//! What keys do, and the widget that hears them when no other wants them.

use iced::advanced::layout::{self, Layout};
use iced::advanced::widget::{Operation, Tree, Widget};
use iced::advanced::{Clipboard, Shell, mouse, overlay, renderer};
use iced::event::Status;
use iced::keyboard::key::Named;
use iced::keyboard::{self, Key, Modifiers};
use iced::{Element, Event, Length, Rectangle, Renderer, Size, Theme, Vector};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    Overview,
    Inspect,
    Program,
    Settings,
    Start,
    Help,
    /// Closes what is open, or takes back what was chosen last.
    Leave,
    Pause,
    Stop,
    OpenFile,
    Search,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    /// Opens what is selected.
    Open,
    Copy,
    Export,
    Columns,
    Detail,
    /// Asks whose capture it is.
    Viewpoint,
    /// Lists hosts by their names, or by their addresses.
    HostsBy,
    SortNext,
    SortPrevious,
    SortReverse,
    /// Gives the keys to the next button or field.
    NextControl,
    PreviousControl,
    Larger,
    Smaller,
    NormalSize,
}

/// A key, as it is shown and as it arrives, with what it does.
#[derive(Debug)]
pub struct Shortcut {
    pub keys: &'static str,
    pub does: &'static str,
    pub intent: Intent,
}

const fn shortcut(keys: &'static str, does: &'static str, intent: Intent) -> Shortcut {
    Shortcut { keys, does, intent }
}

/// What the help shows, in groups.
pub const SHORTCUTS: [(&str, &[Shortcut]); 3] = [
    (
        "Global",
        &[
            shortcut("1", "Overview", Intent::Overview),
            shortcut("2", "Inspect", Intent::Inspect),
            shortcut("3", "Program", Intent::Program),
            shortcut("0", "Start", Intent::Start),
            shortcut(",", "Settings", Intent::Settings),
            shortcut("Space", "Pause, or go on", Intent::Pause),
            shortcut("x", "Stop capturing", Intent::Stop),
            shortcut("n", "Names or addresses", Intent::HostsBy),
            shortcut("Ctrl O", "Open a capture file", Intent::OpenFile),
            shortcut("w", "Host that captured a file", Intent::Viewpoint),
            shortcut("Tab", "The next button or field", Intent::NextControl),
            shortcut("?", "This help", Intent::Help),
            shortcut("Esc", "Close, or clear", Intent::Leave),
        ],
    ),
    (
        "In lists",
        &[
            shortcut("↑  k", "Up", Intent::Up),
            shortcut("↓  j", "Down", Intent::Down),
            shortcut("PgUp", "A page up", Intent::PageUp),
            shortcut("PgDn", "A page down", Intent::PageDown),
            shortcut("Home", "To the first", Intent::First),
            shortcut("End", "To the last", Intent::Last),
            shortcut("Enter", "Open the program", Intent::Open),
            shortcut("Ctrl C", "Copy the row", Intent::Copy),
        ],
    ),
    (
        "In Inspect",
        &[
            shortcut("/", "Search", Intent::Search),
            shortcut("]", "Sort by the next column", Intent::SortNext),
            shortcut("[", "Sort by the one before", Intent::SortPrevious),
            shortcut("r", "Reverse the order", Intent::SortReverse),
            shortcut("c", "Choose columns", Intent::Columns),
            shortcut("d", "Show or hide details", Intent::Detail),
            shortcut("e", "Export what is shown", Intent::Export),
            shortcut("Ctrl +", "Larger", Intent::Larger),
            shortcut("Ctrl −", "Smaller", Intent::Smaller),
        ],
    ),
];

/// What a key that was pressed asks for.
pub fn intent(key: &Key, modifiers: Modifiers) -> Option<Intent> {
    match key {
        Key::Named(Named::Tab) if modifiers.shift() => Some(Intent::PreviousControl),
        Key::Named(named) => of_named(*named),
        Key::Character(text) if modifiers.command() => of_command(text),
        Key::Character(text) if !modifiers.alt() => of_character(text),
        Key::Character(_) | Key::Unidentified => None,
    }
}

const fn of_named(key: Named) -> Option<Intent> {
    Some(match key {
        Named::ArrowUp => Intent::Up,
        Named::ArrowDown => Intent::Down,
        Named::PageUp => Intent::PageUp,
        Named::PageDown => Intent::PageDown,
        Named::Home => Intent::First,
        Named::End => Intent::Last,
        Named::Enter => Intent::Open,
        Named::Escape => Intent::Leave,
        Named::Space => Intent::Pause,
        Named::F1 => Intent::Help,
        Named::Tab => Intent::NextControl,
        _ => return None,
    })
}

fn of_command(text: &str) -> Option<Intent> {
    Some(match text {
        "c" => Intent::Copy,
        "f" => Intent::Search,
        "o" => Intent::OpenFile,
        "e" => Intent::Export,
        "+" | "=" => Intent::Larger,
        "-" => Intent::Smaller,
        "0" => Intent::NormalSize,
        "," => Intent::Settings,
        _ => return None,
    })
}

fn of_character(text: &str) -> Option<Intent> {
    Some(match text {
        "1" => Intent::Overview,
        "2" => Intent::Inspect,
        "3" => Intent::Program,
        "0" => Intent::Start,
        "," => Intent::Settings,
        "?" => Intent::Help,
        "/" => Intent::Search,
        " " => Intent::Pause,
        "x" => Intent::Stop,
        "w" => Intent::Viewpoint,
        "n" => Intent::HostsBy,
        "k" => Intent::Up,
        "j" => Intent::Down,
        "g" => Intent::First,
        "G" => Intent::Last,
        "]" => Intent::SortNext,
        "[" => Intent::SortPrevious,
        "r" => Intent::SortReverse,
        "c" => Intent::Columns,
        "d" => Intent::Detail,
        "e" => Intent::Export,
        _ => return None,
    })
}

/// Hears the keys that nothing inside wants.
#[expect(missing_debug_implementations, reason = "a widget")]
pub struct Keys<'a, Message> {
    content: Element<'a, Message>,
    on_intent: Box<dyn Fn(Intent) -> Message + 'a>,
}

impl<'a, Message> Keys<'a, Message> {
    /// Around these contents.
    pub fn new(
        content: impl Into<Element<'a, Message>>,
        on_intent: impl Fn(Intent) -> Message + 'a,
    ) -> Self {
        Self {
            content: content.into(),
            on_intent: Box::new(on_intent),
        }
    }
}

impl<Message> Widget<Message, Theme, Renderer> for Keys<'_, Message> {
    fn children(&self) -> Vec<Tree> {
        vec![Tree::new(&self.content)]
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(std::slice::from_ref(&self.content));
    }

    fn size(&self) -> Size<Length> {
        self.content.as_widget().size()
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        renderer: &Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let content = self.content.as_widget_mut();
        content.layout(&mut tree.children[0], renderer, limits)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        let content = self.content.as_widget_mut();
        content.operate(&mut tree.children[0], layout, renderer, operation);
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        viewport: &Rectangle,
    ) {
        self.content.as_widget_mut().update(
            &mut tree.children[0],
            event,
            layout,
            cursor,
            renderer,
            clipboard,
            shell,
            viewport,
        );
        if shell.event_status() == Status::Captured {
            return;
        }
        if let Event::Keyboard(keyboard::Event::KeyPressed {
            modified_key,
            modifiers,
            ..
        }) = event
            && let Some(intent) = intent(modified_key, *modifiers)
        {
            shell.publish((self.on_intent)(intent));
            shell.capture_event();
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &Renderer,
    ) -> mouse::Interaction {
        let content = self.content.as_widget();
        content.mouse_interaction(&tree.children[0], layout, cursor, viewport, renderer)
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let content = self.content.as_widget();
        content.draw(
            &tree.children[0],
            renderer,
            theme,
            style,
            layout,
            cursor,
            viewport,
        );
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, Renderer>> {
        let content = self.content.as_widget_mut();
        content.overlay(
            &mut tree.children[0],
            layout,
            renderer,
            viewport,
            translation,
        )
    }
}

impl<'a, Message: 'a> From<Keys<'a, Message>> for Element<'a, Message> {
    fn from(keys: Keys<'a, Message>) -> Self {
        Self::new(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key that a shortcut shows, as it arrives.
    fn arriving(shown: &str) -> (Key, Modifiers) {
        let (modifiers, shown) = match shown.strip_prefix("Ctrl ") {
            Some(rest) => (Modifiers::COMMAND, rest),
            None => (Modifiers::empty(), shown),
        };
        let shown = shown.split("  ").last().unwrap();
        let key = match shown {
            "Space" => Key::Named(Named::Space),
            "Tab" => Key::Named(Named::Tab),
            "Esc" => Key::Named(Named::Escape),
            "Enter" => Key::Named(Named::Enter),
            "PgUp" => Key::Named(Named::PageUp),
            "PgDn" => Key::Named(Named::PageDown),
            "Home" => Key::Named(Named::Home),
            "End" => Key::Named(Named::End),
            "−" => Key::Character("-".into()),
            other => Key::Character(other.to_lowercase().into()),
        };
        (key, modifiers)
    }

    #[test]
    fn the_help_tells_the_truth() {
        for shortcut in SHORTCUTS.iter().flat_map(|(_, shortcuts)| *shortcuts) {
            let (key, modifiers) = arriving(shortcut.keys);
            assert_eq!(
                intent(&key, modifiers),
                Some(shortcut.intent),
                "{}",
                shortcut.keys
            );
        }
    }
}

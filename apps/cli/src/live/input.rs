//! Translates keys and mouse events to messages.

use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Position;

use super::columns::Tab;
use super::state::{Message, Motion};

/// The message of a terminal event; `None` if it has none.
pub(crate) fn message(event: &Event, is_typing: bool) -> Option<Message> {
    match event {
        Event::Resize(width, height) => Some(Message::Resized(*width, *height)),
        Event::Key(key) if key.kind != KeyEventKind::Release => of_key(*key, is_typing),
        Event::Paste(text) if is_typing => Some(Message::Typed(text.clone())),
        Event::Mouse(mouse) => of_mouse(*mouse),
        _ => None,
    }
}

/// Whether an event never has a meaning: a mouse reports each position that it passes.
pub(crate) fn is_idle(event: &Event) -> bool {
    matches!(event, Event::Mouse(mouse) if of_mouse(*mouse).is_none())
}

fn of_mouse(mouse: MouseEvent) -> Option<Message> {
    /// The number of lines per step of the wheel.
    const STEP: isize = 3;
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            Some(Message::Click(Position::new(mouse.column, mouse.row)))
        }
        MouseEventKind::ScrollUp => Some(Message::Scroll(-STEP)),
        MouseEventKind::ScrollDown => Some(Message::Scroll(STEP)),
        _ => None,
    }
}

fn of_key(key: KeyEvent, is_typing: bool) -> Option<Message> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return of_control(key.code, is_typing);
    }
    if is_typing {
        return of_typing(key.code);
    }
    Some(match key.code {
        KeyCode::Char('q') => Message::Quit,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => Message::Help,
        KeyCode::Char('/') => Message::Filter,
        KeyCode::Char('p') => Message::Pause,
        KeyCode::Char('f') => Message::Freeze,
        KeyCode::Char('n') => Message::Names,
        KeyCode::Char('d' | 'i') => Message::Details,
        KeyCode::Char('s' | '>') => Message::SortNext,
        KeyCode::Char('S' | '<') => Message::SortPrevious,
        KeyCode::Char('r') => Message::Reverse,
        KeyCode::Char('*') => Message::OpenAll,
        KeyCode::Char('1') => Message::Tab(Tab::Programs),
        KeyCode::Char('2') => Message::Tab(Tab::Flows),
        KeyCode::Char('3') => Message::Tab(Tab::Hosts),
        KeyCode::Char('4') => Message::Tab(Tab::Services),
        KeyCode::Tab => Message::NextTab,
        KeyCode::BackTab => Message::PreviousTab,
        KeyCode::Enter | KeyCode::Char(' ') => Message::Toggle,
        KeyCode::Right | KeyCode::Char('l' | '+') => Message::Open,
        KeyCode::Left | KeyCode::Char('-') => Message::Close,
        KeyCode::Up | KeyCode::Char('k') => Message::Move(Motion::Up),
        KeyCode::Down | KeyCode::Char('j') => Message::Move(Motion::Down),
        KeyCode::PageUp => Message::Move(Motion::PageUp),
        KeyCode::PageDown => Message::Move(Motion::PageDown),
        KeyCode::Home | KeyCode::Char('g') => Message::Move(Motion::First),
        KeyCode::End | KeyCode::Char('G') => Message::Move(Motion::Last),
        KeyCode::Esc => Message::Cancel,
        _ => return None,
    })
}

/// Raw mode turns Ctrl-C and Ctrl-Z into keys.
fn of_control(code: KeyCode, is_typing: bool) -> Option<Message> {
    Some(match code {
        KeyCode::Char('c') => Message::Quit,
        KeyCode::Char('z') => Message::Suspend,
        KeyCode::Char('l') => Message::Redraw,
        KeyCode::Char('u') if is_typing => Message::EraseLine,
        KeyCode::Char('w') if is_typing => Message::EraseWord,
        KeyCode::Char('a') if is_typing => Message::Move(Motion::First),
        KeyCode::Char('e') if is_typing => Message::Move(Motion::Last),
        KeyCode::Char('b') if !is_typing => Message::Move(Motion::PageUp),
        KeyCode::Char('f') if !is_typing => Message::Move(Motion::PageDown),
        KeyCode::Char('n') if !is_typing => Message::Move(Motion::Down),
        KeyCode::Char('p') if !is_typing => Message::Move(Motion::Up),
        _ => return None,
    })
}

fn of_typing(code: KeyCode) -> Option<Message> {
    Some(match code {
        KeyCode::Char(c) => Message::Typed(c.to_string()),
        KeyCode::Backspace => Message::Erase,
        KeyCode::Delete => Message::EraseNext,
        KeyCode::Left => Message::Move(Motion::Left),
        KeyCode::Right => Message::Move(Motion::Right),
        KeyCode::Home => Message::Move(Motion::First),
        KeyCode::End => Message::Move(Motion::Last),
        KeyCode::Enter => Message::Accept,
        KeyCode::Esc => Message::Cancel,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: KeyCode, modifiers: KeyModifiers, is_typing: bool, expected: Option<Message>) {
        let event = Event::Key(KeyEvent::new(code, modifiers));
        let shown = |message: Option<Message>| format!("{message:?}");
        assert_eq!(shown(message(&event, is_typing)), shown(expected));
    }

    #[test]
    fn letters_are_commands_or_text() {
        let none = KeyModifiers::NONE;
        check(KeyCode::Char('q'), none, false, Some(Message::Quit));
        check(
            KeyCode::Char('q'),
            none,
            true,
            Some(Message::Typed("q".to_owned())),
        );
        check(KeyCode::Esc, none, true, Some(Message::Cancel));
        check(KeyCode::Char('y'), none, false, None);
    }

    #[test]
    fn it_can_always_be_left() {
        for is_typing in [true, false] {
            let control = KeyModifiers::CONTROL;
            check(KeyCode::Char('c'), control, is_typing, Some(Message::Quit));
            check(
                KeyCode::Char('z'),
                control,
                is_typing,
                Some(Message::Suspend),
            );
        }
    }

    #[test]
    fn a_mouse_that_only_moves_means_nothing() {
        let at = |kind| {
            Event::Mouse(MouseEvent {
                kind,
                column: 7,
                row: 3,
                modifiers: KeyModifiers::NONE,
            })
        };
        let clicked = message(&at(MouseEventKind::Down(MouseButton::Left)), false);
        assert!(matches!(
            clicked,
            Some(Message::Click(Position { x: 7, y: 3 }))
        ));
        let scrolled = message(&at(MouseEventKind::ScrollUp), false);
        assert!(matches!(scrolled, Some(Message::Scroll(-3))));
        for kind in [
            MouseEventKind::Moved,
            MouseEventKind::Up(MouseButton::Left),
            MouseEventKind::Drag(MouseButton::Left),
            MouseEventKind::Down(MouseButton::Right),
        ] {
            assert!(is_idle(&at(kind)), "{kind:?}");
        }
        assert!(!is_idle(&Event::Key(KeyCode::Char('y').into())));
    }

    #[test]
    fn a_key_is_not_taken_twice() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert!(message(&Event::Key(key), false).is_none());
    }
}

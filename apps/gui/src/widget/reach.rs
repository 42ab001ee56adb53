//! What the keyboard reaches: the toolkit's buttons hear the mouse only.
//!
//! Tab goes from one to the next, together with the fields for text, Enter or Space presses,
//! Esc ends that. What lies below a sheet is not reached.

use iced::advanced::layout::{self, Layout};
use iced::advanced::renderer::{Quad, Renderer as _};
use iced::advanced::widget::operation::Focusable;
use iced::advanced::widget::tree::{self, Tree};
use iced::advanced::widget::{Id, Operation, Widget};
use iced::advanced::{Clipboard, Shell, mouse, overlay, renderer};
use iced::keyboard::key::Named;
use iced::keyboard::{self, Key};
use iced::{
    Color, Element, Event, Length, Rectangle, Renderer, Size, Theme, Vector, border, touch,
};

use crate::theme::measure::{RADIUS, RING};

/// A button that the keyboard reaches, too. Without a message it does nothing, and is passed
/// over.
pub fn reached<'a, Message: Clone + 'a>(
    button: impl Into<Element<'a, Message>>,
    message: Option<Message>,
    ring: Color,
) -> Element<'a, Message> {
    Element::new(Reach {
        content: button.into(),
        pressed: message,
        ring,
        is_covered: false,
    })
}

/// A page, which is not reached while a sheet covers it.
pub fn below_sheet<'a, Message: Clone + 'a>(
    page: impl Into<Element<'a, Message>>,
    is_covered: bool,
) -> Element<'a, Message> {
    Element::new(Reach {
        content: page.into(),
        pressed: None,
        ring: Color::TRANSPARENT,
        is_covered,
    })
}

struct Reach<'a, Message> {
    content: Element<'a, Message>,
    /// What a press means.
    pressed: Option<Message>,
    /// The colour of what is drawn around it while it has the keys.
    ring: Color,
    is_covered: bool,
}

#[derive(Debug, Default)]
struct State {
    is_focused: bool,
}

impl Focusable for State {
    fn is_focused(&self) -> bool {
        self.is_focused
    }

    fn focus(&mut self) {
        self.is_focused = true;
    }

    fn unfocus(&mut self) {
        self.is_focused = false;
    }
}

impl<Message: Clone> Reach<'_, Message> {
    /// Takes events for the widget that has the keys.
    fn hear(&self, state: &mut State, event: &Event, shell: &mut Shell<'_, Message>) {
        match event {
            Event::Mouse(mouse::Event::ButtonPressed(_))
            | Event::Touch(touch::Event::FingerPressed { .. }) => {
                state.is_focused = false;
                shell.request_redraw();
            }
            Event::Keyboard(keyboard::Event::KeyPressed { key, .. }) => match key.as_ref() {
                Key::Named(Named::Enter | Named::Space) | Key::Character(" ") => {
                    if let Some(message) = &self.pressed {
                        shell.publish(message.clone());
                        shell.capture_event();
                    }
                }
                Key::Named(Named::Escape) => {
                    state.is_focused = false;
                    shell.request_redraw();
                    shell.capture_event();
                }
                _ => {}
            },
            _ => {}
        }
    }
}

impl<Message: Clone> Widget<Message, Theme, Renderer> for Reach<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn children(&self) -> Vec<Tree> {
        vec![Tree::new(&self.content)]
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(std::slice::from_ref(&self.content));
    }

    fn size(&self) -> Size<Length> {
        self.content.as_widget().size()
    }

    fn size_hint(&self) -> Size<Length> {
        self.content.as_widget().size_hint()
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
        if self.pressed.is_some() {
            let state = tree.state.downcast_mut::<State>();
            operation.focusable(None, layout.bounds(), state);
        }
        let content = self.content.as_widget_mut();
        if self.is_covered {
            let mut operation = Passing(operation);
            content.operate(&mut tree.children[0], layout, renderer, &mut operation);
        } else {
            content.operate(&mut tree.children[0], layout, renderer, operation);
        }
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
        let state = tree.state.downcast_mut::<State>();
        if state.is_focused {
            self.hear(state, event, shell);
        }
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
        let (content, child) = (self.content.as_widget(), &tree.children[0]);
        content.draw(child, renderer, theme, style, layout, cursor, viewport);
        if tree.state.downcast_ref::<State>().is_focused {
            let ring = Quad {
                bounds: layout.bounds(),
                border: border::rounded(RADIUS).color(self.ring).width(RING),
                ..Quad::default()
            };
            renderer.fill_quad(ring, Color::TRANSPARENT);
        }
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, Renderer>> {
        let (content, child) = (self.content.as_widget_mut(), &mut tree.children[0]);
        content.overlay(child, layout, renderer, viewport, translation)
    }
}

/// An operation that finds no widget for the keys; the widget that has them loses them.
struct Passing<'a>(&'a mut dyn Operation);

impl Operation for Passing<'_> {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation)) {
        self.0
            .traverse(&mut |operation| operate(&mut Passing(operation)));
    }

    fn container(&mut self, id: Option<&Id>, bounds: Rectangle) {
        self.0.container(id, bounds);
    }

    fn text(&mut self, id: Option<&Id>, bounds: Rectangle, text: &str) {
        self.0.text(id, bounds, text);
    }

    fn focusable(&mut self, _id: Option<&Id>, _bounds: Rectangle, state: &mut dyn Focusable) {
        state.unfocus();
    }
}

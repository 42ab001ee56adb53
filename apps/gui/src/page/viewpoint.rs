//! The sheet on which the user chooses the host that captured a file.

use iced::Element;
use iced::widget::{Id, column, container, row, text_input};

use crate::theme::{Colors, size, space, style};
use crate::viewpoint::Viewpoint;
use crate::widget::parts;

/// The field, which has the keys at once.
pub const FIELD: Id = Id::new("viewpoint");

/// What is typed.
#[derive(Debug, Default)]
pub struct State {
    text: String,
    error: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Message {
    Changed(String),
    Chosen,
    Closed,
}

/// What the sheet cannot do itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    None,
    Close,
    See(Viewpoint),
}

impl State {
    /// Begins with what is chosen now.
    pub fn new(viewpoint: &Viewpoint) -> Self {
        Self {
            text: viewpoint.to_string(),
            error: None,
        }
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::Changed(text) => {
                self.text = text;
                self.error = None;
                Action::None
            }
            Message::Closed => Action::Close,
            Message::Chosen => match self.text.parse() {
                Ok(viewpoint) => Action::See(viewpoint),
                Err(error) => {
                    self.error = Some(error);
                    Action::None
                }
            },
        }
    }

    pub fn view(&self, colors: Colors) -> Element<'_, Message> {
        let field = text_input("10.0.0.1, 192.168.0.0/16, none, or nothing", &self.text)
            .id(FIELD)
            .on_input(Message::Changed)
            .on_submit(Message::Chosen)
            .size(size::BODY)
            .padding([5.0, space::S])
            .style(style::field(colors, self.error.is_some()));
        let error = self.error.as_ref();
        let sheet = column![
            parts::title("Which host captured this file?", colors),
            parts::body(
                "Which end of a flow is local, and which way it goes, depend on the host that \
                 captured. Type its addresses or networks; none, if it only watched others pass \
                 by; or nothing, to have it guessed.",
                colors.muted
            ),
            field,
        ]
        .push(error.map(|error| parts::small(error.as_str(), colors.bad)))
        .push(
            row![
                parts::press("Read again", true, Some(Message::Chosen), colors),
                parts::press("Cancel", false, Some(Message::Closed), colors),
            ]
            .spacing(space::S),
        )
        .spacing(space::S)
        .width(460);
        let sheet = container(sheet)
            .padding(space::M)
            .style(style::sheet(colors));
        parts::above(sheet, Message::Closed)
    }
}

//! The icons of programs, and the pictograms of the app.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use flowner_core::Principal;
use flowner_core::icons::{Data, Icon, IconOptions, IconRequest, Icons};
use iced::futures::channel::mpsc;
use iced::widget::{image, svg};

/// The pictures of programs: a letter at once, the icon when it is found.
#[derive(Debug)]
pub struct Pictures {
    icons: Option<Icons>,
    made: RefCell<HashMap<String, Made>>,
    unknown: svg::Handle,
}

/// A picture as the toolkit has it, and what it was made of.
#[derive(Debug)]
struct Made {
    icon: Icon,
    picture: IconImage,
}

/// A picture that can be drawn.
#[derive(Debug, Clone)]
pub enum IconImage {
    Vector(svg::Handle),
    Pixels(image::Handle),
}

/// Past this many, all are made again.
const MAX_MADE: usize = 2_048;

impl Pictures {
    /// Looks for icons on a thread of its own; each time some were found, something
    /// arrives through the receiver.
    pub fn start() -> (Self, mpsc::Receiver<()>) {
        let (sender, found) = mpsc::channel(1);
        let tell = move |_| {
            // One that was not taken yet tells as much.
            let _told = sender.clone().try_send(());
        };
        let options = IconOptions {
            // Twice as many pixels as most screens need, for those that need them.
            size: 64,
            ..IconOptions::default()
        };
        let icons = Icons::start(options, tell)
            .inspect_err(|error| tracing::warn!(%error, "icons are not looked for"))
            .ok();
        let pictures = Self {
            icons,
            made: RefCell::default(),
            unknown: svg::Handle::from_memory(UNKNOWN),
        };
        (pictures, found)
    }

    /// The picture of the principal that is credited.
    pub fn of(&self, principal: &Principal) -> IconImage {
        let request = match principal {
            Principal::Unattributed => return IconImage::Vector(self.unknown.clone()),
            Principal::Program(program) => program.icon_request(),
            Principal::Several(programs) => match programs.first() {
                Some(program) => program.icon_request(),
                None => return IconImage::Vector(self.unknown.clone()),
            },
            Principal::Unit(unit) => nameless(principal, &unit.name),
            Principal::User(user) => nameless(principal, &user.to_string()),
        };
        match &self.icons {
            Some(icons) => self.made(&request, icons.icon(&request)),
            None => IconImage::Vector(self.unknown.clone()),
        }
    }

    fn made(&self, request: &IconRequest, icon: Icon) -> IconImage {
        let mut made = self.made.borrow_mut();
        if let Some(known) = made.get(&request.key)
            && is_same(&known.icon.data, &icon.data)
        {
            return known.picture.clone();
        }
        let picture = match &icon.data {
            Data::Svg(document) => IconImage::Vector(svg::Handle::from_memory(document.to_vec())),
            Data::Rgba {
                width,
                height,
                pixels,
            } => IconImage::Pixels(image::Handle::from_rgba(*width, *height, pixels.to_vec())),
        };
        if made.len() >= MAX_MADE {
            made.clear();
        }
        let key = request.key.clone();
        made.insert(
            key,
            Made {
                icon,
                picture: picture.clone(),
            },
        );
        picture
    }
}

/// What has no executable: a unit, a user. It has a letter: a program that is called the same is
/// another thing, and a file may claim both.
fn nameless(principal: &Principal, name: &str) -> IconRequest {
    IconRequest {
        key: principal.to_string(),
        name: name.to_owned(),
        is_unknown_here: true,
        ..IconRequest::default()
    }
}

/// Whether two pictures share their bytes.
fn is_same(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::Svg(a), Data::Svg(b))
        | (Data::Rgba { pixels: a, .. }, Data::Rgba { pixels: b, .. }) => Arc::ptr_eq(a, b),
        _ => false,
    }
}

/// A ring with a question mark: the owner is unknown.
const UNKNOWN: &[u8] = br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><circle cx="24" cy="24" r="20" fill="none" stroke="#8a93a1" stroke-width="3" stroke-dasharray="6 5"/><path d="M18 19q0-7 6.5-7t6.5 6q0 4-4 6.5t-3 6" fill="none" stroke="#8a93a1" stroke-width="3.5" stroke-linecap="round"/><circle cx="24" cy="36" r="2.4" fill="#8a93a1"/></svg>"##;

/// A pictogram of the app, drawn in the colour of the text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyph {
    App,
    Pause,
    Resume,
    Stop,
    Settings,
    Help,
    Close,
    Search,
    Export,
    Columns,
    Copy,
    Open,
    Device,
    Play,
    Detail,
    Refresh,
}

impl Glyph {
    /// The picture.
    pub fn handle(self) -> svg::Handle {
        let strokes = match self {
            Self::App => return svg::Handle::from_memory(APP),
            Self::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Self::Resume | Self::Play => "M5 3.2v9.6l7.5-4.8z",
            Self::Stop => "M4.5 4.5h7v7h-7z",
            Self::Settings => {
                "M2.5 4.5h5M11 4.5h2.5M2.5 11.5h2.5M8.5 11.5h5M9.2 2.8v3.4M6.8 9.8v3.4"
            }
            Self::Help => "M5.5 6q0-2.7 2.5-2.7t2.5 2.4q0 1.5-1.6 2.4t-.9 1.9M8 12.6v.1",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Search => "M7 3a4 4 0 1 0 .01 0M10 10l3.2 3.2",
            Self::Export => "M8 10.5v-8M5 5.2l3-3 3 3M3 9.5v4h10v-4",
            Self::Columns => "M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9",
            Self::Copy => "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
            Self::Open => "M2.5 12.5v-9h4l1.5 2h5.5v7z",
            Self::Device => "M3 3.5h10v6.5h-10zM6 12.8h4M8 10v2.8",
            Self::Detail => "M2.5 3.5h11v9h-11zM9.5 3.5v9",
            Self::Refresh => "M12.5 8a4.5 4.5 0 1 1-1.6-3.4M11.2 2.2v2.6h-2.6",
        };
        let picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path d=\"{strokes}\" \
             fill=\"none\" stroke=\"#000\" stroke-width=\"1.4\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\"/></svg>"
        );
        svg::Handle::from_memory(picture.into_bytes())
    }
}

/// The icon of the app.
pub const APP: &[u8] = include_bytes!("../assets/io.github.flowner.Flowner.svg");

/// The icon of the app as pixels, where windows have one.
pub fn window_icon() -> Option<iced::window::Icon> {
    iced::window::icon::from_rgba(ICON_PIXELS.to_vec(), ICON_SIDE, ICON_SIDE).ok()
}

const ICON_SIDE: u32 = 64;
/// RGBA, made from the picture of the app.
const ICON_PIXELS: &[u8] = include_bytes!("../assets/icon-64.rgba");

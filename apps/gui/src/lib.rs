//! The desktop app: which program talks to whom, how much, right now and since when.
//!
//! [`application`] is all of it; the program only runs that. It renders the
//! [`Report`](flowner_core::Report)s of `flowner-core` and counts nothing itself.
//!
//! Each page is a file in [`page`] with its own `State`, `Message`, `update` and `view`;
//! what a page cannot do itself, such as opening another one, it returns as an `Action`
//! to [`app`]. A thread between monitor and window, [`feed`], puts in order what is
//! shown, so that the window never waits.

pub mod app;
pub mod column;
pub mod devices;
pub mod export;
pub mod feed;
pub mod hosts;
pub mod keys;
pub mod launch;
mod nothing;
pub mod page;
pub mod picture;
pub mod query;
#[cfg(test)]
mod samples;
pub mod session;
pub mod settings;
pub mod shown;
pub mod theme;
pub mod trial;
pub mod viewpoint;
pub mod widget;
mod window_id;

use std::io;

use iced::{Program, Size, Theme, window};

pub use app::{App, Message};
use launch::Launch;
use settings::Store;

/// The smallest window in which everything can be reached.
const LEAST: Size = Size::new(480.0, 360.0);

/// The app, ready to run.
pub fn application(
    launch: Launch,
    store: Store,
) -> iced::Application<impl Program<State = App, Message = Message, Theme = Theme>> {
    let boot = move || App::new(launch.clone(), store.clone());
    let mut application = iced::application(boot, App::update, App::view)
        .title(App::title)
        .theme(App::theme)
        .subscription(App::subscription)
        .scale_factor(App::scale_factor)
        .default_font(theme::FONT)
        .antialiasing(true)
        .window(window::Settings {
            size: Size::new(1180.0, 740.0),
            min_size: Some(LEAST),
            icon: picture::window_icon(),
            platform_specific: window_id::settings(),
            ..window::Settings::default()
        });
    for font in theme::FONT_FILES {
        application = application.font(font);
    }
    application
}

/// Writes what goes on to standard error, as much as `FLOWNER_LOG` asks for.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FLOWNER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("flowner=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}

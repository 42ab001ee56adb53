//! The pages of the app.

mod frame;
pub mod help;
pub mod inspect;
pub mod overview;
pub mod preferences;
pub mod program;
pub mod start;
pub mod viewpoint;

pub use frame::frame;

use crate::picture::Pictures;
use crate::session::Session;
use crate::settings::Settings;
use crate::theme::Colors;

/// What pages look at.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub colors: Colors,
    pub settings: &'a Settings,
    pub pictures: &'a Pictures,
    pub session: Option<&'a Session>,
}

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    Start,
    Overview,
    Inspect,
    Program,
    Preferences,
}

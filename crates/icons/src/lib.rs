//! From a program to what a person recognises it by: its desktop entry, with the name
//! that menus show, and its icon.
//!
//! Linux and the BSDs, by the specifications of freedesktop.org; elsewhere, the
//! directories that they name are not there, and icons come from the system with the
//! feature `picon`. For what has no icon, [`tile`] draws a letter.
//!
//! [`Icons`] answers at once, for what is drawn again when a picture has come. On the
//! caller's thread, or for entries alone:
//!
//! ```no_run
//! use std::ffi::OsString;
//! use std::path::Path;
//! use flowner_icons::{Finder, Locale, Places, ProgramQuery};
//!
//! let mut finder = Finder::new(Places::of_this_user(), Locale::current());
//! let arguments = [OsString::from("/usr/bin/python3"), "/usr/bin/terminator".into()];
//! let subject = ProgramQuery {
//!     executable: Some(Path::new("/usr/bin/python3.11")),
//!     arguments: &arguments,
//!     name: "terminator",
//!     ..ProgramQuery::default()
//! };
//! if let Some(entry) = finder.catalog().find(&subject) {
//!     println!("{}", entry.name);
//! }
//! let icon = finder.icon(&subject, 48, 1);
//! println!("{:?}", icon.and_then(|icon| icon.path));
//! ```
//!
//! What runs others never matches by itself: no entry is that of `sh`, `env`, or
//! `python3`, however many name them in their command.
//!
//! # Features
//!
//! None is on by default. `render` draws SVG, which most icons are: `Icon::rendered`, after
//! which [`Icon::to_png`] gives a file. `picon` brings the icons of Windows and macOS.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod cache;
mod catalog;
mod command;
mod entry;
mod finder;
mod icons;
mod locale;
mod owner;
mod picture;
mod places;
mod request;
mod stamp;
mod system;
mod themes;
mod tile;

pub use catalog::{Catalog, ProgramQuery};
pub use command::{Started, runs_others, started};
pub use entry::{Entry, MAX_ENTRY};
pub use finder::Finder;
pub use icons::{IconOptions, Icons};
pub use locale::Locale;
pub use picture::{Data, DecodeError, Icon, PictureError};
pub use places::Places;
pub use request::IconRequest;
pub use themes::Themes;
pub use tile::tile;

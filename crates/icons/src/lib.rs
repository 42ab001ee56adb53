//! From a program to what a person recognises it by: its desktop entry, with the name
//! that menus show, and the file of its icon.
//!
//! Linux and the BSDs, by the specifications of freedesktop.org; elsewhere, the
//! directories that they name are not there, so nothing is found. For what has no icon,
//! [`tile`] draws a letter.
//!
//! ```no_run
//! use std::ffi::OsString;
//! use std::path::Path;
//! use flowner_icons::{Catalog, Locale, Places, Subject, Themes};
//!
//! let places = Places::of_this_user();
//! let catalog = Catalog::read(&places, &Locale::current());
//! let arguments = [OsString::from("/usr/bin/python3"), "/usr/bin/terminator".into()];
//! let entry = catalog.find(&Subject {
//!     application_id: None,
//!     executable: Some(Path::new("/usr/bin/python3.11")),
//!     arguments: &arguments,
//!     name: "terminator",
//! });
//! if let Some(entry) = entry {
//!     let themes = Themes::read(&places);
//!     let icon = entry.icon.as_deref().and_then(|icon| themes.find(icon, 48, 1));
//!     println!("{}: {icon:?}", entry.name);
//! }
//! ```
//!
//! What runs others never matches by itself: no entry is that of `sh`, `env`, or
//! `python3`, however many name them in their command.

mod catalog;
mod command;
mod entry;
mod locale;
mod places;
#[cfg_attr(unix, path = "themes/freedesktop.rs")]
#[cfg_attr(not(unix), path = "themes/none.rs")]
mod themes;
mod tile;

pub use catalog::{Catalog, Subject};
pub use command::{Started, runs_others, started};
pub use entry::{Entry, MAX_ENTRY};
pub use locale::Locale;
pub use places::Places;
pub use themes::Themes;
pub use tile::tile;

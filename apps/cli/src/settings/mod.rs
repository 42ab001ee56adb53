//! The configuration file: every flag can be a key of it, and the command line wins.
//!
//! Its values become the defaults of the flags, so that clap checks and shows them like its own.

mod file;
mod place;
mod trust;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;

use flowner_core::present::printable_path;

use crate::error::Failure;
pub(crate) use file::{Setting, Settings};
pub(crate) use place::Place;

/// The settings and their source.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
}

/// Reads the file that `arguments`, the environment or the platform names.
pub(crate) fn choose(arguments: &[OsString], command: &Command) -> Result<Chosen, Failure> {
    let place = Place::of(arguments);
    let settings = match place.read()? {
        Some(text) => Settings::parse(&text, command)
            .map_err(|error| Failure::Message(format!("{}:{error}", show(place.path()))))?,
        None => Settings::default(),
    };
    Ok(Chosen { place, settings })
}

fn show(path: Option<&PathBuf>) -> String {
    path.map(|path| printable_path(path)).unwrap_or_default()
}

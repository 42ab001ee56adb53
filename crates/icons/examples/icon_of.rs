//! Writes the icon of a program as a PNG: by its executable and arguments, or by an
//! application id. Without an icon, the letter that stands for it.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use flowner_icons::{Finder, IconRequest, Locale, Places};

const SIZE: u32 = 64;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.len() < 2 {
        eprintln!("usage: icon_of OUT.png EXECUTABLE [ARGUMENT ...] | OUT.png APPLICATION-ID");
        return ExitCode::from(2);
    }
    let out = arguments.remove(0);
    let first = arguments[0].to_string_lossy().into_owned();
    let path = Path::new(&first);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let places = Places::of_this_user();
    let request = IconRequest {
        // As the user who runs this would see it.
        user: places.users().next(),
        key: first.clone(),
        name: name.into_owned(),
        application_id: (!path.is_absolute()).then(|| first.clone()),
        executable: path.is_absolute().then(|| path.to_owned()),
        arguments,
        ..IconRequest::default()
    };
    let mut finder = Finder::new(places, Locale::current());
    match finder.catalog().find(&request.subject()) {
        Some(entry) => println!("{} ({})", entry.name, entry.id),
        None => println!("none of {} entries", finder.catalog().len()),
    }
    let icon = finder.icon(&request.subject(), SIZE, 1);
    let icon = icon.unwrap_or_else(|| request.tile());
    match &icon.path {
        Some(path) => println!("{}", path.display()),
        None => println!("a letter"),
    }
    let png = icon.rendered(SIZE).and_then(|icon| icon.to_png());
    let Some(png) = png else {
        eprintln!("the icon cannot be drawn");
        return ExitCode::FAILURE;
    };
    if let Err(error) = std::fs::write(&out, png) {
        eprintln!("{}: {error}", Path::new(&out).display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

//! Tells the desktop entry and the icon of a program: by its executable and arguments, or
//! by an application id.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use flowner_icons::{Catalog, Locale, Places, Subject, Themes};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(first) = arguments.first().and_then(|first| first.to_str()) else {
        eprintln!("usage: entry_of EXECUTABLE [ARGUMENT ...] | APPLICATION-ID");
        return ExitCode::from(2);
    };
    let places = Places::of_this_user();
    let catalog = Catalog::read(&places, &Locale::current());
    let path = Path::new(first);
    let subject = Subject {
        application_id: (!path.is_absolute()).then_some(first),
        executable: path.is_absolute().then_some(path),
        arguments: &arguments,
        name: first,
    };
    let Some(entry) = catalog.find(&subject) else {
        println!("none of {} entries", catalog.len());
        return ExitCode::FAILURE;
    };
    println!("{} ({})", entry.name, entry.id);
    let themes = Themes::read(&places);
    let icon = entry.icon.as_deref();
    match icon.and_then(|icon| themes.find(icon, 48, 1)) {
        Some(path) => println!("{}", path.display()),
        None => println!("no icon"),
    }
    ExitCode::SUCCESS
}

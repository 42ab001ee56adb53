//! Icons that Windows and macOS keep in executables and bundles: of a program that each of
//! them has.
#![cfg(all(feature = "picon", any(windows, target_os = "macos")))]
#![allow(clippy::expect_used, reason = "a test may fail")]

use std::path::Path;

use flowner_icons::{Data, Finder, Locale, Places, ProgramQuery};

#[cfg(windows)]
const PROGRAM: &str = r"C:\Windows\explorer.exe";
#[cfg(target_os = "macos")]
const PROGRAM: &str = "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder";

#[test]
fn a_program_of_the_system_has_its_icon() {
    let subject = ProgramQuery {
        application_id: None,
        executable: Some(Path::new(PROGRAM)),
        arguments: &[],
        name: "",
        ..ProgramQuery::default()
    };
    let mut finder = Finder::new(Places::new([]), Locale::default());
    let icon = finder.icon(&subject, 32, 1).expect("it has an icon");
    let Data::Rgba { pixels, .. } = icon.data else {
        panic!("the system has pixels");
    };
    assert!(pixels.chunks(4).any(|pixel| pixel[3] > 0));
}

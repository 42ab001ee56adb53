//! Elsewhere: by the file of the program.

use iced::window::settings::PlatformSpecific;

pub(crate) fn settings() -> PlatformSpecific {
    PlatformSpecific::default()
}

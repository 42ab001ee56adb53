//! Linux: by the application id of Wayland, which is the class of X11.

use iced::window::settings::PlatformSpecific;

pub(crate) fn settings() -> PlatformSpecific {
    PlatformSpecific {
        application_id: "flowner-gui".to_owned(),
        ..PlatformSpecific::default()
    }
}

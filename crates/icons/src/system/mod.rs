//! Icons that the system keeps in executables and bundles: through the crate `picon`, with
//! the feature of that name, on Windows and macOS. A platform owes `icon`.

#[cfg_attr(
    all(feature = "picon", any(windows, target_os = "macos")),
    path = "picon.rs"
)]
#[cfg_attr(
    not(all(feature = "picon", any(windows, target_os = "macos"))),
    path = "other.rs"
)]
mod platform;
#[cfg(all(feature = "picon", target_os = "macos"))]
mod tiff;

pub(crate) use platform::icon;

//! The version of this build.

/// The version, and the commit if known.
pub(crate) fn short() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match env!("FLOWNER_COMMIT") {
        "" => version.to_owned(),
        commit => format!("{version} ({commit})"),
    }
}

/// Everything that a bug report needs.
pub(crate) fn long() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "{}\ntarget: {} ({build})\ncapture library: {}",
        short(),
        env!("FLOWNER_TARGET"),
        flowner_core::capture::library_version()
    )
}

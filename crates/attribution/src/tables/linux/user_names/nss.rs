//! The name service of the C library (`getpwuid_r(3)`).

/// The name of a user from the configured sources. Replaces bytes that are not UTF-8. This may wait
/// for a server.
pub(super) fn name(uid: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(uid)?;
    Some(user.name().to_string_lossy().into_owned())
}

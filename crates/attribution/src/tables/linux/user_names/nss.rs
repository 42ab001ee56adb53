//! The name service of the C library (`getpwuid_r(3)`).

/// The name of a user, as the configured sources tell it; what is no UTF-8 in it is replaced. This
/// may wait for a server.
pub(super) fn name(uid: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(uid)?;
    Some(user.name().to_string_lossy().into_owned())
}

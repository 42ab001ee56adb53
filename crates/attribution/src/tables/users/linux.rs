//! Linux: `/etc/passwd` and the name service.

use crate::tables::linux::user_names::UserNames;

pub(super) fn name(uid: u32) -> Option<String> {
    UserNames::of_system().name(uid)
}

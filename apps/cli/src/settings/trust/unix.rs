//! Unix: the owner and the mode of the file (inode(7)).
#![allow(
    unsafe_code,
    reason = "the user id of this process has no safe interface in the library"
)]

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

const ROOT: u32 = 0;
/// `S_IWOTH`.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// Why the user whose rights are in effect must not trust a file: another user than this one and root
/// decides what is in it.
pub(crate) fn why_not(file: &File) -> io::Result<Option<&'static str>> {
    let metadata = file.metadata()?;
    // SAFETY: it has no arguments, and always succeeds.
    let user = unsafe { libc::geteuid() };
    Ok(why_not_as(user, metadata.uid(), metadata.mode()))
}

fn why_not_as(user: u32, owner: u32, mode: u32) -> Option<&'static str> {
    if owner != user && owner != ROOT {
        return Some("belongs to another user");
    }
    (mode & WRITABLE_BY_OTHERS != 0).then_some("can be written by every user")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_and_root_decide() {
        for (owner, mode, is_trusted) in [
            (1_000, 0o644, true),
            (1_000, 0o664, true),
            (ROOT, 0o644, true),
            (1_000, 0o666, false),
            (ROOT, 0o602, false),
            (1_001, 0o600, false),
        ] {
            let why_not = why_not_as(1_000, owner, mode);
            assert_eq!(why_not.is_none(), is_trusted, "{owner} {mode:o}");
        }
        assert!(why_not_as(ROOT, 1_000, 0o600).is_some());
    }
}

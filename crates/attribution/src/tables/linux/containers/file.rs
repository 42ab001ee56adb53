//! Reads files that programs and users have written: bounded, whole, and only those of the given
//! writer.

use std::io::Read;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;

/// The user who must have written a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer<'a> {
    /// The system: root, or the user of this process.
    System,
    /// A user, below a directory of that user. The path may not contain links.
    User { uid: u32, below: &'a Path },
}

/// The content of a file. `None` if it does not exist, is longer than `max` bytes, is not a regular
/// file, or belongs to another user.
pub(super) fn read(path: &Path, writer: Writer<'_>, max: u64) -> Option<Vec<u8>> {
    // A pipe or the like must not block the reader.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match writer {
        Writer::System => openat(CWD, path, flags, Mode::empty()).ok()?,
        Writer::User { below, .. } => {
            let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let top = openat(CWD, below, directory, Mode::empty()).ok()?;
            let inside = path.strip_prefix(below).ok()?;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(&top, inside, flags, Mode::empty(), resolve) {
                // Before Linux 5.6, this reads no files of users.
                Err(Errno::NOSYS) => return None,
                opened => opened.ok()?,
            }
        }
    };
    let stat = fstat(&file).ok()?;
    let is_writer = match writer {
        Writer::System => stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw(),
        Writer::User { uid, .. } => stat.st_uid == uid,
    };
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let is_short = u64::try_from(stat.st_size).is_ok_and(|size| size <= max);
    if !(is_writer && is_file && is_short) {
        return None;
    }
    let mut bytes = Vec::new();
    let mut limited = std::fs::File::from(file).take(max + 1);
    limited.read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= max).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_of_the_writer_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir_all(home.join("a")).unwrap();
        std::fs::write(home.join("a/file"), "text").unwrap();
        std::fs::write(directory.path().join("outside"), "secret").unwrap();
        symlink(directory.path().join("outside"), home.join("a/link")).unwrap();
        symlink(directory.path(), home.join("up")).unwrap();
        symlink("a", home.join("inside")).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let own = Writer::User { uid, below: &home };
        let other = Writer::User {
            uid: uid + 1,
            below: &home,
        };
        let get = |path: &str, writer| read(&home.join(path), writer, 4);
        for writer in [Writer::System, own] {
            assert_eq!(get("a/file", writer).as_deref(), Some(&b"text"[..]));
            assert_eq!(read(&home.join("a/file"), writer, 3), None);
            for path in ["a/link", "a", "a/none"] {
                assert_eq!(get(path, writer), None, "{path}");
            }
        }
        for path in ["up/outside", "inside/file", "../outside"] {
            assert_eq!(get(path, own), None, "{path}");
        }
        assert_eq!(get("a/file", other), None);
        // No process writes to the pipe.
        let pipe = home.join("a/pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            assert_eq!(read(&pipe, own, 4), None);
        }
    }
}

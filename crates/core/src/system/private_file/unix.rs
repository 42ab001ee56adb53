//! Systems with modes and symbolic links (open(2)).

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, stat, statat, unlinkat,
};

const MODE: u32 = 0o600;
/// How often another process may create the file first.
const TRIES: usize = 3;

#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = SEARCHED | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    pub(super) fn create_new(&self, name: &OsStr) -> io::Result<File> {
        // `EXCL` fails with "exists" for a link, too.
        let flags = FLAGS | OFlags::CREATE | OFlags::EXCL;
        let file = openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(file.into())
    }

    pub(super) fn replace(&self, name: &OsStr) -> io::Result<File> {
        for _ in 0..TRIES {
            let there = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
            let there = match there.map_err(io::Error::from) {
                Ok(there) => there,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match self.create_new(name) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                        done => return done,
                    }
                }
                Err(error) => return Err(error),
            };
            let kind = FileType::from_raw_mode(there.st_mode);
            if !kind.is_file() && !kind.is_symlink() {
                // Opening a pipe waits for a reader, perhaps forever.
                if !may_write_to_special(&there) {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                return self.open_special(name);
            }
            if let Err(error) = self.remove(name) {
                return match error.kind() {
                    io::ErrorKind::NotFound => continue,
                    // The directory forbids a new file; the file itself may be writable.
                    io::ErrorKind::PermissionDenied if kind.is_file() => self.empty(name),
                    _ => Err(error),
                };
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(super) fn has(&self, name: &OsStr) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn open_to_write(&self, name: &OsStr) -> io::Result<File> {
        Ok(openat(&self.0, name, FLAGS, Mode::empty())?.into())
    }

    /// A device or a pipe.
    fn open_special(&self, name: &OsStr) -> io::Result<File> {
        let file = self.open_to_write(name)?;
        let is = fstat(&file)?;
        if FileType::from_raw_mode(is.st_mode).is_file() || !may_write_to_special(&is) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(file)
    }

    /// An existing file that stays in place, truncated.
    fn empty(&self, name: &OsStr) -> io::Result<File> {
        let file = self.open_to_write(name)?;
        let is = file.metadata()?;
        if !is.is_file() || is.nlink() != 1 || !is_by(is.uid()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.set_len(0)?;
        Ok(file)
    }
}

const FLAGS: OFlags = OFlags::WRONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// A directory that its user can write but not read is enough.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SEARCHED: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEARCHED: OFlags = OFlags::RDONLY;

fn is_by(uid: u32) -> bool {
    uid == rustix::process::geteuid().as_raw()
}

/// Another user who owns a device or a pipe could read what flowner writes. The null device reveals
/// nothing, so any user may own it: root is not its owner in a user's container, or after another
/// program gave the node away.
fn may_write_to_special(there: &Stat) -> bool {
    is_by(there.st_uid) || there.st_uid == 0 || is_null_device(there)
}

fn is_null_device(there: &Stat) -> bool {
    FileType::from_raw_mode(there.st_mode).is_char_device()
        && stat("/dev/null").is_ok_and(|null| null.st_rdev == there.st_rdev)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::super::{Existing, create};
    use super::*;

    fn create_new(path: &Path) -> io::Result<File> {
        create(path, Existing::Keep)
    }

    fn replace(path: &Path) -> io::Result<File> {
        create(path, Existing::Replace)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        create_new(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        let error = create_new(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        // Also where it replaces a file that all may read.
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let mut file = replace(&path).unwrap();
        file.write_all(b"secret").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &link).unwrap();
        let error = create_new(&link).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        replace(&link).unwrap().write_all(b"mine").unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        // Nor a link to a missing file.
        let nowhere = folder.path().join("nowhere");
        symlink(folder.path().join("made"), &nowhere).unwrap();
        assert!(create_new(&nowhere).is_err());
        replace(&nowhere).unwrap();
        assert!(!folder.path().join("made").exists());
    }

    #[test]
    fn another_name_of_the_file_keeps_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("path"), folder.path().join("other"));
        fs::write(&path, "kept").unwrap();
        fs::hard_link(&path, &other).unwrap();
        replace(&path).unwrap().write_all(b"mine").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
    }

    #[test]
    fn nobody_waits_for_who_reads_a_pipe_of_others() {
        if !rustix::process::geteuid().is_root() {
            flowner_testing::skipped!("no privilege to make a pipe of another user");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let _waits_if_it_fails = std::thread::spawn(move || sender.send(replace(&path)));
        let replaced = receiver.recv_timeout(std::time::Duration::from_secs(10));
        let error = replaced.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_device_is_written_to() {
        replace(Path::new("/dev/null"))
            .unwrap()
            .write_all(b"x")
            .unwrap();
        assert!(!fs::symlink_metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(target_os = "linux")] // null(4): the numbers of the devices
    #[test]
    fn the_null_device_is_written_to_no_matter_who_owns_its_node() {
        let folder = tempfile::tempdir().unwrap();
        for (name, minor, may) in [("null", "3", true), ("full", "7", false)] {
            let path = folder.path().join(name);
            let made = std::process::Command::new("mknod")
                .arg(&path)
                .args(["c", "1", minor])
                .output();
            if !made.is_ok_and(|output| output.status.success()) || fs::write(&path, "").is_err() {
                flowner_testing::skipped!("no privilege to make a device, or to open it here");
                return;
            }
            fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let replaced = replace(&path);
            assert_eq!(replaced.is_ok(), may, "{name}: {replaced:?}");
        }
    }

    #[test]
    fn who_renames_a_directory_leads_no_file_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, moved, other] = ["kept", "moved", "other"].map(|name| folder.path().join(name));
        fs::create_dir(&kept).unwrap();
        fs::create_dir(&other).unwrap();
        let name = OsStr::new("file");
        let directory = super::super::Directory::of(&kept.join(name)).unwrap();
        fs::rename(&kept, &moved).unwrap();
        symlink(&other, &kept).unwrap();
        for existing in [Existing::Keep, Existing::Replace] {
            directory.create(name, existing).unwrap();
            assert!(directory.has(name) && moved.join(name).exists());
            assert!(!other.join(name).exists());
        }
        fs::write(other.join(name), "kept").unwrap();
        directory.remove(name).unwrap();
        assert!(!moved.join(name).exists() && other.join(name).exists());
    }
}

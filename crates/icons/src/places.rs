//! The directories of desktop entries and icons.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::owner::owner;

/// The directories below which `applications`, `icons` and `pixmaps` are, and those of
/// programs, the most preferred first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    data: Vec<Data>,
    homes: Vec<PathBuf>,
    configuration: Vec<PathBuf>,
    programs: Vec<PathBuf>,
    /// The root of absolute paths, if it is not `/`.
    root: Option<PathBuf>,
}

/// A directory below which `applications`, `icons` and `pixmaps` are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Data {
    path: PathBuf,
    users: Users,
}

/// The users whose processes the entries of a directory describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Users {
    /// Those of all users.
    Everyone,
    /// Those of the owner of the directory, if that is not root.
    Owner,
    /// Those of the owner of the directory: it is in a home.
    User(Option<u32>),
}

/// The directories below which applications, icons and pixmaps are for all users.
const SYSTEM: [&str; 5] = [
    "/usr/local/share",
    "/usr/share",
    "/var/lib/flatpak/exports/share",
    "/var/lib/snapd/desktop",
    "/run/current-system/sw/share",
];
/// The directories of programs.
const PROGRAMS: [&str; 5] = [
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/usr/games",
];

impl Places {
    /// Those of the user who runs this, and under `sudo` and `pkexec` of the user who called it:
    /// `XDG_DATA_HOME` and `XDG_DATA_DIRS` (XDG Base Directory Specification), and where
    /// Flatpak and Snap export to.
    pub fn of_this_user() -> Self {
        let passwd = fs::read("/etc/passwd").unwrap_or_default();
        let passwd = String::from_utf8_lossy(&passwd);
        Self::from_environment(&|name| std::env::var_os(name), &passwd)
    }

    /// Those below these directories only, the most preferred first. Their entries are of all
    /// users.
    pub fn new(data: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut places = Self::default();
        let data = data.into_iter();
        data.for_each(|folder| places.add(&folder, Users::Everyone));
        places
    }

    /// With the directories of the user who has this home, such as `.local/share`, before all
    /// others: the entries there describe the processes of this user alone.
    #[must_use]
    pub fn with_home(mut self, home: &Path) -> Self {
        let others = std::mem::take(&mut self.data);
        self.add_home(home, None);
        self.data.extend(others);
        self
    }

    /// The ids of the users whose homes are among these, the most preferred first; none where
    /// users have no such ids.
    pub fn users(&self) -> impl Iterator<Item = u32> {
        self.data.iter().filter_map(|data| match data.users {
            Users::User(user) => user,
            Users::Everyone | Users::Owner => None,
        })
    }

    /// With the directories in which the commands of entries are looked for: as a package
    /// may start `/opt/x/x` by a link `/usr/bin/x-stable`, links lead to more programs.
    #[must_use]
    pub fn with_programs(mut self, programs: impl IntoIterator<Item = PathBuf>) -> Self {
        self.programs.extend(programs);
        self
    }

    /// Those of a system that is below a folder, such as a container or another disk: the
    /// usual ones, and no user's. Paths of programs are those within it. Symbolic links that
    /// are absolute lead out of it, so they are not followed right.
    pub fn in_root(root: &Path) -> Self {
        let system = SYSTEM.map(|folder| within(Some(root), Path::new(folder)));
        let programs = PROGRAMS.map(|folder| within(Some(root), Path::new(folder)));
        Self {
            root: fs::canonicalize(root).ok(),
            ..Self::new(system).with_programs(programs)
        }
    }

    fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>, passwd: &str) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let mut places = Self::default();
        if let Some(home) = invoking_home(&set, passwd) {
            places.add_home(&home, None);
        }
        if let Some(home) = set("HOME") {
            let data = set("XDG_DATA_HOME").map(PathBuf::from);
            places.add_home(Path::new(&home), data);
        }
        // The folder of the called user, which may not be the caller's.
        places
            .configuration
            .extend(set("XDG_CONFIG_HOME").map(PathBuf::from));
        let system = set("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        // Under sudo, and as a service, the variable lacks the directories of Flatpak and Snap.
        let always = SYSTEM.map(PathBuf::from);
        // The owners of the usual directories are known.
        for folder in std::env::split_paths(&system) {
            let is_usual = SYSTEM.iter().any(|usual| Path::new(usual) == folder);
            places.add(
                &folder,
                if is_usual {
                    Users::Everyone
                } else {
                    Users::Owner
                },
            );
        }
        for folder in always {
            places.add(&folder, Users::Everyone);
        }
        // It does not use this process's own `PATH`, which the desktop does not know.
        places.with_programs(PROGRAMS.map(PathBuf::from))
    }

    fn add_home(&mut self, home: &Path, data: Option<PathBuf>) {
        let users = Users::User(owner(home));
        self.homes.push(home.to_owned());
        self.configuration.push(home.join(".config"));
        self.add(&data.unwrap_or_else(|| home.join(".local/share")), users);
        self.add(&home.join(".local/share/flatpak/exports/share"), users);
        self.add(&home.join(".nix-profile/share"), users);
    }

    /// Relative ones are invalid, as the specification says.
    fn add(&mut self, folder: &Path, users: Users) {
        // `/usr/share` and `/usr/share/` are the same.
        let path: PathBuf = folder.components().collect();
        if path.is_absolute() && self.data.iter().all(|known| known.path != path) {
            self.data.push(Data { path, users });
        }
    }

    /// The file that a command starts, without symbolic links.
    pub(crate) fn program(&self, command: &str) -> Option<PathBuf> {
        let path = Path::new(command);
        let found = if path.is_absolute() {
            fs::canonicalize(self.on_this_system(path)).ok()
        } else {
            let mut programs = self.programs.iter();
            programs.find_map(|folder| fs::canonicalize(folder.join(command)).ok())
        };
        let Some(root) = &self.root else {
            return found;
        };
        let inner = found?.strip_prefix(root).ok()?.to_owned();
        Some(Path::new("/").join(inner))
    }

    /// The path on this system for an absolute path of that system.
    pub(crate) fn on_this_system(&self, path: &Path) -> PathBuf {
        within(self.root.as_deref(), path)
    }

    /// The directories of desktop entries.
    pub(crate) fn applications(&self) -> impl Iterator<Item = PathBuf> {
        self.data.iter().map(|data| data.path.join("applications"))
    }

    /// The same, each with the user of the processes that they describe; `None` for all users.
    pub(crate) fn applications_of(&self) -> impl Iterator<Item = (PathBuf, Option<u32>)> {
        self.data.iter().filter_map(|data| {
            let folder = data.path.join("applications");
            match data.users {
                Users::Everyone => Some((folder, None)),
                Users::Owner => {
                    let user = owner(&folder).filter(|user| *user != 0);
                    Some((folder, user))
                }
                // The owner is unknown.
                Users::User(None) => None,
                Users::User(user) => Some((folder, user)),
            }
        })
    }

    /// The directories of this user's settings.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no themes"))]
    pub(crate) fn configuration(&self) -> impl Iterator<Item = &PathBuf> {
        self.configuration.iter()
    }

    /// Where icon themes are, and icons without one (Icon Theme Specification,
    /// "Directory Layout").
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no themes"))]
    pub(crate) fn icons(&self) -> Vec<PathBuf> {
        let homes = self.homes.iter().map(|home| home.join(".icons"));
        let themes = self.data.iter().map(|data| data.path.join("icons"));
        let pixmaps = self.data.iter().map(|data| data.path.join("pixmaps"));
        homes.chain(themes).chain(pixmaps).collect()
    }
}

fn within(root: Option<&Path>, path: &Path) -> PathBuf {
    let inner = path.strip_prefix("/").unwrap_or(path);
    root.map_or_else(|| path.to_owned(), |root| root.join(inner))
}

/// The home of the user who called `sudo` or `pkexec`.
fn invoking_home(set: &impl Fn(&'static str) -> Option<OsString>, passwd: &str) -> Option<PathBuf> {
    if let Some(home) = set("SUDO_HOME") {
        return Some(home.into());
    }
    let uid = set("SUDO_UID").or_else(|| set("PKEXEC_UID"))?;
    let uid = uid.to_str()?;
    let mut users = passwd.lines().map(|line| line.split(':'));
    // name:password:uid:gid:comment:home (passwd(5))
    users.find_map(|mut fields| {
        let is_it = fields.nth(2) == Some(uid);
        is_it.then(|| fields.nth(2)).flatten().map(PathBuf::from)
    })
}

// Paths are those of the specifications.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";

    #[track_caller]
    fn check(variables: &[(&str, &str)], first: &[&str]) {
        let variable = |name: &str| {
            let mut variables = variables.iter();
            let (_, value) = variables.find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        };
        let places = Places::from_environment(&variable, PASSWD);
        let data: Vec<_> = places
            .data
            .iter()
            .map(|d| d.path.to_str().unwrap())
            .collect();
        assert_eq!(&data[..first.len()], first);
        let mut unique = data.clone();
        unique.dedup();
        assert_eq!(unique, data);
        for system in ["/usr/share", "/var/lib/snapd/desktop"] {
            assert!(data.contains(&system), "{data:?}");
        }
    }

    #[test]
    fn the_invoking_user_comes_first() {
        let ada = [
            "/home/ada/.local/share",
            "/home/ada/.local/share/flatpak/exports/share",
            "/home/ada/.nix-profile/share",
        ];
        let root = "/root/.local/share";
        check(
            &[("HOME", "/root"), ("SUDO_UID", "1000")],
            &[ada[0], ada[1], ada[2], root],
        );
        check(
            &[("HOME", "/root"), ("PKEXEC_UID", "1000")],
            &[ada[0], ada[1], ada[2], root],
        );
        check(&[("HOME", "/root"), ("SUDO_UID", "7")], &[root]);
        check(
            &[("SUDO_HOME", "/h"), ("SUDO_UID", "1000")],
            &["/h/.local/share"],
        );
    }

    #[test]
    fn directories_are_those_of_the_specification() {
        check(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")], &["/d"]);
        check(&[("XDG_DATA_DIRS", "/a/:relative:/b")], &["/a", "/b"]);
        check(
            &[("XDG_DATA_DIRS", "")],
            &["/usr/local/share", "/usr/share"],
        );
        check(&[], &["/usr/local/share", "/usr/share"]);
    }
}

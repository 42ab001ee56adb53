//! Paths without the parts that an upgrade changes. Pure, and based on text: it reads Windows paths
//! on any system, and the reverse.

/// A path without versions, and without other parts that differ between installations. Not an
/// existing path: only for comparison.
pub(super) fn without_versions(path: &str) -> String {
    let separator = separator(path);
    let is_windows = separator == '\\';
    let rules = Rules {
        takes_whole_numbers: is_installed(path),
    };
    let parts: Vec<&str> = path.split(separator).collect();
    let last = parts.len().saturating_sub(1);
    let mut kept: Vec<String> = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let part = if place == last {
            // `tool-2` beside `tool-1` is no upgrade.
            Rules::default().name(part)
        } else if is_store(&kept) {
            // /nix/store/HASH-NAME-VERSION and /gnu/store/HASH-NAME-VERSION
            let name = part.split_once('-').map_or(*part, |(_, name)| name);
            rules.folder(name)
        } else {
            rules.folder(part)
        };
        kept.push(part);
    }
    let text = kept.join(&separator.to_string());
    // Windows ignores case in file names.
    if is_windows {
        text.to_lowercase()
    } else {
        text
    }
}

/// The separator between the parts of this path.
pub(super) fn separator(path: &str) -> char {
    let bytes = path.as_bytes();
    let has_drive = bytes.get(1) == Some(&b':') && bytes.get(2) == Some(&b'\\');
    if has_drive || path.starts_with("\\\\") {
        '\\'
    } else {
        '/'
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(separator(path)).next().unwrap_or(path)
}

/// The directory of a file.
pub(super) fn folder(path: &str) -> Option<&str> {
    let (folder, _) = path.rsplit_once(separator(path))?;
    (!folder.is_empty()).then_some(folder)
}

/// A file name as a person would say it: without version, and without a suffix of executables such
/// as `.exe` and `.jar`.
pub(super) fn cleaned(file: &str) -> String {
    let name = Rules::default().name(file);
    let name = ["exe", "AppImage", "jar", "war", "dll", "asar"]
        .iter()
        .find_map(|extension| {
            let (name, found) = name.rsplit_once('.')?;
            found.eq_ignore_ascii_case(extension).then_some(name)
        })
        .unwrap_or(&name);
    // A package keeps the program behind a wrapper script under such names; Nix as `.name-wrapped`,
    // repeated for each script around it.
    let hidden = name.trim_start_matches('.').trim_end_matches("-wrapped");
    if hidden.len() + "-wrapped".len() < name.len() {
        return hidden.to_owned();
    }
    let ends = ["-bin", ".bin", ".real", "-real", ".wrapped", "-wrapped"];
    let inner = ends.iter().find_map(|end| name.strip_suffix(end));
    inner
        .filter(|name| !name.is_empty())
        .unwrap_or(name)
        .to_owned()
}

/// Whether only installers put programs there, which also name the directories. Elsewhere `job-1`
/// and `job-2` may be two different programs.
fn is_installed(path: &str) -> bool {
    const ROOTS: [&str; 9] = [
        "/usr/",
        "/opt/",
        "/nix/store/",
        "/gnu/store/",
        "/snap/",
        "/var/lib/snapd/",
        "/var/lib/flatpak/",
        "/Applications/",
        "/Library/",
    ];
    if separator(path) == '\\' {
        let path = path.to_lowercase();
        return ["\\program files", "\\appdata\\", "\\windows\\"]
            .iter()
            .any(|root| path.contains(root));
    }
    // In a home directory, hidden directories: `~/.nvm`, `~/.vscode`.
    ROOTS.iter().any(|root| path.starts_with(root)) || path.contains("/.")
}

fn is_store(parents: &[String]) -> bool {
    matches!(parents, [root, name, store]
        if root.is_empty() && (name == "nix" || name == "gnu") && store == "store")
}

#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    /// Whether `17` is a version, and not only `17.0`.
    takes_whole_numbers: bool,
}

impl Rules {
    fn folder(self, name: &str) -> String {
        // An AppImage is mounted on a name of its first six letters and six random ones.
        if let Some(mount) = name.strip_prefix(".mount_") {
            let end = mount.len().saturating_sub(6);
            return format!(".mount_{}", mount.get(..end).unwrap_or(mount));
        }
        if self.is_version(name) || is_hash(name) {
            return "*".to_owned();
        }
        // `Stable-COMMIT`
        if let Some((name, hash)) = name.rsplit_once('-')
            && !name.contains('-')
            && is_hash(hash)
        {
            return name.to_owned();
        }
        self.name(name)
    }

    /// `1.2.3`, `v18.17.0`, `1.75.0-x86_64-unknown-linux-gnu`; `123` of a Snap.
    fn is_version(self, name: &str) -> bool {
        let Some(version) = Version::at_start(name) else {
            return false;
        };
        let is_whole = version.length == name.len();
        if version.dots > 0 {
            return is_whole || name[version.length..].starts_with(['-', '_', '+', '~']);
        }
        is_whole && self.takes_whole_numbers
    }

    /// A name without the version in it.
    fn name(self, name: &str) -> String {
        for (place, separator) in name.char_indices() {
            let rest = &name[place + separator.len_utf8()..];
            if place == 0 || !matches!(separator, '-' | '_' | ' ') {
                continue;
            }
            let Some(version) = Version::at_start(rest) else {
                continue;
            };
            let after = &rest[version.length..];
            let ends = after.is_empty() || after.starts_with(['-', '_', ' ', '.']);
            // `linux-64` and `x86_64` are no versions.
            let is_whole = self.takes_whole_numbers
                && separator != '_'
                && !matches!(&rest[..version.length], "32" | "64" | "86" | "386");
            if ends && (version.dots > 0 || is_whole) {
                return format!("{}{after}", &name[..place]);
            }
        }
        attached(name)
    }
}

/// `python3.11` becomes `python3`, and `jdk1.8.0_292` becomes `jdk1`.
fn attached(name: &str) -> String {
    let mut before = None;
    for (place, character) in name.char_indices() {
        if character.is_ascii_digit() && before.is_some_and(char::is_alphabetic) {
            let rest = &name[place..];
            if let Some(version) = Version::at_start(rest).filter(|version| version.dots > 0) {
                let major = rest.find('.').unwrap_or(rest.len());
                let mut after = &rest[version.length..];
                if let Some(update) = after.strip_prefix('_') {
                    after = update.trim_start_matches(|c: char| c.is_ascii_digit());
                }
                return format!("{}{}{after}", &name[..place], &rest[..major]);
            }
        }
        before = Some(character);
    }
    name.to_owned()
}

/// A commit, a UUID: 32 hexadecimal digits or more.
pub(super) fn is_hash(name: &str) -> bool {
    let digits = name.chars().filter(|c| *c != '-');
    name.len() >= 32 && digits.clone().all(|c| c.is_ascii_hexdigit()) && digits.count() >= 32
}

/// The end of a version, and the number of dots in it.
#[derive(Debug, Clone, Copy)]
struct Version {
    length: usize,
    dots: usize,
}

impl Version {
    /// `1.2.3`, `v18.17.0`, `2.0rc1`, `17.0.2+8`.
    fn at_start(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = |mut place: usize| {
            while bytes.get(place).is_some_and(u8::is_ascii_digit) {
                place += 1;
            }
            place
        };
        let start = usize::from(matches!(bytes.first(), Some(b'v' | b'V')));
        let mut end = digits(start);
        if end == start {
            return None;
        }
        let mut dots = 0;
        while bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
            dots += 1;
        }
        // Prereleases and builds.
        if dots > 0 {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'~');
            while bytes.get(end).is_some_and(is_part) {
                end += 1;
            }
        } else if bytes.get(end).is_some_and(u8::is_ascii_alphabetic) {
            return None;
        }
        Some(Self { length: end, dots })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn same(one: &str, other: &str) {
        assert_eq!(without_versions(one), without_versions(other));
    }

    #[track_caller]
    fn kept(path: &str) {
        assert_eq!(without_versions(path), path);
    }

    #[test]
    fn an_upgrade_is_the_same_program() {
        same("/opt/app-1.2.3/bin/x", "/opt/app-1.3.0/bin/x");
        same(
            "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
            "/usr/lib/jvm/java-21-openjdk-amd64/bin/java",
        );
        same(
            "/usr/lib/jvm/jdk1.8.0_292/bin/java",
            "/usr/lib/jvm/jdk1.8.0_301/bin/java",
        );
        same(
            "/usr/lib/jvm/jdk-17.0.2+8/bin/java",
            "/usr/lib/jvm/jdk-17.0.9+9/bin/java",
        );
        same(
            "/home/ada/.vscode/extensions/ms-python.python-2023.22.1-linux-x64/bin/x",
            "/home/ada/.vscode/extensions/ms-python.python-2024.0.0-linux-x64/bin/x",
        );
        same(
            "/home/ada/.nvm/versions/node/v18.17.0/bin/node",
            "/home/ada/.nvm/versions/node/v20.1.0/bin/node",
        );
        same(
            "/home/ada/.rustup/toolchains/1.75.0-x86_64-unknown-linux-gnu/bin/cargo",
            "/home/ada/.rustup/toolchains/1.76.0-x86_64-unknown-linux-gnu/bin/cargo",
        );
        same(
            "/nix/store/0c5xmknlyhgwpzgpjbnpdh2rcvmxqgxy-firefox-120.0.1/bin/firefox",
            "/nix/store/9d5xmknlyhgwpzgpjbnpdh2rcvmxqgxz-firefox-121.0/bin/firefox",
        );
        same(
            "/tmp/.mount_KritaaBcDeF/usr/bin/krita",
            "/tmp/.mount_KritaZ0z0z0/usr/bin/krita",
        );
        same("/snap/vlc/3777/usr/bin/vlc", "/snap/vlc/3078/usr/bin/vlc");
        same(
            "/usr/lib/postgresql/15/bin/postgres",
            "/usr/lib/postgresql/16/bin/postgres",
        );
        same(
            "C:\\Users\\ada\\AppData\\Local\\Discord\\app-1.0.9030\\Discord.exe",
            "c:\\users\\ada\\appdata\\local\\discord\\app-1.0.9031\\discord.exe",
        );
        same(
            "C:\\Program Files\\Google\\Chrome\\Application\\120.0.6099.130\\n.exe",
            "C:\\Program Files\\Google\\Chrome\\Application\\121.0.6167.85\\n.exe",
        );
        same(
            "/home/ada/.vscode-server/cli/servers/Stable-0ee08df0cf4527e40edc9aa28f4b5bd38bbff2b2/server/node",
            "/home/ada/.vscode-server/cli/servers/Stable-1ee08df0cf4527e40edc9aa28f4b5bd38bbff2b2/server/node",
        );
        same(
            "/opt/homebrew/Cellar/wget/1.21.4/bin/wget",
            "/opt/homebrew/Cellar/wget/1.24.5_1/bin/wget",
        );
        same("/usr/bin/gimp-2.10", "/usr/bin/gimp-2.12");
        same("/usr/bin/python3.11", "/usr/bin/python3.13");
        same(
            "/home/ada/.vscode-server/bin/0ee08df0cf4527e40edc9aa28f4b5bd38bbff2b2/node",
            "/home/ada/.vscode-server/bin/1ee08df0cf4527e40edc9aa28f4b5bd38bbff2b2/node",
        );
    }

    #[test]
    fn different_programs_stay_apart() {
        kept("/usr/bin/curl");
        kept("/usr/lib/x86_64-linux-gnu/webkit/x");
        kept("/usr/lib64/firefox/firefox");
        kept("/home/ada/job-1/main.py");
        kept("/srv/2/app");
        kept("/usr/bin/7z");
        kept("/usr/bin/mkfs.ext4");
        kept("/opt/linux-64/x");
        kept("/usr/bin/tool-2");
        kept("/usr/lib/firefox-esr/firefox-esr");
        kept("/");
        kept("");
        assert_eq!(without_versions("/usr/bin/python2.7"), "/usr/bin/python2");
        assert_eq!(without_versions("/a/b-1.2.jar"), "/a/b.jar");
    }

    #[test]
    fn names_are_cleaned() {
        let check = |file, expected: &str| assert_eq!(cleaned(file), expected);
        check("curl", "curl");
        check("Discord.exe", "Discord");
        check("python3.11", "python3");
        check("Krita-5.2.2-x86_64.AppImage", "Krita-x86_64");
        check("soffice.bin", "soffice");
        check("-bin", "-bin");
        check(".exe", "");
        check(".firefox-wrapped", "firefox");
        check("..foo-wrapped-wrapped", "foo");
        check("-wrapped", "-wrapped");
        check("jenkins.war", "jenkins");
        check("app-1.2.jar", "app");
        check("Server.dll", "Server");
    }

    proptest! {
        #[test]
        fn any_path_can_be_compared(path in "[/\\\\ a-z0-9._+~v:\u{e9}-]{0,60}") {
            let once = without_versions(&path);
            prop_assert!(once.len() <= path.to_lowercase().len() + path.len());
            cleaned(&path);
            folder(&path);
        }
    }
}

//! Decides by paths which executables belong to one product. Pure.

use super::versions::{file_name, folder, separator};

/// Parts of engines and sandboxes, which are no programs by themselves: the process that started
/// them is the program.
const HELPERS: [&str; 16] = [
    "chrome-sandbox",
    "chrome_crashpad_handler",
    "crashpad_handler",
    "crashreporter",
    "gst-plugin-scanner",
    "minidump-analyzer",
    "QtWebEngineProcess",
    "QtWebEngineProcess.exe",
    "WebKitGPUProcess",
    "WebKitNetworkProcess",
    "WebKitPluginProcess",
    "WebKitWebProcess",
    "xdg-dbus-proxy",
    "zypak-helper",
    "zypak-sandbox",
    "msedgewebview2.exe",
];

/// Programs that start any other program, so that being started by one means nothing.
const STARTERS: [&str; 27] = [
    "anacron",
    "at",
    "atd",
    "conmon",
    "containerd-shim",
    "containerd-shim-runc-v2",
    "cron",
    "crond",
    "dockerd",
    "explorer.exe",
    "gmake",
    "init",
    "launchd",
    "make",
    "ninja",
    "parallel",
    "runit",
    "runsv",
    "s6-supervise",
    "screen",
    "services.exe",
    "supervisord",
    "svchost.exe",
    "systemd",
    "tmux",
    "watch",
    "xargs",
];

/// Whether an executable with this file name is only a part of other programs.
pub(super) fn is_helper(file: &str) -> bool {
    HELPERS.contains(&file)
}

/// Whether an executable with this file name starts programs of other products.
pub(super) fn starts_anything(file: &str) -> bool {
    STARTERS.contains(&file)
}

/// Whether many programs share a directory, so that being in it means nothing.
pub(super) fn is_public(folder: &str) -> bool {
    const NAMES: [&str; 6] = ["bin", "sbin", "games", "Desktop", "Downloads", "System32"];
    const FOLDERS: [&str; 19] = [
        "",
        "/root",
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/libexec",
        "/usr/share",
        "/usr/local/lib",
        "/usr/local/libexec",
        "/opt",
        "/tmp",
        "/var/tmp",
        // Collections of programs.
        "/opt/anaconda3",
        "/opt/conda",
        "/opt/homebrew",
        "/opt/local",
        "/opt/miniconda3",
        "/opt/miniforge3",
    ];
    let parent = self::folder(folder).map(file_name);
    let is_home = matches!(parent, Some("home" | "Users"));
    let name = file_name(folder);
    let is_named_so = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    FOLDERS.contains(&folder) || folder.ends_with(':') || is_home || is_named_so || is_triplet(name)
}

/// Whether a file may belong to a product: it is in a product's directory, not where commands are.
pub(super) fn may_be_part(path: &str) -> bool {
    root(path).is_some() || folder(path).is_some_and(|folder| !is_public(folder))
}

/// Whether a file, an executable or a script, belongs to the same product as another one.
pub(super) fn is_of_same(path: &str, other: &str) -> bool {
    let (own, others) = (root(path), root(other));
    if own.is_some() && own == others {
        return true;
    }
    let Some(other_folder) = folder(other) else {
        return false;
    };
    if is_public(other_folder) {
        // `/usr/bin/git` and `/usr/lib/git-core/git-remote-https`,
        // `/usr/sbin/sshd` and `/usr/lib/openssh/sshd-session`
        let (file, other) = (file_name(path), file_name(other));
        return own
            .is_some_and(|own| is_related(file_name(own), other) || is_called_after(file, other));
    }
    let below = path.strip_prefix(other_folder);
    below.is_some_and(|rest| rest.starts_with(separator(path)))
}

/// `git-core` and `git`, `apt` and `apt-get`.
fn is_related(one: &str, other: &str) -> bool {
    is_called_after(one, other) || is_called_after(other, one)
}

fn is_called_after(long: &str, short: &str) -> bool {
    let rest = long.strip_prefix(short).filter(|_| !short.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Directories in which each directory belongs to one product; nested ones come after their
/// parents.
const BASES: [&str; 18] = [
    "/opt/",
    "/opt/homebrew/Cellar/",
    "/opt/homebrew/opt/",
    "/usr/local/Cellar/",
    "/home/linuxbrew/.linuxbrew/Cellar/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/libexec/",
    "/usr/share/",
    "/usr/share/java/",
    "/usr/local/lib/",
    "/usr/local/libexec/",
    "/usr/local/share/",
    "/nix/store/",
    "/gnu/store/",
    "/snap/",
    "/Applications/",
    "/tmp/.mount_",
];

/// The same in a home directory; nested ones come after their parents.
const HOME_BASES: [&str; 8] = [
    "/.local/share/",
    "/.local/share/JetBrains/Toolbox/apps/",
    "/.local/share/Steam/steamapps/common/",
    "/.local/share/flatpak/app/",
    "/.local/share/pipx/venvs/",
    "/.local/share/uv/tools/",
    "/.steam/debian-installation/steamapps/common/",
    "/.var/app/",
];

/// The directory of a whole product, if the path is in one of the directories that are organised by
/// product.
fn root(path: &str) -> Option<&str> {
    if separator(path) == '\\' {
        return root_of_windows(path);
    }
    let base = BASES.iter().rev().find(|base| path.starts_with(**base));
    let start = if let Some(base) = base {
        base.len()
    } else {
        // In a home directory, the data directory of an application.
        let mut bases = HOME_BASES.iter().rev();
        bases.find_map(|base| Some(path.find(base)? + base.len()))?
    };
    let end = start + path[start..].find('/')?;
    let name = &path[start..end];
    if is_triplet(name) {
        // /usr/lib/x86_64-linux-gnu/NAME
        let end = end + 1 + path[end + 1..].find('/')?;
        return Some(&path[..end]);
    }
    (!is_public(&path[..end])).then(|| &path[..end])
}

/// `C:\Program Files\VENDOR\PRODUCT`, `...\AppData\Local\PRODUCT`.
fn root_of_windows(path: &str) -> Option<&str> {
    let lower = path.to_ascii_lowercase();
    let bases = [
        ("\\program files\\windowsapps\\", 1),
        ("\\program files\\", 2),
        ("\\program files (x86)\\", 2),
        ("\\appdata\\local\\programs\\", 1),
        ("\\appdata\\local\\", 1),
        ("\\appdata\\roaming\\", 1),
    ];
    let (base, depth) = bases.into_iter().find(|(base, _)| lower.contains(base))?;
    let start = lower.find(base)? + base.len();
    let rest = &path[start..];
    let ends = rest.match_indices('\\').map(|(place, _)| place);
    let end = ends.take(depth).last()?;
    Some(&path[..start + end])
}

/// `x86_64-linux-gnu`, where Debian puts files of one architecture.
fn is_triplet(name: &str) -> bool {
    name.contains("-linux-gnu") || name.ends_with("-linux-musl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, other: &str, expected: bool) {
        assert_eq!(is_of_same(path, other), expected, "{path} {other}");
    }

    #[test]
    fn products_are_folders() {
        check("/opt/a/chrome_helper", "/opt/a/chrome", true);
        check("/opt/a/lib/helper", "/opt/a/bin/main", true);
        check("/opt/a/x", "/opt/b/x", false);
        check(
            "/usr/lib/firefox/plugin-container",
            "/usr/lib/firefox/firefox",
            true,
        );
        check(
            "/usr/lib/x86_64-linux-gnu/a/h",
            "/usr/lib/x86_64-linux-gnu/a/m",
            true,
        );
        check(
            "/usr/lib/x86_64-linux-gnu/a/h",
            "/usr/lib/x86_64-linux-gnu/b/m",
            false,
        );
        check("/usr/lib/git-core/git-remote-https", "/usr/bin/git", true);
        check("/usr/lib/apt/methods/https", "/usr/bin/apt-get", true);
        check("/usr/lib/gvfs/gvfsd-http", "/usr/bin/gedit", false);
        check("/usr/libexec/gvfsd-http", "/usr/libexec/gvfsd", false);
        check("/usr/bin/curl", "/usr/bin/wget", false);
        check("/home/ada/app/lib/h", "/home/ada/app/main", true);
        check("/home/ada/b", "/home/ada/a", false);
        check("/home/ada/Downloads/b", "/home/ada/Downloads/a", false);
        check("/home/ada/apple/h", "/home/ada/app/main", false);
        check("/tmp/b", "/tmp/a", false);
        check(
            "/tmp/.mount_aXYZ/usr/bin/b",
            "/tmp/.mount_aXYZ/AppRun",
            true,
        );
        check(
            "C:\\Program Files\\Google\\Chrome\\Application\\1.2\\helper.exe",
            "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
            true,
        );
        check(
            "C:\\Program Files\\Google\\Drive\\a.exe",
            "C:\\Program Files\\Google\\Chrome\\chrome.exe",
            false,
        );
        check(
            "C:\\Windows\\System32\\a.exe",
            "C:\\Windows\\System32\\b.exe",
            false,
        );
        check("/usr/lib/openssh/sshd-session", "/usr/sbin/sshd", true);
        check("", "", false);
    }

    #[test]
    fn a_collection_of_products_is_no_product() {
        check(
            "/opt/homebrew/Cellar/curl/8.5/bin/curl",
            "/opt/homebrew/Cellar/neovim/0.9.5/bin/nvim",
            false,
        );
        check("/opt/conda/bin/curl", "/opt/conda/lib/x/main.py", false);
        let toolbox = "/home/ada/.local/share/JetBrains/Toolbox";
        check(
            &format!("{toolbox}/apps/pycharm/bin/pycharm"),
            &format!("{toolbox}/bin/jetbrains-toolbox"),
            false,
        );
        let steam = "/home/ada/.local/share/Steam";
        check(
            &format!("{steam}/steamapps/common/Game/game"),
            &format!("{steam}/ubuntu12_32/steam"),
            false,
        );
        check(
            &format!("{steam}/ubuntu12_64/steamwebhelper"),
            &format!("{steam}/ubuntu12_32/steam"),
            true,
        );
    }

    #[test]
    fn public_folders_mean_nothing() {
        for folder in ["/usr/bin", "/bin", "/opt", "/home/ada", "/root", "/tmp", ""] {
            assert!(is_public(folder), "{folder}");
        }
        for folder in ["/opt/a", "/home/ada/app", "/usr/lib/firefox"] {
            assert!(!is_public(folder), "{folder}");
        }
    }
}

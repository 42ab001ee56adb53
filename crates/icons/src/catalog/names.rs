//! Derives a program's name from the names of files and directories. Pure.

use std::ffi::OsStr;
use std::path::Path;

/// The name of a program that its package renamed, to put a script or a diversion in its place.
pub(super) fn unwrapped(file: &str) -> Option<&str> {
    let ends = [
        "-bin", ".bin", ".real", "-real", "-wrapped", ".wrapped", "bin",
    ];
    let name = ends.iter().find_map(|end| file.strip_suffix(end))?;
    // Nix: `.name-wrapped`.
    Some(name.trim_start_matches('.'))
}

/// The command for which a file outside every user's PATH does the work:
/// `/usr/libexec/gnome-terminal-server` is the program that `gnome-terminal` shows.
pub(super) fn served(path: &str) -> Option<&str> {
    const FOLDERS: [&str; 4] = [
        "/usr/lib/",
        "/usr/lib64/",
        "/usr/libexec/",
        "/usr/local/libexec/",
    ];
    const ENDS: [&str; 6] = [
        "-agent",
        "-daemon",
        "-helper",
        "-search-provider",
        "-server",
        "-service",
    ];
    let is_internal = FOLDERS.iter().any(|folder| path.starts_with(folder));
    let file = path.rsplit('/').next().filter(|_| is_internal)?;
    ENDS.iter().find_map(|end| file.strip_suffix(end))
}

/// Whether files of many programs have this name, so that the name alone identifies none.
pub(super) fn is_usual(file: &str) -> bool {
    const NAMES: [&str; 19] = [
        "__main__", "app", "AppRun", "boot", "cli", "client", "gui", "index", "launch", "launcher",
        "main", "manage", "program", "run", "server", "start", "update", "worker", "wrapper",
    ];
    let stem = file.split('.').next().unwrap_or_default();
    NAMES.contains(&stem)
}

/// The name of the directory in which a program keeps its own files (Filesystem Hierarchy Standard
/// 3.0), or of its Python package.
pub(super) fn product(path: &str) -> Option<&str> {
    const BASES: [&str; 9] = [
        "/usr/share/",
        "/usr/lib/",
        "/usr/lib64/",
        "/usr/libexec/",
        "/usr/local/share/",
        "/usr/local/lib/",
        "/usr/local/libexec/",
        "/usr/share/games/",
        "/opt/",
    ];
    let packages = ["/dist-packages/", "/site-packages/"];
    let of_python = packages.iter().find_map(|folder| path.split_once(folder));
    let rest = match of_python {
        Some((_, rest)) => rest,
        None => BASES
            .iter()
            .rev()
            .find_map(|base| path.strip_prefix(base))?,
    };
    let (name, rest) = rest.split_once('/')?;
    // `x86_64-linux-gnu`, where Debian puts files that differ by architecture.
    if name.contains("-linux-gnu") {
        return rest.split_once('/').map(|(name, _)| name);
    }
    Some(name)
}

/// Whether a directory may belong to one program alone.
pub(super) fn is_private(folder: &Path) -> bool {
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    !matches!(
        name,
        "" | "bin" | "sbin" | "games" | "lib" | "lib64" | "libexec" | "opt"
    )
}

//! What the system's layout says about an executable: bundles of macOS, packages of Windows, Snaps,
//! and scopes of the desktop. Pure.

use flowner_attribution::{Unit, UnitKind};
use flowner_icons::{Catalog, Entry};

/// The outermost application of macOS with this file: helpers are applications within it.
pub(super) fn bundle(path: &str) -> Option<&str> {
    let end = path.find(".app/Contents/")? + ".app".len();
    Some(&path[..end])
}

/// The name and publisher of a package of Windows, without version and architecture
/// (`NAME_VERSION_ARCHITECTURE_RESOURCE_PUBLISHER`, "Package full name").
pub(super) fn package(path: &str) -> Option<String> {
    const FOLDER: &str = "\\windowsapps\\";
    // The length stays the same: only ASCII letters change.
    let start = path.to_ascii_lowercase().find(FOLDER)? + FOLDER.len();
    let full = path.get(start..)?.split('\\').next()?;
    let name = full.split('_').next()?;
    let publisher = full.rsplit('_').next()?;
    (full.matches('_').count() >= 3).then(|| format!("{name}_{publisher}"))
}

/// Whether a file is in a Snap. A Snap without confinement may start any program of the host.
pub(super) fn is_of_snap(name: &str, path: Option<&str>) -> bool {
    let below = |root: &str| {
        let rest = path.and_then(|path| path.strip_prefix(root));
        rest.is_some_and(|rest| rest.split('/').next() == Some(name))
    };
    path.is_none() || below("/snap/") || below("/var/lib/snapd/snap/")
}

/// The entry of the application that the desktop started in this unit:
/// `app-LAUNCHER-ID-RANDOM.scope`, `app-LAUNCHER-ID@RANDOM.service`
/// (`systemd.io/DESKTOP_ENVIRONMENTS`).
pub(super) fn scope<'a>(unit: &Unit, user: Option<u32>, catalog: &'a Catalog) -> Option<&'a Entry> {
    if unit.kind != UnitKind::Service {
        return None;
    }
    let name = unit.name.strip_prefix("app-")?;
    let id = match name.rsplit_once('.')? {
        (name, "scope") => name.rsplit_once('-').map_or(name, |(id, _)| id),
        (name, "service") => name.split('@').next().unwrap_or(name),
        _ => return None,
    };
    let without_launcher = id.split_once('-').map(|(_, id)| id);
    let mut candidates = [Some(id), without_launcher].into_iter().flatten();
    candidates.find_map(|id| catalog.application(id, user))
}

//! Where the packages of systems and the vendors' tools put databases.

use std::path::{Path, PathBuf};

/// Directories, the first one first. Those of Debian and Fedora (`geoipupdate`), of MaxMind's own
/// packages, FreeBSD's ports, Homebrew, and MaxMind's installer for Windows.
const DIRECTORIES: [&str; 8] = [
    "/var/lib/GeoIP",
    "/usr/share/GeoIP",
    "/usr/local/share/GeoIP",
    "/usr/local/var/GeoIP",
    "/opt/homebrew/var/GeoIP",
    "/var/db/GeoIP",
    "/usr/share/dbip",
    r"C:\ProgramData\MaxMind\GeoIPUpdate\GeoIP",
];

/// What file names of databases begin with, the more exact kind first: of several that tell the
/// same, one is enough.
const COUNTRIES: [&str; 8] = [
    "GeoIP2-City",
    "GeoLite2-City",
    "dbip-city",
    "GeoIP2-Country",
    "GeoLite2-Country",
    "dbip-country",
    "ipinfo_lite",
    "country_asn",
];
const NETWORKS: [&str; 6] = [
    "GeoIP2-ISP",
    "GeoLite2-ASN",
    "dbip-asn",
    "ipinfo_lite",
    "country_asn",
    "asn",
];

/// The databases that this host has: at most one that knows countries, and one that knows
/// networks, which may be the same file.
#[must_use]
pub fn usual_databases() -> Vec<PathBuf> {
    databases_in(&DIRECTORIES.map(Path::new))
}

pub(super) fn databases_in(directories: &[&Path]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for kinds in [&COUNTRIES[..], &NETWORKS[..]] {
        let mut all = directories.iter();
        let first = all.find_map(|directory| best_of(directory, kinds));
        found.extend(first);
    }
    found.dedup();
    found
}

/// The file of the most exact kind in a directory. Files of several months differ by the end of
/// their names; the newest is the last.
fn best_of(directory: &Path, kinds: &[&str]) -> Option<PathBuf> {
    /// A directory of databases has few files.
    const MOST: usize = 1_000;
    let entries = std::fs::read_dir(directory).ok()?;
    let names = entries.flatten().take(MOST).map(|entry| entry.file_name());
    let names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    kinds.iter().find_map(|kind| {
        let is_kind = |name: &&String| {
            name.starts_with(kind) && Path::new(name).extension().is_some_and(|end| end == "mmdb")
        };
        let newest = names.iter().filter(is_kind).max()?;
        Some(directory.join(newest))
    })
}

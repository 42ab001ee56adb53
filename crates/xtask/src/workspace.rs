//! The crates of the workspace, and their files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Failure;

/// The directories of the crates.
pub(crate) fn members(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut members = read_dir(&root.join("crates"))?;
    members.extend(read_dir(&root.join("apps"))?);
    members.push(root.join("benches"));
    members.retain(|path| path.is_dir());
    Ok(members)
}

/// The path from the root, the same on every platform.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// The entries of a directory, in order.
pub(crate) fn read_dir(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure(format!("{}: {error}", path.display()));
    let entries = fs::read_dir(path).map_err(failed)?;
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

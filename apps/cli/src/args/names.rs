//! Options of the names and places of other ends.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use flowner_core::GeoFiles;

/// Options of the names and places of other ends.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Find countries and networks in this MMDB file (repeatable); none: in no file [default: the
    /// files that packages have installed]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) geo: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reverse: ReverseArgs,
}

/// Whether Flowner asks the network.
#[derive(Debug, Args)]
pub(crate) struct ReverseArgs {
    /// Ask the resolver for names of addresses that have none; this makes traffic, and tells its
    /// servers which addresses these are
    #[arg(long)]
    pub(crate) resolve: bool,
}

impl NameArgs {
    /// The files for the core.
    pub(crate) fn geo(&self) -> GeoFiles {
        let is_none = |path: &PathBuf| path.as_os_str() == "none";
        match &self.geo[..] {
            [] => GeoFiles::Usual,
            paths if paths.iter().all(is_none) => GeoFiles::Off,
            paths => GeoFiles::Files(paths.iter().filter(|it| !is_none(it)).cloned().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_that_are_named() {
        let geo = |paths: &[&str]| {
            let geo = paths.iter().map(PathBuf::from).collect();
            let reverse = ReverseArgs { resolve: false };
            NameArgs { geo, reverse }.geo()
        };
        assert_eq!(geo(&[]), GeoFiles::Usual);
        assert_eq!(geo(&["none"]), GeoFiles::Off);
        assert_eq!(geo(&["a.mmdb"]), GeoFiles::Files(vec!["a.mmdb".into()]));
    }
}

//! Platforms with only the portable table, or without a table.

use super::{Level, Resource, Visibility};
use crate::resolver::Attributor;

pub(super) fn visibility() -> Vec<Visibility> {
    let (level, detail) = match Attributor::new().and_then(|mut table| table.snapshot()) {
        Ok(snapshot) => {
            let count = snapshot.sockets().len();
            let detail = format!(
                "{count} are listed with their processes; without administrator rights, those of \
                 other users may be missing"
            );
            (Level::Limited, detail)
        }
        Err(error) => (Level::Nothing, error.to_string()),
    };
    vec![Visibility {
        resource: Resource::Sockets,
        level,
        detail,
        fix: None,
    }]
}

pub(super) fn system() -> String {
    std::env::consts::OS.to_owned()
}

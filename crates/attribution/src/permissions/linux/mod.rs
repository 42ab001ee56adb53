//! Linux: this tries each interface.

mod interfaces;

use std::fs;

use super::{Level, Resource, Visibility};
use crate::tables::{TableOptions, open_best};

pub(super) fn visibility() -> Vec<Visibility> {
    let (level, detail) = match open_best(&TableOptions::default()) {
        Ok(best) => match best.fallback_reason {
            None => return interfaces::visibility(),
            Some(error) => (
                Level::Limited,
                format!(
                    "the native table does not open ({error}), so the portable table replaces it, \
                     which names fewer owners, and later"
                ),
            ),
        },
        Err(error) => (Level::Nothing, error.to_string()),
    };
    let sockets = Visibility {
        resource: Resource::Sockets,
        level,
        detail,
        fix: None,
    };
    let rest = interfaces::visibility().into_iter();
    let rest = rest.filter(|one| one.resource != Resource::Sockets);
    [sockets].into_iter().chain(rest).collect()
}

pub(super) fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim()).trim_end().to_owned()
}

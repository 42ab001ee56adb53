//! Names in `/etc/passwd` (passwd(5)), read again when it changes.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant, SystemTime};

/// The shortest time between two checks of the file.
const REST: Duration = Duration::from_secs(1);

/// The content of the file.
#[derive(Debug, Default)]
pub(super) struct Passwd {
    names: HashMap<u32, String>,
    changed: Option<SystemTime>,
    checked: Option<Instant>,
}

impl Passwd {
    pub(super) fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }

    /// Whether a check of the file is due. If so, the next one is not due for a while, so other
    /// threads need not check it as well.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = self
            .checked
            .is_none_or(|checked| now.saturating_duration_since(checked) >= REST);
        if is_due {
            self.checked = Some(now);
        }
        is_due
    }

    /// The modification time of the file when it was read.
    pub(super) const fn changed(&self) -> Option<SystemTime> {
        self.changed
    }

    /// The content of the file, unless its modification time is still `known`.
    pub(super) fn read(known: Option<SystemTime>, now: Instant) -> Option<Self> {
        const PATH: &str = "/etc/passwd";
        let changed = fs::metadata(PATH).and_then(|file| file.modified()).ok();
        if changed.is_none() || changed == known {
            return None;
        }
        Some(Self {
            names: names(&fs::read(PATH).ok()?),
            changed,
            checked: Some(now),
        })
    }
}

/// Of several lines with an id, the first one counts, as for getpwuid(3).
fn names(passwd: &[u8]) -> HashMap<u32, String> {
    let text = OsStr::from_bytes(passwd).to_string_lossy();
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let (name, id) = (fields.next(), fields.nth(1));
        if let Some((name, id)) = name.zip(id.and_then(|id| id.parse().ok())) {
            names.entry(id).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let text = b"root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n\
            # none\n+\nada:x:1000:1000:\xff:/home/ada:\nx:y:z\ncut:x:7";
        let expected = [(0, "root"), (1000, "ada"), (7, "cut")];
        let expected = expected.map(|(id, name)| (id, name.to_owned()));
        assert_eq!(names(text), HashMap::from(expected));
    }
}

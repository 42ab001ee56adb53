//! Numbers and owners as people read them.

use std::path::Path;
use std::time::Duration;

use flowner_core::attribution::{Ownership, Process, Verdict};
use flowner_core::flows::Protocol;
use flowner_core::text::{mask, mask_path};
use unicode_width::UnicodeWidthChar;

/// Wire bytes with a unit, to three digits: `999 B`, `1.23 kB`, `45.6 MB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_000.0;
    let mut unit = 0;
    // 999.5 would be shown as 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A number with its noun: `1 packet`, `2 packets`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A length of time: `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// An owner in a few words: `curl[4242]`, `nginx[7,8,9]`, `user ada`, `? gone`; with
/// the network namespace of its socket, if that is another one: `nginx[7] in web`.
pub(crate) fn owner(owner: Option<&Ownership>) -> String {
    let Some(owner) = owner else {
        return "-".to_owned();
    };
    let place = owner.evidence.namespace.as_ref();
    let place = place.map(|place| format!(" in {}", printable(&place.to_string())));
    verdict(&owner.verdict) + &place.unwrap_or_default()
}

/// As [`owner`].
pub(crate) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Process(process) => format!("{}[{}]", printable(&process.name), process.pid),
        Verdict::Shared(processes) => shared(processes.iter().map(AsRef::as_ref)),
        Verdict::Partial { user, unit } => match (unit, user) {
            (Some(unit), _) => printable(&unit.to_string()),
            (None, Some(user)) => printable(&format!("user {user}")),
            (None, None) => "?".to_owned(),
        },
        Verdict::Unknown(reason) => format!("? {}", reason.name()),
    }
}

/// The path of what a process executes, with a remark where that alone would mislead.
pub(crate) fn path(process: &Process) -> Option<String> {
    let path = printable_path(process.path.as_ref()?);
    Some(match process.exe_state.remark() {
        Some(remark) => format!("{path} ({remark})"),
        None if process.path_deleted => format!("{path} (deleted or replaced since it started)"),
        None => path,
    })
}

/// The pid of an owner, and of how many others: `4242`, `7 +2`; nothing where none is known.
pub(crate) fn pids(verdict: &Verdict) -> String {
    match verdict.processes() {
        [] => String::new(),
        [only] => only.pid.to_string(),
        [first, rest @ ..] => format!("{} +{}", first.pid, rest.len()),
    }
}

/// How much of a text fits into so many columns of a terminal, in bytes.
pub(crate) fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        used += character.width().unwrap_or(0);
        used > columns
    });
    beyond.map_or(text.len(), |(place, _)| place)
}

/// The user of an owner, where known: the name, else the number.
pub(crate) fn user(verdict: &Verdict) -> Option<String> {
    let user = match verdict {
        Verdict::Partial { user, .. } => user.as_ref(),
        verdict => verdict.processes().first()?.user.as_ref(),
    };
    user.map(|user| printable(&user.to_string()))
}

/// The service, container or sandbox of an owner, where known.
pub(crate) fn unit(verdict: &Verdict) -> Option<String> {
    let unit = match verdict {
        Verdict::Partial { unit, .. } => unit.as_ref(),
        verdict => verdict.processes().first()?.unit.as_ref(),
    };
    unit.map(|unit| printable(&unit.to_string()))
}

/// `a[1,2], b[3]`: each name once.
fn shared<'a>(processes: impl Iterator<Item = &'a Process>) -> String {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for process in processes {
        match groups.iter_mut().find(|(name, _)| *name == process.name) {
            Some((_, pids)) => pids.push(process.pid.to_string()),
            None => groups.push((&process.name, vec![process.pid.to_string()])),
        }
    }
    let groups: Vec<_> = groups
        .into_iter()
        .map(|(name, pids)| format!("{}[{}]", printable(name), pids.join(",")))
        .collect();
    groups.join(", ")
}

/// Text that somebody else wrote, with what a terminal would obey in visible form.
pub(crate) fn printable(text: &str) -> String {
    mask(text).into_owned()
}

/// As [`printable`], of a path.
pub(crate) fn printable_path(path: &Path) -> String {
    mask_path(path).into_owned()
}

/// An endpoint; the port only where the protocol has one.
pub(crate) fn endpoint(protocol: Protocol, address: std::net::SocketAddr) -> String {
    if protocol.has_ports() {
        address.to_string()
    } else {
        address.ip().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_995, "10.0 kB"),
            (99_949, "99.9 kB"),
            (99_950, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn durations() {
        for (millis, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn wide_characters_fit_whole() {
        assert_eq!(fitting("日本", 3), "日".len());
        assert_eq!(fitting("日本", 4), "日本".len());
        assert_eq!(fitting("ab", 0), 0);
        assert_eq!(fitting("", 2), 0);
    }

    #[test]
    fn pids_in_a_few_characters() {
        let process = |pid| std::sync::Arc::new(Process::new(pid, "a"));
        assert_eq!(pids(&Verdict::Process(process(42))), "42");
        let workers = [7, 8, 9].map(process).to_vec();
        assert_eq!(pids(&Verdict::Shared(workers)), "7 +2");
        let nobody = Verdict::Partial {
            user: None,
            unit: None,
        };
        assert_eq!(pids(&nobody), "");
    }

    #[test]
    fn shared_names_once() {
        let processes = [
            Process::new(1, "a"),
            Process::new(2, "b"),
            Process::new(3, "a"),
        ];
        assert_eq!(shared(processes.iter()), "a[1,3], b[2]");
    }

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\x1b[31mb\\n");
        let odd = Verdict::Process(std::sync::Arc::new(Process::new(7, "a\u{202e}b")));
        assert_eq!(verdict(&odd), "a\\u{202e}b[7]");
    }
}

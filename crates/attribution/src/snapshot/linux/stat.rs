//! The texts of `/proc/PID`, parsed. Pure: any text gives values or nothing.

/// What `/proc/PID/stat` tells (`proc_pid_stat(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stat {
    /// The name, cut at 15 bytes.
    pub(super) name: String,
    pub(super) parent: u32,
    /// Clock ticks from boot to the start.
    pub(super) started: u64,
}

/// Parses `/proc/PID/stat`. The name stands in parentheses and may hold any, so the
/// last one ends it.
pub(super) fn stat(text: &str) -> Option<Stat> {
    let (before, after) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace();
    // State, parent, ...; the start is field 22, the name field 2.
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        name: name.to_owned(),
        parent,
        started,
    })
}

/// The effective user id from `/proc/PID/status` (`proc_pid_status(5)`).
pub(super) fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The process that a task belongs to, from `/proc/PID/status`. A thread has an id of
/// its own, under which `/proc` finds it too, though it lists processes only.
pub(super) fn thread_group(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// The newest id of a process or thread: the last field of `/proc/loadavg` (`proc_loadavg(5)`).
pub(super) fn newest_pid(loadavg: &str) -> Option<u32> {
    loadavg.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let rest = "S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        for name in ["cat", "a b", ") R 1 (", "(sd-pam)", ""] {
            let parsed = stat(&format!("42 ({name}) {rest}")).unwrap();
            assert_eq!(
                (parsed.name.as_str(), parsed.parent, parsed.started),
                (name, 7, 4711)
            );
        }
        assert_eq!(stat(""), None);
        assert_eq!(stat("42 (cat) S 7"), None);
    }

    #[test]
    fn other_texts() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1\t2\t3\t4\n"), Some(2));
        assert_eq!(effective_uid("Name:\tx\n"), None);
        assert_eq!(thread_group("Tgid:\t42\nPid:\t43\n"), Some(42));
        assert_eq!(newest_pid("0.1 0.2 0.3 2/345 6789\n"), Some(6789));
    }

    proptest! {
        /// As `do_task_stat` in `fs/proc/array.c` writes it.
        #[test]
        fn what_the_kernel_writes_is_read(
            name in "(?s:.){0,15}",
            (pid, parent, started) in any::<(u32, u32, u64)>(),
            (before, after) in any::<([i32; 17], [u64; 30])>(),
        ) {
            let joined = |fields: Vec<String>| fields.join(" ");
            let before = joined(before.iter().map(ToString::to_string).collect());
            let after = joined(after.iter().map(ToString::to_string).collect());
            let text = format!("{pid} ({name}) S {parent} {before} {started} {after}\n");
            prop_assert_eq!(stat(&text), Some(Stat { name, parent, started }));
        }

        #[test]
        fn any_text_is_survived(text in any::<String>(), fields in "[()A-Za-z0-9: \t\n-]{0,200}") {
            for text in [text, fields] {
                stat(&text);
                effective_uid(&text);
                thread_group(&text);
                newest_pid(&text);
            }
        }
    }
}

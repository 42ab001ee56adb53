//! Parsers of files in `/proc/PID`. Pure: any text gives values or nothing.

/// `PF_FORKNOEXEC` in `include/linux/sched.h`.
const FORKED_ONLY: u64 = 0x40;
/// `PF_EXITING`.
const EXITING: u64 = 0x4;

/// The contents of `/proc/PID/stat` (`proc_pid_stat(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The name as text, without a character that the kernel cut.
    pub(crate) name: String,
    /// The bytes of the name, at most 15 of them (`TASK_COMM_LEN` in `include/linux/sched.h`).
    pub(crate) raw_name: Vec<u8>,
    pub(crate) parent: u32,
    /// Negative once the process has exited (`do_task_stat` in `fs/proc/array.c`).
    pub(crate) session: i32,
    /// Clock ticks from boot to the start.
    pub(crate) started: u64,
    /// Whether it has executed a program since it was forked, instead of continuing that of its
    /// parent.
    pub(crate) has_executed: bool,
    /// Whether it has begun to exit: then it closes its descriptors, and after that its children get
    /// another parent.
    pub(crate) is_exiting: bool,
}

/// Parses `/proc/PID/stat`. The name is in parentheses and may contain some, so the last one ends
/// it.
pub(crate) fn stat(bytes: &[u8]) -> Option<Stat> {
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let start = bytes[..end].iter().position(|byte| *byte == b'(')?;
    let name = &bytes[start + 1..end];
    let after = std::str::from_utf8(&bytes[end + 1..]).ok()?;
    let mut fields = after.split_ascii_whitespace();
    // State, parent, ...; field 6 has the session, field 9 the flags, field 22 the start, and field 2 the name.
    let parent = fields.nth(1)?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let flags: u64 = fields.nth(2)?.parse().ok()?;
    let started = fields.nth(12)?.parse().ok()?;
    Some(Stat {
        name: name_text(name),
        raw_name: name.to_vec(),
        parent,
        session,
        started,
        has_executed: flags & FORKED_ONLY == 0,
        is_exiting: flags & EXITING != 0,
    })
}

/// Whether a process waits in a way that signals interrupt, from `/proc/PID/stat`.
pub(crate) fn is_sleeping(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte == b')');
    let after = end.and_then(|end| bytes.get(end + 1..));
    after.is_some_and(|after| after.starts_with(b" S "))
}

/// How many pages of files are mapped, from `/proc/PID/statm`: the third field.
pub(crate) fn shared_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// Whether execve(2) closes a descriptor, from `/proc/PID/fdinfo` (`proc_pid_fdinfo(5)`).
pub(crate) fn is_closed_on_execution(info: &[u8]) -> bool {
    let info = String::from_utf8_lossy(info);
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i64::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & i64::from(libc::O_CLOEXEC) != 0)
}

/// The address where the environment of a process ends, from field 51 of `/proc/PID/stat`. It is 0
/// for processes that may not know it (`do_task_stat` in `fs/proc/array.c`).
pub(crate) fn environment_end(bytes: &[u8]) -> Option<u64> {
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let after = std::str::from_utf8(&bytes[end + 1..]).ok()?;
    let end = after.split_ascii_whitespace().nth(48)?.parse().ok()?;
    (end != 0).then_some(end)
}

/// The length of the path that was passed to execve(2). The path lies between the environment and
/// one pointer, at the end of the last page (`alloc_bprm` and `bprm_execve` in `fs/exec.c`,
/// `create_elf_tables` in `fs/binfmt_elf.c`). A path that does not fit into that page appears as a
/// shorter one.
pub(crate) fn executed_length(environment_end: u64, page: u64) -> Option<u64> {
    const POINTER: u64 = 8;
    const ZERO: u64 = 1;
    let end = environment_end.checked_next_multiple_of(page)?;
    end.checked_sub(POINTER + ZERO + environment_end)
}

/// The bytes to which the kernel cuts a name.
pub(crate) const CUT_LENGTH: usize = 15;

/// A name as text. The kernel cuts names at a byte, perhaps within a character. This drops the rest
/// of that character.
pub(crate) fn name_text(name: &[u8]) -> String {
    let whole = match std::str::from_utf8(name) {
        Err(error) if name.len() == CUT_LENGTH && error.error_len().is_none() => {
            &name[..error.valid_up_to()]
        }
        _ => name,
    };
    // Only an incomplete sequence at the very end has no length.
    String::from_utf8_lossy(whole).into_owned()
}

/// The effective user id from `/proc/PID/status` (`proc_pid_status(5)`).
pub(crate) fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The process of a task, from `/proc/PID/status`. A thread has its own id, which `/proc` also
/// opens, though it lists only processes.
pub(crate) fn thread_group(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

/// The newest id of a process or thread: the last field of `/proc/loadavg` (`proc_loadavg(5)`).
pub(crate) fn newest_pid(loadavg: &str) -> Option<u32> {
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
            let parsed = stat(format!("42 ({name}) {rest}").as_bytes()).unwrap();
            assert_eq!(
                (parsed.name.as_str(), parsed.parent, parsed.started),
                (name, 7, 4711)
            );
        }
        // A process that has executed nothing yet, as observed.
        let forked = b"42 (sh) S 7 1 1 0 -1 4194368 1 2 3 4 5 6 7 8 20 0 1 0 4711 9";
        assert!(!stat(forked).unwrap().has_executed);
        let executed = b"42 (sh) S 7 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 9";
        assert!(stat(executed).unwrap().has_executed);
        assert_eq!(stat(b""), None);
        assert_eq!(stat(b"42 (cat) S 7"), None);
    }

    #[test]
    fn a_name_cut_inside_a_character_ends_before_it() {
        let check = |name: &[u8], expected: &str| {
            let line = [
                b"42 (",
                name,
                b") S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711",
            ];
            let parsed = stat(&line.concat()).unwrap();
            assert_eq!((parsed.name.as_str(), &*parsed.raw_name), (expected, name));
        };
        check(&"process-name-tö".as_bytes()[..15], "process-name-t");
        check(&"日本語の名前".as_bytes()[..15], "日本語の名");
        check(&"a日本語の名".as_bytes()[..15], "a日本語の");
        // The kernel did not cut here: a program chose these bytes.
        check(b"raw\xff\xfebytes-and", "raw\u{fffd}\u{fffd}bytes-and");
        check(b"a\xc3", "a\u{fffd}");
    }

    #[test]
    fn the_path_that_was_executed_has_a_length() {
        // As observed: `/tmp/execfn2.py`.
        assert_eq!(executed_length(140_724_182_446_056, 4_096), Some(15));
        assert_eq!(executed_length(u64::MAX, 4_096), None);
        assert_eq!(executed_length(4_096, 4_096), None);
        let own = std::fs::read("/proc/self/stat");
        if let Ok(own) = own {
            assert!(environment_end(&own).is_some());
        }
        assert_eq!(environment_end(b"1 (a) S 1"), None);
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
            (before, after, flags) in any::<([i32; 16], [u64; 30], u32)>(),
        ) {
            let joined = |fields: Vec<String>| fields.join(" ");
            let mut before: Vec<String> = before.iter().map(ToString::to_string).collect();
            before.insert(4, flags.to_string());
            let session = before[1].clone();
            let before = joined(before);
            let after = joined(after.iter().map(ToString::to_string).collect());
            let text = format!("{pid} ({name}) S {parent} {before} {started} {after}\n");
                        let found = stat(text.as_bytes()).unwrap();
            prop_assert_eq!((found.raw_name, found.parent, found.started), (name.clone().into_bytes(), parent, started));
            prop_assert_eq!(found.session.to_string(), session);
            // Longer than any name of the kernel.
            prop_assert!(name.len() == CUT_LENGTH || found.name == name);
        }

        #[test]
        fn any_text_is_survived(text in any::<String>(), fields in "[()A-Za-z0-9: \t\n-]{0,200}") {
            for text in [text, fields] {
                stat(text.as_bytes());
                effective_uid(&text);
                thread_group(&text);
                newest_pid(&text);
            }
        }
    }
}

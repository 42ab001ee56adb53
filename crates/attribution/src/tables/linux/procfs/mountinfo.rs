//! The parser of `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`). Pure: it skips lines that the
//! kernel would not write.

use std::borrow::Cow;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount<'a> {
    /// Its number, which `statx(2)` gives for a file on it.
    pub(crate) id: u32,
    /// The number of its parent mount.
    pub(crate) parent: u32,
    /// The device of its file system in text form: `8:1`.
    pub(crate) device: &'a str,
    /// The directory of the file system that is visible here: `/` unless only a part of it is
    /// mounted. Cgroups above our own namespace begin with `/..`.
    pub(crate) root: Cow<'a, str>,
    /// The mount point, relative to our own root directory.
    pub(crate) point: Cow<'a, str>,
    /// Its type, such as `cgroup2`.
    pub(crate) file_system: &'a str,
    /// Options of the file system, such as `hidepid=` of `proc`.
    super_options: &'a str,
}

impl Mount<'_> {
    /// The value of an option of the file system: `2` of `hidepid=2`.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.super_options.split(',');
        options.find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The mounts, in the order in which they were made.
pub(crate) fn mounts(text: &str) -> impl Iterator<Item = Mount<'_>> {
    text.lines().filter_map(mount)
}

/// The last mount on a path from the root directory, with symbolic links resolved. `None` if the
/// text alone does not prove it: mounts may hide others, and the order of the list does not show
/// which.
pub(crate) fn covering<'m, 'a>(mounts: &'m [Mount<'a>], path: &str) -> Option<&'m Mount<'a>> {
    let above: Vec<&Mount<'_>> = mounts
        .iter()
        .filter(|mount| below(path, &mount.point).is_some())
        .collect();
    // Each of the others is on the way to it.
    let is_above = |other: &Mount<'_>, last: &Mount<'_>| {
        let mut at = last.parent;
        let mut found = false;
        // A chain is no longer than the list. Numbers may form a cycle if the list changed during
        // the read.
        for _ in 0..above.len() {
            found |= at == other.id;
            match above.iter().find(|mount| mount.id == at) {
                Some(next) if !found => at = next.parent,
                _ => break,
            }
        }
        found
    };
    let mut certain = above.iter().filter(|last| {
        let mut others = above.iter().filter(|other| other.id != last.id);
        others.all(|other| is_above(other, last))
    });
    certain.next().copied()
}

/// The path within the file system that is mounted on it.
pub(crate) fn inner(mount: &Mount<'_>, path: &str) -> Option<String> {
    let rest = below(path, &mount.point)?;
    Some(format!("{}{rest}", mount.root.trim_end_matches('/')))
}

/// The part of a path below a directory: empty, or with a slash in front.
fn below<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A line: `36 35 98:0 /root /point rw,relatime master:1 - ext3 /dev/sda rw`.
///
/// Spaces within fields are escaped, and fields may be empty, so that each space ends one.
fn mount(line: &str) -> Option<Mount<'_>> {
    let mut fields = line.split(' ');
    // Its own number, that of its parent mount, and the device.
    let id = fields.next()?.parse().ok()?;
    let parent = fields.next()?.parse().ok()?;
    let device = fields.next()?;
    let root = unescaped(fields.next()?);
    let point = unescaped(fields.next()?);
    let _options = fields.next()?;
    // Future kernels may add more fields; a dash ends them.
    fields.find(|field| *field == "-")?;
    let file_system = fields.next()?;
    let _source = fields.next()?;
    Some(Mount {
        id,
        parent,
        device,
        root,
        point,
        file_system,
        super_options: fields.next()?,
    })
}

/// Decodes `\040` and the like. The kernel escapes white space and the backslash in this way
/// (`mangle_path` in `fs/seq_file.c`).
fn unescaped(field: &str) -> Cow<'_, str> {
    let Some((before, mut rest)) = field.split_once('\\') else {
        return Cow::Borrowed(field);
    };
    let mut text = before.to_owned();
    loop {
        match octal(rest) {
            Some((character, after)) => {
                text.push(character);
                rest = after;
            }
            None => text.push('\\'),
        }
        let Some((plain, after)) = rest.split_once('\\') else {
            text.push_str(rest);
            return Cow::Owned(text);
        };
        text.push_str(plain);
        rest = after;
    }
}

/// The ASCII character of three octal digits at the start, and the rest.
fn octal(text: &str) -> Option<(char, &str)> {
    let (digits, rest) = text.split_at_checked(3)?;
    if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return None;
    }
    let number = u8::from_str_radix(digits, 8).ok()?;
    number.is_ascii().then_some((number.into(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only(text: &str) -> Mount<'_> {
        let mut mounts = mounts(text);
        let mount = mounts.next().unwrap();
        assert_eq!(mounts.next(), None);
        mount
    }

    #[test]
    fn the_line_of_the_manual() {
        let mount = only(
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
        );
        assert_eq!((&*mount.root, &*mount.point), ("/mnt1", "/mnt2"));
        assert_eq!(mount.file_system, "ext3");
        assert_eq!(mount.option("errors"), Some("continue"));
        assert_eq!(mount.option("rw"), None);
    }

    #[test]
    fn other_lines_of_real_hosts() {
        let proc = only("22 28 0:21 / /proc rw,nosuid - proc proc rw,gid=4,hidepid=2,subset=pid");
        assert_eq!(
            (proc.option("hidepid"), proc.option("gid")),
            (Some("2"), Some("4"))
        );
        assert_eq!(proc.option("subset"), Some("pid"));
        assert_eq!(proc.option("hide"), None);

        let systemd = only(
            "33 32 0:28 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 master:4 - cgroup cgroup rw,xattr,name=systemd",
        );
        assert_eq!(systemd.option("name"), Some("systemd"));

        // A directory of a container's cgroup namespace, from the outside.
        let group = only(
            "1203 1197 0:27 /../../.. /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate",
        );
        assert_eq!((&*group.root, group.file_system), ("/../../..", "cgroup2"));

        // A source may be empty, and some file systems do not escape their options.
        let empty = only("40 28 0:35 / /a\\040b\\134c rw - 9p  rw,path=C:\\;uid=0 x");
        assert_eq!((&*empty.point, empty.file_system), ("/a b\\c", "9p"));
        assert_eq!(empty.option("path"), Some("C:\\;uid=0"));
    }

    #[test]
    fn the_mount_that_a_path_leads_through_is_certain_or_none() {
        let of = |lines: &[&str], path: &str| {
            let text = lines.join("\n");
            let all: Vec<_> = mounts(&text).collect();
            covering(&all, path).map(|mount| (mount.id, inner(mount, path).unwrap()))
        };
        let line = |id: u32, on: u32, root: &str, point: &str| {
            format!("{id} {on} 8:{id} {root} {point} rw - ext4 /dev/x rw")
        };
        let root = line(1, 0, "/", "/");
        let usr = line(2, 1, "/os/usr", "/usr");
        let file = line(3, 2, "/x", "/usr/bin/curl");
        let some = |id, inner: &str| Some((id, inner.to_owned()));
        assert_eq!(of(&[&root, &usr], "/etc/a"), some(1, "/etc/a"));
        assert_eq!(of(&[&usr, &root], "/usr/a"), some(2, "/os/usr/a"));
        assert_eq!(of(&[&root, &usr], "/usrlocal"), some(1, "/usrlocal"));
        assert_eq!(of(&[&root, &usr, &file], "/usr/bin/curl"), some(3, "/x"));
        assert_eq!(
            of(&[&root, &usr, &file], "/usr/bin/c"),
            some(2, "/os/usr/bin/c")
        );
        // Mounted on the same directory as the first one, which it hides.
        let over = line(4, 2, "/", "/usr");
        assert_eq!(of(&[&root, &usr, &over], "/usr/a"), some(4, "/a"));
        // Mounted above another one, which it hides: only the path to it is certain.
        let hides = line(5, 1, "/", "/usr/bin");
        assert_eq!(of(&[&root, &usr, &hides], "/usr/bin/a"), None);
        assert_eq!(of(&[], "/usr"), None);
    }

    #[test]
    fn other_lines_are_skipped() {
        for line in [
            "",
            "\n",
            "36",
            "x 35 98:0 / / rw - a b c",
            "36 35 98:0 / / rw a b c",
        ] {
            assert_eq!(mounts(line).next(), None, "{line}");
        }
    }

    #[test]
    fn backslashes_that_escape_nothing_stay() {
        for text in ["\\", "\\04", "a\\9", "\\777", "\\\\", "\\04é"] {
            assert_eq!(unescaped(text), text);
        }
        assert_eq!(unescaped("\\134040"), "\\040");
    }

    /// As `mangle_path` in `fs/seq_file.c` writes it.
    fn escaped(text: &str) -> String {
        let escape = |character: char| match character {
            ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(character)),
            other => other.to_string(),
        };
        text.chars().map(escape).collect()
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(
            numbers in any::<(u32, u32, u32, u32)>(),
            root in "/(?s:.){0,20}",
            point in "/(?s:.){0,20}",
            optional in prop::collection::vec("(shared|master|propagate_from):[0-9]{1,4}", 0..3),
            source in "[a-z/]{0,8}",
            value in "[a-z0-9]{1,4}",
        ) {
            let (id, parent, major, minor) = numbers;
            let optional = [optional, vec![String::new()]].concat().join(" ");
            let line = format!(
                "{id} {parent} {major}:{minor} {} {} rw,relatime {optional}- proc {source} rw,hidepid={value}\n",
                escaped(&root),
                escaped(&point),
            );
            let mount = only(&line);
            prop_assert_eq!((mount.id, mount.parent), (id, parent));
            prop_assert_eq!(mount.device, format!("{major}:{minor}"));
            prop_assert_eq!((&*mount.root, &*mount.point), (&*root, &*point));
            prop_assert_eq!(mount.file_system, "proc");
            prop_assert_eq!(mount.option("hidepid"), Some(&*value));
        }

        #[test]
        fn any_text_is_survived(text in any::<String>(), lines in "[ 0-9a-z:,/=\\\\\n-]{0,200}") {
            mounts(&text).for_each(drop);
            mounts(&lines).for_each(drop);
            unescaped(&text);
        }
    }
}

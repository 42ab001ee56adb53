//! The texts of `/proc/PID`, parsed. Pure: any text gives values or nothing.

use crate::{Unit, UnitKind};

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

/// The unit of a process, from `/proc/PID/cgroup` (cgroups(7)): the one hierarchy of
/// version 2, or systemd's own of version 1.
pub(super) fn unit(cgroup: &str) -> Option<Unit> {
    let path = |prefix: &str| {
        cgroup
            .lines()
            .find_map(|line| line.split_once(prefix).map(|(_, path)| path))
    };
    let path = path("0::").or_else(|| path(":name=systemd:"))?;
    path.rsplit('/').find_map(unit_of)
}

/// What a folder of the control group hierarchy stands for.
fn unit_of(name: &str) -> Option<Unit> {
    let of = |kind, name: &str| {
        Some(Unit {
            kind,
            name: name.to_owned(),
        })
    };
    let scope = name.strip_suffix(".scope");
    let plain = scope.unwrap_or(name);
    // docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope.
    let id = plain.rsplit_once('-').map_or(plain, |(_, id)| id);
    if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return of(UnitKind::Container, id);
    }
    if let Some(container) = name.strip_prefix("lxc.payload.") {
        return of(UnitKind::Container, container);
    }
    // app-flatpak-org.example.App-1234.scope
    if let Some(flatpak) = scope.and_then(|scope| scope.strip_prefix("app-flatpak-")) {
        let application = flatpak.rsplit_once('-').map_or(flatpak, |(name, _)| name);
        return of(UnitKind::Flatpak, application);
    }
    // snap.NAME.APP.service, snap.NAME.APP-UUID.scope
    if let Some(snap) = name.strip_prefix("snap.") {
        return of(UnitKind::Snap, snap.split('.').next()?);
    }
    let is_service = scope.is_some() || name.ends_with(".service");
    // systemd's own scope of process 1 says nothing about a program.
    (is_service && name != "init.scope").then(|| Unit {
        kind: UnitKind::Service,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
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

    #[track_caller]
    fn check_unit(cgroup: &str, expected: &str) {
        let found = unit(cgroup).map_or_else(String::new, |unit| unit.to_string());
        assert_eq!(found, expected, "{cgroup}");
    }

    #[test]
    fn units() {
        let id = "0123456789abcdef".repeat(4);
        check_unit("0::/system.slice/sshd.service", "service sshd.service");
        check_unit(
            "0::/user.slice/user-1000.slice/session-3.scope",
            "service session-3.scope",
        );
        check_unit(
            "12:pids:/x\n1:name=systemd:/system.slice/cron.service\n",
            "service cron.service",
        );
        check_unit("0::/init.scope", "");
        check_unit("0::/", "");
        check_unit("", "");
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/docker/{id}"),
            format!("/machine.slice/libpod-{id}.scope/container"),
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            format!("/kubepods/besteffort/pod1/{id}"),
            format!("/system.slice/docker-{id}.scope/system.slice"),
        ] {
            check_unit(&format!("0::{path}"), &format!("container {id}"));
        }
        check_unit("0::/lxc.payload.web/system.slice", "container web");
        check_unit(
            "0::/user.slice/app.slice/app-flatpak-org.mozilla.firefox-4242.scope",
            "flatpak org.mozilla.firefox",
        );
        check_unit("0::/system.slice/snap.lxd.daemon.service", "snap lxd");
        check_unit("0::/x/snap.firefox.firefox-0a1b.scope", "snap firefox");
    }
}

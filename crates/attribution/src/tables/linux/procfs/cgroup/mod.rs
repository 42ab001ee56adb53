//! The cgroup of a process or a socket, and the unit that it stands for. Pure, except for
//! [`Cgroups`]: any text gives a unit or nothing.

#[cfg(test)]
mod tests;
mod tree;

use std::borrow::Cow;

pub(crate) use tree::Cgroups;

use crate::answer::{Unit, UnitKind};

/// The unit of a process, from `/proc/PID/cgroup` (cgroups(7)).
///
/// A process is in one cgroup of each hierarchy. That of version 2 and systemd's own of version 1
/// have the services. On hosts with both, and without systemd, only others may have the containers.
pub(crate) fn unit(text: &str) -> Option<Unit> {
    let mut best: Option<(Unit, Rank)> = None;
    for (hierarchy, path) in text.lines().filter_map(group) {
        let found = ranked(path)
            .filter(|(unit, _)| hierarchy != Hierarchy::Other || unit.kind == UnitKind::Container);
        if let Some(found) = found
            && best.as_ref().is_none_or(|(_, rank)| found.1 > *rank)
        {
            best = Some(found);
        }
    }
    best.map(|(unit, _)| unit)
}

/// The unit in the path of a cgroup.
///
/// Of nested units, a container matters most: its processes are not services of this host. Of
/// several containers, the innermost one counts. Of services, the outermost one counts: a service
/// chooses the names below it. Paths may be relative to a namespace (`/../../x`,
/// `cgroup_namespaces(7)`).
///
/// Everything below the service manager of a user belongs to that user, who may name it
/// `sshd.service` or like the id of a container.
pub(crate) fn unit_of(path: &str) -> Option<Unit> {
    ranked(path).map(|(unit, _)| unit)
}

/// How specific a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A session, or the service manager of a user: a person started the process.
    Session,
    Service,
    Sandbox,
    Container,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hierarchy {
    /// Version 2, or systemd's own of version 1.
    Main,
    Other,
}

/// A line: `0::/path`, `1:name=systemd:/path`, `4:cpu,cpuacct:/path`.
fn group(line: &str) -> Option<(Hierarchy, &str)> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let hierarchy = match (number, controllers) {
        ("0", "") | (_, "name=systemd") => Hierarchy::Main,
        _ => Hierarchy::Other,
    };
    // The cgroup was removed, and the process is about to exit.
    Some((hierarchy, path.strip_suffix(" (deleted)").unwrap_or(path)))
}

fn ranked(path: &str) -> Option<(Unit, Rank)> {
    let mut best: Option<(Unit, Rank)> = None;
    let (user, above) = manager_of_user(path).unzip();
    // From the inside.
    let mut rest = path;
    let mut child = None;
    while let Some((parents, directory)) = rest.rsplit_once('/') {
        let parent = parents.rsplit('/').next().unwrap_or_default();
        if let Some(found) = unit_of_directory(parent, directory, child)
            && best.as_ref().is_none_or(|(_, rank)| {
                found.1 > *rank || (found.1, *rank) == (Rank::Service, Rank::Service)
            })
        {
            let (unit, rank) = found;
            // The service manager itself is a unit of the system.
            let is_below = above.is_some_and(|above| parents.len() > above);
            best = Some((unit.of_user(user.filter(|_| is_below)), rank));
        }
        child = Some(directory);
        rest = parents;
    }
    best
}

/// The user whose service manager is on a path (`user.slice/user-UID.slice/user@UID.service`,
/// systemd.special(7)), and where its slice ends. Only the system makes cgroups outside of it.
fn manager_of_user(path: &str) -> Option<(u32, usize)> {
    let mut rest = path.trim_start_matches('/');
    while let Some(inside) = rest.strip_prefix("../") {
        rest = inside;
    }
    let rest = rest.strip_prefix("user.slice/user-")?;
    let (user, inside) = rest.split_once(".slice/user@")?;
    let same = inside.strip_prefix(user)?;
    let is_manager = same.starts_with(".service/");
    let user = user.parse().ok().filter(|_| is_manager)?;
    Some((user, path.len() - inside.len() - "/user@".len()))
}

/// The unit of a directory, given its neighbours on the path.
fn unit_of_directory(parent: &str, directory: &str, child: Option<&str>) -> Option<(Unit, Rank)> {
    let ranked = |rank, kind, name: Cow<'_, str>| {
        let name = name.into_owned();
        (!name.is_empty()).then(|| (Unit::new(kind, name), rank))
    };
    if let Some(name) = container(parent, directory, child) {
        return ranked(Rank::Container, UnitKind::Container, name);
    }
    if let Some(name) = snap(directory) {
        return ranked(Rank::Sandbox, UnitKind::Snap, name);
    }
    let (name, kind) = directory.rsplit_once('.')?;
    let is_scope = match kind {
        "scope" => true,
        "service" => false,
        _ => return None,
    };
    if let Some(name) = flatpak(name, is_scope) {
        return ranked(Rank::Sandbox, UnitKind::Flatpak, name);
    }
    match name {
        // The cgroup of the first process says nothing about a program.
        "init" if is_scope => None,
        _ if is_scope && name.starts_with("session-") || name.starts_with("user@") => {
            ranked(Rank::Session, UnitKind::Service, directory.into())
        }
        // Applications are named by their id (systemd.io/DESKTOP_ENVIRONMENTS), others as
        // `systemctl` names them.
        _ if name.starts_with("app-") => {
            ranked(Rank::Service, UnitKind::Service, unescaped(directory))
        }
        _ => ranked(Rank::Service, UnitKind::Service, directory.into()),
    }
}

/// The id or name of a container.
fn container<'a>(parent: &str, directory: &'a str, child: Option<&str>) -> Option<Cow<'a, str>> {
    // The process that supervises a container or a pod is not in it.
    let is_inside = !matches!(child, Some("supervisor" | "conmon"));
    if let Some(id) = container_id(directory).filter(|_| is_inside) {
        return Some(id.into());
    }
    if let Some(name) = directory.strip_prefix("lxc.payload.") {
        return Some(name.into());
    }
    if matches!(parent, "lxc" | "lxc.payload") && directory != ".." {
        return Some(directory.into());
    }
    // systemd-nspawn(1). Virtual machines of libvirt have similar names, with their hypervisor.
    let machine = directory.strip_prefix("machine-");
    let machine = machine.and_then(|name| name.strip_suffix(".scope"));
    if let Some(name) = machine.filter(|name| is_inside && !name.starts_with("qemu\\x2d")) {
        return Some(unescaped(name));
    }
    // systemd-nspawn itself is in the cgroup of its service, and its processes are below.
    let service = directory.strip_prefix("systemd-nspawn@");
    let service = service.and_then(|name| name.strip_suffix(".service"));
    service
        .filter(|_| is_inside && child.is_some())
        .map(unescaped)
}

/// The id in `ID`, `docker-ID.scope`, `libpod-ID.scope`, `libpod-payload-ID`,
/// `cri-containerd-ID.scope`, `crio-ID`, or `PARENT.slice:cri-containerd:ID`.
fn container_id(directory: &str) -> Option<&str> {
    const LENGTH: usize = 64;
    let name = directory.strip_suffix(".scope").unwrap_or(directory);
    let (before, id) = name.split_at_checked(name.len().checked_sub(LENGTH)?)?;
    let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // `libpod-conmon-ID.scope` and `crio-conmon-ID.scope` contain its supervisor.
    let is_before = before.is_empty() || before.ends_with(['-', ':']);
    let is_id = is_before && !before.ends_with("conmon-") && id.bytes().all(is_hex);
    is_id.then_some(id)
}

/// The name in `snap.NAME.APP.service`, `snap.NAME.APP-UUID.scope`,
/// `snap.NAME.hook.HOOK-UUID.scope`, and `snap.NAME` of version 1.
fn snap(directory: &str) -> Option<Cow<'_, str>> {
    let rest = directory.strip_prefix("snap.")?;
    let (name, of_it) = rest.split_once('.').unwrap_or((rest, ""));
    // `snap.GROUP.slice` is a group of snaps with a common quota.
    (of_it != "slice").then(|| unescaped(name))
}

/// The id in `app-flatpak-ID-INSTANCE.scope`, `app-flatpak-ID@INSTANCE.service`, and
/// `flatpak-ID-PID.scope` of versions before 1.8; without their last parts here.
fn flatpak(name: &str, is_scope: bool) -> Option<Cow<'_, str>> {
    let old = || name.strip_prefix("flatpak-").filter(|_| is_scope);
    let id = name.strip_prefix("app-flatpak-").or_else(old)?;
    let end = id.find('@').or_else(|| id.rfind('-'));
    Some(unescaped(end.map_or(id, |end| &id[..end])))
}

/// Decodes `\x2d` and the like (systemd-escape(1)).
fn unescaped(name: &str) -> Cow<'_, str> {
    if !name.contains("\\x") {
        return name.into();
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.as_bytes());
        if let Some((byte, behind)) = hex(after) {
            bytes.push(byte);
            rest = behind;
        } else {
            bytes.extend(b"\\x");
            rest = after;
        }
    }
    bytes.extend(rest.as_bytes());
    // The name was escaped byte by byte, so any bytes may result.
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The byte of two hexadecimal digits at the start, and the rest.
fn hex(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok()?;
    is_hex.then_some((byte, rest))
}

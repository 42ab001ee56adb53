//! Finds the files about a container that Docker, containerd, Podman, CRI-O and the kubelet write.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file::{Writer, read};
use super::formats;
use crate::answer::Container;

/// The largest size of a file about one container, and of a list of all.
const MAX_FILE: u64 = 1024 * 1024;
const MAX_LIST: u64 = 16 * 1024 * 1024;
/// The number of entries that this reads of a directory.
const MAX_ENTRIES: usize = 16_384;

/// The identity of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ContainerKey {
    pub(crate) id: String,
    /// The user whose service manager runs it.
    pub(crate) user: Option<u32>,
    /// The number of its pod (the `uid` of Kubernetes), from its cgroup.
    pub(crate) pod: Option<String>,
}

/// The facts, and the directories that change when the facts do.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) container: Container,
    pub(super) directories: Vec<PathBuf>,
}

impl Found {
    /// Adds facts that are not known yet.
    fn add(&mut self, container: Option<Container>, directory: Option<&Path>) {
        let Some(container) = container.filter(|it| !it.is_empty()) else {
            return;
        };
        let known = &mut self.container;
        known.name = known.name.take().or(container.name);
        known.image = known.image.take().or(container.image);
        known.pod = known.pod.take().or(container.pod);
        self.directories.extend(directory.map(Path::to_owned));
    }

    const fn is_whole(&self, key: &ContainerKey) -> bool {
        let known = &self.container;
        known.name.is_some() && known.image.is_some() && (known.pod.is_some() || key.pod.is_none())
    }
}

/// Reads the facts about a container, from the host's files below `root`.
pub(super) fn find(root: &Path, key: &ContainerKey) -> Found {
    let mut found = Found::default();
    // A container without such an id, such as a machine of systemd-nspawn(1), is known by its name.
    let is_id = key.id.len() == 64 && key.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id {
        let home = key.user.map(|uid| (uid, home_of(root, uid)));
        match home {
            None => of_system(root, key, &mut found),
            Some((uid, home)) => of_user(root, key, (uid, home.as_deref()), &mut found),
        }
    }
    found
}

fn of_system(root: &Path, key: &ContainerKey, found: &mut Found) {
    let id = &key.id;
    let at = |path: &str| root.join(path);
    for data in ["var/lib/docker", "var/snap/docker/common/var-lib-docker"] {
        docker(
            &at(data).join("containers").join(id),
            Writer::System,
            id,
            found,
        );
    }
    for tasks in [
        "run/containerd/io.containerd.runtime.v2.task",
        "run/k3s/containerd/io.containerd.runtime.v2.task",
    ] {
        for namespace in names(&at(tasks)).take(MAX_ENTRIES) {
            if found.is_whole(key) {
                return;
            }
            let file = at(tasks).join(namespace).join(id).join("config.json");
            bundle(root, &file, Writer::System, id, found);
        }
    }
    for storage in ["run/containers/storage", "var/lib/containers/storage"] {
        if found.is_whole(key) {
            return;
        }
        storage_of(root, &at(storage), Writer::System, id, found);
    }
    if !found.is_whole(key) {
        kubelet(root, key, found);
    }
}

/// Reads the files of engines that a user runs without root.
fn of_user(root: &Path, key: &ContainerKey, (uid, home): (u32, Option<&Path>), found: &mut Found) {
    let id = &key.id;
    let runtime = root.join("run/user").join(uid.to_string());
    let places = [
        home.map(|home| (home, "share", home.join(".local/share"))),
        Some((&*runtime, "run", runtime.clone())),
    ];
    for (below, kind, directory) in places.into_iter().flatten() {
        let writer = Writer::User { uid, below };
        if kind == "share" {
            let data = directory.join("docker/containers").join(id);
            docker(&data, writer, id, found);
            storage_of(
                root,
                &directory.join("containers/storage"),
                writer,
                id,
                found,
            );
        } else {
            storage_of(root, &directory.join("containers"), writer, id, found);
        }
    }
}

fn docker(directory: &Path, writer: Writer<'_>, id: &str, found: &mut Found) {
    let file = read(&directory.join("config.v2.json"), writer, MAX_FILE);
    let container = file.and_then(|file| formats::docker(&file, id));
    found.add(container, Some(directory));
}

/// A bundle does not change.
fn bundle(root: &Path, file: &Path, writer: Writer<'_>, id: &str, found: &mut Found) {
    let Some(file) = read(file, writer, MAX_FILE) else {
        return;
    };
    found.add(formats::bundle(&file), None);
    if found.container.is_empty()
        && writer == Writer::System
        && let Some(directory) = formats::docker_directory(&file, id)
    {
        let inside = root.join(directory.trim_start_matches('/'));
        docker(&inside, writer, id, found);
    }
}

/// Podman and CRI-O: the bundle of a container, and the list of all containers.
fn storage_of(root: &Path, storage: &Path, writer: Writer<'_>, id: &str, found: &mut Found) {
    let containers = storage.join("overlay-containers");
    let file = containers.join(id).join("userdata/config.json");
    bundle(root, &file, writer, id, found);
    for list in ["containers.json", "volatile-containers.json"] {
        if found.container.name.is_some() && found.container.image.is_some() {
            return;
        }
        let list = read(&containers.join(list), writer, MAX_LIST);
        let container = list.and_then(|list| formats::storage(&list, id));
        found.add(container, Some(&containers));
    }
}

/// The names that the kubelet gives to the logs of a container and of its pod.
fn kubelet(root: &Path, key: &ContainerKey, found: &mut Found) {
    let logs = names(&root.join("var/log/containers")).take(MAX_ENTRIES);
    let logs = logs.filter_map(|name| formats::log_name(&name, &key.id));
    for container in logs {
        found.add(Some(container), None);
    }
    if found.container.pod.is_none()
        && let Some(uid) = &key.pod
    {
        let pods = names(&root.join("var/log/pods")).take(MAX_ENTRIES);
        let mut pods = pods.filter_map(|name| formats::pod_directory(&name, uid));
        let mut container = Container::new();
        container.pod = pods.next();
        found.add(Some(container), None);
    }
}

fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}

/// The home of a user, from passwd(5).
fn home_of(root: &Path, uid: u32) -> Option<PathBuf> {
    let text = read(&root.join("etc/passwd"), Writer::System, MAX_FILE)?;
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let number = std::str::from_utf8(fields.nth(2)?).ok()?;
        let home = fields.nth(2).filter(|_| number.parse() == Ok(uid))?;
        let home = std::ffi::OsStr::from_bytes(home.strip_prefix(b"/")?);
        Some(root.join(home))
    })
}

#[cfg(test)]
mod tests;

use std::os::unix::fs::symlink;

use super::*;

const ID: &str = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";
const POD: &str = "7f3c1d52-0a52-4d7e-9a5b-1f0b8f6a2c11";

/// A host with these files.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path.replace("ID", ID));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("ID*", ID)).unwrap();
        self
    }

    #[track_caller]
    fn check(&self, user: Option<u32>, pod: Option<&str>, expected: &str) {
        let key = ContainerKey {
            id: ID.to_owned(),
            user,
            pod: pod.map(str::to_owned),
        };
        let found = find(self.0.path(), &key).container;
        let pod = found.pod.map(|pod| pod.to_string());
        let all = [found.name, found.image, pod].map(Option::unwrap_or_default);
        assert_eq!(all.join(" "), expected);
    }
}

const DOCKER: &str = r#"{"ID":"ID*","Name":"/web","Config":{"Image":"nginx:1.27","Labels":{}}}"#;
const CRI: &str = r#"{"annotations":{"io.kubernetes.cri.container-name":"web",
    "io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"nginx:1.27",
    "io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"default"}}"#;
const CRIO: &str = r#"{"annotations":{"io.kubernetes.cri-o.ContainerType":"container",
    "io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-0",
    "io.kubernetes.pod.namespace":"default","io.kubernetes.cri-o.ImageName":"nginx:1.27"}}"#;
const PODMAN: &str = r#"[{"id":"ID*","names":["web"],
    "metadata":"{\"image-name\":\"nginx:1.27\",\"name\":\"web\"}"}]"#;
/// Podman writes no name into the bundle.
const PLAIN: &str = r#"{"annotations":{"io.container.manager":"libpod"}}"#;

#[test]
fn each_engine_has_its_place() {
    let docker = "var/lib/docker/containers/ID/config.v2.json";
    Tree::new()
        .with(docker, DOCKER)
        .check(None, None, "web nginx:1.27 ");
    let snap = "var/snap/docker/common/var-lib-docker/containers/ID/config.v2.json";
    Tree::new()
        .with(snap, DOCKER)
        .check(None, None, "web nginx:1.27 ");
    // Its data is elsewhere (`data-root`), as the mounts of the bundle show.
    let bundle = r#"{"mounts":[{"destination":"/etc/hosts",
        "source":"/data/docker/containers/ID*/hosts"}]}"#;
    Tree::new()
        .with(
            "run/containerd/io.containerd.runtime.v2.task/moby/ID/config.json",
            bundle,
        )
        .with("data/docker/containers/ID/config.v2.json", DOCKER)
        .check(None, None, "web nginx:1.27 ");
    for tasks in ["run/containerd", "run/k3s/containerd"] {
        let bundle = format!("{tasks}/io.containerd.runtime.v2.task/k8s.io/ID/config.json");
        let tree = Tree::new().with(&bundle, CRI);
        tree.check(None, Some(POD), "web nginx:1.27 default/web-0");
    }
    let crio = "run/containers/storage/overlay-containers/ID/userdata/config.json";
    let tree = Tree::new().with(crio, CRIO);
    tree.check(None, Some(POD), "web nginx:1.27 default/web-0");
    let storage = "var/lib/containers/storage/overlay-containers";
    let podman = Tree::new()
        .with(&format!("{storage}/ID/userdata/config.json"), PLAIN)
        .with(&format!("{storage}/containers.json"), PODMAN);
    podman.check(None, None, "web nginx:1.27 ");
    // A container of another user with the same id does not match.
    podman.check(Some(1), None, "  ");
    Tree::new().check(None, None, "  ");
}

#[test]
fn the_kubelet_names_containers_that_no_engine_names() {
    let log = "var/log/containers/web-0_default_web-ID.log";
    Tree::new()
        .with(log, "")
        .check(None, None, "web  default/web-0");
    let directory = format!("var/log/pods/default_web-0_{POD}/web/0.log");
    let tree = Tree::new().with(&directory, "");
    tree.check(None, Some(POD), "  default/web-0");
    tree.check(None, Some("7f3c1d52-0a52-4d7e-9a5b-1f0b8f6a2c12"), "  ");
}

#[test]
fn containers_of_a_user_are_in_the_home() {
    let uid = rustix::process::geteuid().as_raw();
    let passwd =
        format!("other:x:4294967294:1::/other:/bin/sh\nada:x:{uid}:1::/home/ada:/bin/sh\n");
    let tree = || Tree::new().with("etc/passwd", &passwd);
    let storage = "home/ada/.local/share/containers/storage/overlay-containers";
    let podman = tree().with(&format!("{storage}/containers.json"), PODMAN);
    podman.check(Some(uid), None, "web nginx:1.27 ");
    podman.check(None, None, "  ");
    let docker = "home/ada/.local/share/docker/containers/ID/config.v2.json";
    tree()
        .with(docker, DOCKER)
        .check(Some(uid), None, "web nginx:1.27 ");
    let run = format!("run/user/{uid}/containers/overlay-containers/volatile-containers.json");
    tree()
        .with(&run, PODMAN)
        .check(Some(uid), None, "web nginx:1.27 ");
    // Not through a link, wherever it leads.
    let linked = tree().with("elsewhere/containers.json", PODMAN);
    let directory = linked
        .0
        .path()
        .join("home/ada/.local/share/containers/storage");
    fs::create_dir_all(&directory).unwrap();
    let elsewhere = linked.0.path().join("elsewhere");
    symlink(elsewhere, directory.join("overlay-containers")).unwrap();
    linked.check(Some(uid), None, "  ");
}

#[test]
fn text_that_is_not_an_id_causes_no_search() {
    let tree = Tree::new().with("var/lib/docker/containers/x/config.v2.json", DOCKER);
    let key = ContainerKey {
        id: "../x".to_owned(),
        user: None,
        pod: None,
    };
    assert!(find(tree.0.path(), &key).container.is_empty());
}

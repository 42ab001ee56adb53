//! Parses the files that container runtimes write. Pure: any input gives facts or none.

use serde_json::Value;

use crate::answer::{Container, Pod};

/// The number of characters that this keeps of a name, and of the name of an image.
const MAX_NAME: usize = 512;

/// `config.v2.json` of Docker (`container/container.go` of moby): the name begins with `/`.
pub(crate) fn docker(bytes: &[u8], id: &str) -> Option<Container> {
    let file: Value = serde_json::from_slice(bytes).ok()?;
    if text(&file["ID"]).as_deref() != Some(id) {
        return None;
    }
    let name = text(&file["Name"]);
    let labels = &file["Config"]["Labels"];
    let mut container = Container::new();
    container.name = name.map(|name| name.strip_prefix('/').unwrap_or(&name).to_owned());
    container.image = text(&file["Config"]["Image"]);
    container.pod = pod(
        &labels["io.kubernetes.pod.namespace"],
        &labels["io.kubernetes.pod.name"],
    );
    // From the labels of the kubelet (`docker_labels.go` of cri-dockerd).
    if container.pod.is_some() {
        container.name = text(&labels["io.kubernetes.container.name"]).or(container.name);
    }
    Some(container)
}

/// `config.json` of the runtime specification: its annotations, which the CRI plugin of containerd
/// (`pkg/annotations`), CRI-O (`pkg/annotations`) and nerdctl (`pkg/labels`) write.
pub(crate) fn bundle(bytes: &[u8]) -> Option<Container> {
    let file: Value = serde_json::from_slice(bytes).ok()?;
    let notes = &file["annotations"];
    let first = |keys: &[&str]| keys.iter().find_map(|key| text(&notes[*key]));
    let kinds = [
        "io.kubernetes.cri.container-type",
        "io.kubernetes.cri-o.ContainerType",
    ];
    let mut container = Container::new();
    container.name = first(&[
        "io.kubernetes.cri.container-name",
        "io.kubernetes.container.name",
        "nerdctl/name",
    ]);
    container.image = first(&[
        "io.kubernetes.cri.image-name",
        "io.kubernetes.cri-o.ImageName",
    ]);
    container.pod = pod(
        &notes["io.kubernetes.cri.sandbox-namespace"],
        &notes["io.kubernetes.cri.sandbox-name"],
    )
    .or_else(|| {
        pod(
            &notes["io.kubernetes.pod.namespace"],
            &notes["io.kubernetes.pod.name"],
        )
    });
    // The container that keeps the namespaces of a pod has no name of its own.
    if first(&kinds).as_deref() == Some("sandbox") {
        container.name = Some("POD".to_owned());
    }
    Some(container)
}

/// The directory in which Docker keeps the files of a container. The mounts of the bundle show it,
/// because Docker's data may be anywhere.
pub(crate) fn docker_directory(bytes: &[u8], id: &str) -> Option<String> {
    let file: Value = serde_json::from_slice(bytes).ok()?;
    let mounts = file["mounts"].as_array()?;
    mounts.iter().find_map(|mount| {
        let source = mount["source"].as_str()?;
        let directory = source.strip_suffix("/hosts")?;
        let is_of_it = directory.strip_suffix(id)?.ends_with("/containers/");
        (is_of_it && mount["destination"] == "/etc/hosts").then(|| directory.to_owned())
    })
}

/// The list of Podman, Buildah and CRI-O (`containers.json` of containers/storage).
pub(crate) fn storage(bytes: &[u8], id: &str) -> Option<Container> {
    let list: Value = serde_json::from_slice(bytes).ok()?;
    let of_id = |entry: &&Value| entry["id"].as_str() == Some(id);
    let entry = list.as_array()?.iter().find(of_id)?;
    let more = entry["metadata"].as_str().unwrap_or_default();
    let more: Value = serde_json::from_str(more).unwrap_or_default();
    let mut container = Container::new();
    container.name = text(&entry["names"][0]).or_else(|| text(&more["name"]));
    container.image = text(&more["image-name"]);
    // From CRI-O (`RuntimeContainerMetadata` in `internal/storage/runtime.go`).
    if let Some(pod) = text(&more["pod-name"]) {
        let (_, rest) = pod.split_once('_').unwrap_or_default();
        let mut parts = rest.split('_');
        if let (Some(name), Some(namespace)) = (parts.next(), parts.next()) {
            container.pod = Some(Pod::new(namespace, name));
        }
        let own = text(&more["metadata-name"]).filter(|_| more["container-name"].is_string());
        container.name = own.or(container.name);
    }
    Some(container)
}

/// The name of a file in `/var/log/containers`: `POD_NAMESPACE_CONTAINER-ID.log`
/// (`LogSymlink` in `pkg/kubelet/kuberuntime/legacy.go`).
pub(crate) fn log_name(name: &str, id: &str) -> Option<Container> {
    let rest = name.strip_suffix(".log")?.strip_suffix(id)?;
    let mut parts = rest.strip_suffix('-')?.splitn(3, '_');
    let (pod, namespace, own) = (parts.next()?, parts.next()?, parts.next()?);
    let mut container = Container::new();
    container.name = Some(own.to_owned());
    container.pod = Some(Pod::new(namespace, pod));
    Some(container)
}

/// The name of a directory in `/var/log/pods`: `NAMESPACE_POD_UID`
/// (`BuildPodLogsDirectory` in `pkg/kubelet/kuberuntime/helpers.go`).
pub(crate) fn pod_directory(name: &str, uid: &str) -> Option<Pod> {
    let rest = name.strip_suffix(uid)?.strip_suffix('_')?;
    let (namespace, pod) = rest.split_once('_')?;
    Some(Pod::new(namespace, pod))
}

fn pod(namespace: &Value, name: &Value) -> Option<Pod> {
    Some(Pod::new(text(namespace)?, text(name)?))
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(MAX_NAME).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";

    #[track_caller]
    fn check(found: Option<Container>, name: &str, image: &str, pod: &str) {
        let found = found.unwrap();
        assert_eq!(found.name.as_deref().unwrap_or_default(), name);
        assert_eq!(found.image.as_deref().unwrap_or_default(), image);
        let found = found.pod.map(|pod| pod.to_string()).unwrap_or_default();
        assert_eq!(found, pod);
    }

    /// As Docker 27 writes it, shortened.
    #[test]
    fn docker_names_its_containers() {
        let file = format!(
            r#"{{"StreamConfig":{{}},"State":{{"Running":true,"Paused":false,"Pid":4711}},
            "ID":"{ID}","Created":"2026-01-01T00:00:00Z","Managed":false,"Path":"nginx",
            "Args":["-g","daemon off;"],"Config":{{"Hostname":"9f4f8d5a3c0b","Image":"nginx:1.27",
            "Labels":{{"com.docker.compose.project":"shop"}}}},"Image":"sha256:aaaa",
            "Name":"/shop-web-1","Driver":"overlay2"}}"#
        );
        check(docker(file.as_bytes(), ID), "shop-web-1", "nginx:1.27", "");
        assert_eq!(docker(file.as_bytes(), "another"), None);
        // From cri-dockerd.
        let file = format!(
            r#"{{"ID":"{ID}","Name":"/k8s_web_web-0_default_1b2c_0","Config":{{"Image":"nginx",
            "Labels":{{"io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-0",
            "io.kubernetes.pod.namespace":"default","io.kubernetes.docker.type":"container"}}}}}}"#
        );
        check(docker(file.as_bytes(), ID), "web", "nginx", "default/web-0");
    }

    #[test]
    fn bundles_have_annotations() {
        let containerd = br#"{"ociVersion":"1.1.0","annotations":{
            "io.kubernetes.cri.container-name":"web","io.kubernetes.cri.container-type":"container",
            "io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27",
            "io.kubernetes.cri.sandbox-id":"ab","io.kubernetes.cri.sandbox-name":"web-0",
            "io.kubernetes.cri.sandbox-namespace":"default",
            "io.kubernetes.cri.sandbox-uid":"1b2c"}}"#;
        let image = "docker.io/library/nginx:1.27";
        check(bundle(containerd), "web", image, "default/web-0");
        let pause = br#"{"annotations":{"io.kubernetes.cri.container-type":"sandbox",
            "io.kubernetes.cri.sandbox-name":"web-0",
            "io.kubernetes.cri.sandbox-namespace":"default"}}"#;
        check(bundle(pause), "POD", "", "default/web-0");
        let crio = br#"{"annotations":{"io.kubernetes.cri-o.ContainerType":"container",
            "io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-0",
            "io.kubernetes.pod.namespace":"default",
            "io.kubernetes.cri-o.Name":"k8s_web_web-0_default_1b2c_0",
            "io.kubernetes.cri-o.ImageName":"docker.io/library/nginx:1.27"}}"#;
        check(bundle(crio), "web", image, "default/web-0");
        let nerdctl = br#"{"annotations":{"nerdctl/name":"web","nerdctl/namespace":"default"}}"#;
        check(bundle(nerdctl), "web", "", "");
        // From Docker, which writes no annotations.
        check(bundle(br#"{"root":{"path":"rootfs"}}"#), "", "", "");
        let mounts = format!(
            r#"{{"mounts":[{{"destination":"/proc","source":"proc"}},{{"destination":"/etc/hosts",
            "source":"/data/docker/containers/{ID}/hosts"}}]}}"#
        );
        let directory = docker_directory(mounts.as_bytes(), ID);
        assert_eq!(directory, Some(format!("/data/docker/containers/{ID}")));
        assert_eq!(docker_directory(mounts.as_bytes(), "f00d"), None);
    }

    #[test]
    fn storage_lists_containers() {
        let list = format!(
            r#"[{{"id":"00","names":["other"]}},{{"id":"{ID}","names":["web"],"image":"e4c5",
            "layer":"77","metadata":"{{\"image-name\":\"docker.io/library/nginx:1.27\",
            \"image-id\":\"e4c5\",\"name\":\"web\",\"created-at\":1767225600}}",
            "created":"2026-01-01T00:00:00Z","flags":{{"MountLabel":""}}}}]"#
        )
        .replace("\n            \\", "\\");
        let image = "docker.io/library/nginx:1.27";
        check(storage(list.as_bytes(), ID), "web", image, "");
        assert_eq!(storage(list.as_bytes(), "11"), None);
    }

    #[test]
    fn kubernetes_names_its_logs() {
        let log = format!("web-0_default_web-{ID}.log");
        check(log_name(&log, ID), "web", "", "default/web-0");
        assert_eq!(log_name(&log, "f00d"), None);
        let uid = "7f3c1d52-0a52-4d7e-9a5b-1f0b8f6a2c11";
        let directory = pod_directory(&format!("kube-system_dns-7d_{uid}"), uid);
        assert_eq!(directory, Some(Pod::new("kube-system", "dns-7d")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), text in "[\\[\\]{}\":,a-z0-9_./-]{0,60}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = (docker(bytes, ID), bundle(bytes), storage(bytes, ID));
                let _ = docker_directory(bytes, ID);
            }
            let _ = (log_name(&text, ID), pod_directory(&text, "ab"));
        }
    }
}

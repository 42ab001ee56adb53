use std::fs;

use super::*;

const ID: &str = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";

fn unit() -> Unit {
    Unit::new(UnitKind::Container, ID)
}

#[track_caller]
fn wait_for(unit: &Unit, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while unit.to_string() != expected {
        assert!(Instant::now() < deadline, "{unit}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn docker_file(name: &str) -> String {
    format!(r#"{{"ID":"{ID}","Name":"/{name}","Config":{{"Image":"nginx"}}}}"#)
}

#[test]
fn a_container_gets_its_name_and_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("var/lib/docker/containers").join(ID);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("config.v2.json"), docker_file("web")).unwrap();
    let containers = Containers::new(root.path());
    let unit = containers.with_details(unit(), "");
    containers.wait(Duration::from_secs(30));
    assert_eq!(unit.to_string(), "container web");
    assert_eq!(unit.container().unwrap().image.as_deref(), Some("nginx"));
    // As `docker rename` does it.
    let new = directory.join(".tmp-config.v2.json");
    fs::write(&new, docker_file("shop")).unwrap();
    fs::rename(new, directory.join("config.v2.json")).unwrap();
    wait_for(&unit, "container shop");
    // The facts are not part of the identity of a unit.
    assert_eq!(unit, self::unit());
    // The facts stay after the container is removed.
    fs::remove_dir_all(&directory).unwrap();
    let again = containers.with_details(self::unit(), "");
    containers.wait(Duration::from_secs(30));
    assert_eq!(again.to_string(), "container shop");
}

#[test]
fn a_container_without_facts_has_a_short_id() {
    let root = tempfile::tempdir().unwrap();
    let containers = Containers::new(root.path());
    let unit = containers.with_details(unit(), "");
    containers.wait(Duration::from_secs(30));
    assert_eq!(unit.container(), None);
    assert_eq!(unit.to_string(), "container 9f4f8d5a3c0b");
    assert_eq!(unit.name, ID);
    let service = Unit::new(UnitKind::Service, "ssh.service");
    let service = containers.with_details(service, "");
    assert_eq!(service.to_string(), "service ssh.service");
}

#[test]
fn pods_are_in_the_names_of_cgroups() {
    let uid = "7f3c1d52-0a52-4d7e-9a5b-1f0b8f6a2c11";
    let systemd = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-\
        pod7f3c1d52_0a52_4d7e_9a5b_1f0b8f6a2c11.slice/cri-containerd-00.scope";
    let plain = "0::/kubepods/besteffort/pod7f3c1d52-0a52-4d7e-9a5b-1f0b8f6a2c11/00";
    for group in [systemd, plain] {
        assert_eq!(pod_of(group).as_deref(), Some(uid));
    }
    let fixed = "0::/kubepods/podd74a5b3c1e2f40718293a4b5c6d7e8f9/00";
    assert_eq!(pod_of(fixed).unwrap().len(), 32);
    for group in [
        "",
        "/podman/x",
        "/machine.slice/libpod-00.scope",
        "/pods/pod1",
    ] {
        assert_eq!(pod_of(group), None, "{group}");
    }
}

use proptest::prelude::*;

use super::*;

/// Two container ids, C and D in the tables.
const C: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
const D: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";

fn shown_unit(unit: Option<Unit>) -> String {
    unit.map_or_else(String::new, |unit| {
        // With the whole id of a container.
        let shown = unit.to_string();
        shown.replacen(&*unit.short_name(), &unit.name, 1)
    })
}

#[track_caller]
fn check_paths(table: &[(&str, &str)]) {
    for (path, expected) in table {
        let path = path.replace("{C}", C).replace("{D}", D);
        let expected = expected.replace("{C}", C).replace("{D}", D);
        assert_eq!(shown_unit(unit_of(&path)), expected, "{path}");
        let text = format!("0::{path}\n");
        assert_eq!(shown_unit(unit(&text)), expected, "{text}");
    }
}

/// systemd.slice(5), systemd.special(7), `systemd.io/DESKTOP_ENVIRONMENTS`, and what desktops make
/// of them.
#[test]
fn services() {
    check_paths(&[
        ("/", ""),
        ("/init.scope", ""),
        ("/system.slice", ""),
        ("/system.slice/sshd.service", "service sshd.service"),
        (
            "/system.slice/system-getty.slice/getty@tty1.service",
            "service getty@tty1.service",
        ),
        (
            "/system.slice/system-dbus\\x2d:1.2\\x2dorg.freedesktop.problems.slice/dbus-:1.2-org.freedesktop.problems@0.service",
            "service dbus-:1.2-org.freedesktop.problems@0.service",
        ),
        (
            "/system.slice/systemd-udevd.service/udev",
            "service systemd-udevd.service",
        ),
        (
            "/system.slice/systemd-cryptsetup@luks\\x2d1.service",
            "service systemd-cryptsetup@luks\\x2d1.service",
        ),
        ("/system.slice/run-u42.scope", "service run-u42.scope"),
        // A name that only contains an id is that of a health check of podman.
        ("/system.slice/{C}-3a1b.service", "service {C}-3a1b.service"),
        ("/system.slice/{C}.service", "service {C}.service"),
        (
            "/user.slice/user-1000.slice/session-3.scope",
            "service session-3.scope",
        ),
        (
            "/user.slice/user-42.slice/session-c1.scope",
            "service session-c1.scope",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/init.scope",
            "service user@1000.service",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/session.slice/xdg-desktop-portal.service",
            "user unit xdg-desktop-portal.service (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-org.mozilla.firefox-1234.scope",
            "user unit app-gnome-org.mozilla.firefox-1234.scope (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.kde.okular@9f2c1e.service",
            "user unit app-org.kde.okular@9f2c1e.service (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-at\\x2dspi\\x2ddbus\\x2dbus@autostart.service",
            "user unit app-at-spi-dbus-bus@autostart.service (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-cosmic-com.system76.CosmicAppList-4376.scope",
            "user unit app-cosmic-com.system76.CosmicAppList-4376.scope (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-f22f14d2-3d44-4304-9879-3fdd0df7b08e.scope",
            "user unit vte-spawn-f22f14d2-3d44-4304-9879-3fdd0df7b08e.scope (uid 1000)",
        ),
        // Relative to a namespace (cgroup_namespaces(7)).
        ("/../../system.slice/nginx.service", "service nginx.service"),
        (
            "/../../user.slice/user-1000.slice/session-1.scope",
            "service session-1.scope",
        ),
        ("/..", ""),
    ]);
}

/// A user chooses the names below the user's own service manager.
#[test]
fn units_of_users_are_no_units_of_the_system() {
    check_paths(&[
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/sshd.service",
            "user unit sshd.service (uid 1000)",
        ),
        (
            "/../../user.slice/user-1000.slice/user@1000.service/app.slice/sshd.service",
            "user unit sshd.service (uid 1000)",
        ),
        // Whatever its name resembles.
        (
            "/user.slice/user-7.slice/user@7.service/user.slice/user-0.slice/user@0.service/a.service",
            "user unit a.service (uid 7)",
        ),
        (
            "/user.slice/user-7.slice/user@7.service/system.slice/docker-{C}.scope",
            "container {C} (uid 7)",
        ),
        (
            "/user.slice/user-7.slice/user@7.service/lxc/web",
            "container web (uid 7)",
        ),
        (
            "/user.slice/user-7.slice/user@7.service/session-3.scope",
            "user unit session-3.scope (uid 7)",
        ),
        // A service manager in a container belongs to the container.
        (
            "/docker/{C}/user.slice/user-7.slice/user@7.service/docker/{D}",
            "container {D}",
        ),
        // A service with its own subtree chooses the names in it.
        (
            "/system.slice/web.service/sshd.service",
            "service web.service",
        ),
        (
            "/system.slice/web.service/system.slice/sshd.service",
            "service web.service",
        ),
        // No such user exists.
        (
            "/user.slice/user-7.slice/user@8.service/app.slice/a.service",
            "service a.service",
        ),
    ]);
    assert_ne!(
        unit_of("/system.slice/sshd.service"),
        unit_of("/user.slice/user-7.slice/user@7.service/sshd.service")
    );
}

#[test]
fn containers() {
    check_paths(&[
        // Docker: its drivers cgroupfs and systemd, with and without root.
        ("/docker/{C}", "container {C}"),
        ("/{C}", "container {C}"),
        ("/system.slice/docker-{C}.scope", "container {C}"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{C}.scope",
            "container {C} (uid 1000)",
        ),
        ("/system.slice/docker-{C}.scope/init", "container {C}"),
        (
            "/system.slice/snap.docker.dockerd.service/docker/{C}",
            "container {C}",
        ),
        ("/../{C}", "container {C}"),
        ("/system.slice/docker.service", "service docker.service"),
        // A service manager in a container; a container in a container.
        ("/docker/{C}/system.slice/nginx.service", "container {C}"),
        ("/docker/{C}/docker/{D}", "container {D}"),
        // Podman, with and without root, in a pod, and as a part of a service (Quadlet).
        ("/machine.slice/libpod-{C}.scope", "container {C}"),
        ("/machine.slice/libpod-{C}.scope/container", "container {C}"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{C}.scope/container",
            "container {C} (uid 1000)",
        ),
        (
            "/machine.slice/machine-libpod_pod_{D}.slice/libpod-{C}.scope",
            "container {C}",
        ),
        ("/libpod_parent/libpod-{C}", "container {C}"),
        (
            "/system.slice/web.service/libpod-payload-{C}",
            "container {C}",
        ),
        (
            "/system.slice/web.service/supervisor",
            "service web.service",
        ),
        (
            "/machine.slice/libpod-conmon-{C}.scope",
            "service libpod-conmon-{C}.scope",
        ),
        ("/libpod_parent/{D}/conmon", ""),
        ("/libpod_parent/{D}/{C}", "container {C}"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/podman-239302.scope",
            "user unit podman-239302.scope (uid 1000)",
        ),
        // Kubernetes: containerd, CRI-O and Docker, both drivers.
        (
            "/kubepods/burstable/podf6adb0af-0855-4bab-b25b-c853f18d0ce2/{C}",
            "container {C}",
        ),
        (
            "/kubepods/pod3e9ee100-e307-4474-8c4c-e97428ebaacd/{C}",
            "container {C}",
        ),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2fc932ce_fdcc_454b_97bd_aadfdeb4c340.slice/cri-containerd-{C}.scope",
            "container {C}",
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod26822839_8c92_4c60_a921_ffc5991fa00f.slice/cri-containerd-{C}.scope",
            "container {C}",
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod82f40de6_1226_4577_ab35_2f378b9f5e49.slice/docker-{C}.scope",
            "container {C}",
        ),
        (
            "/kubepods.slice/kubepods-pod82f40de6_1226_4577_ab35_2f378b9f5e49.slice/crio-{C}.scope/container",
            "container {C}",
        ),
        (
            "/kubepods.slice/kubepods-pod82f40de6_1226_4577_ab35_2f378b9f5e49.slice/crio-conmon-{C}.scope",
            "service crio-conmon-{C}.scope",
        ),
        (
            "/system.slice/containerd.service/kubepods-burstable-podff49d0be_16b7_4a49_bb9e_8ec1f1f4e27f.slice:cri-containerd:{C}",
            "container {C}",
        ),
        (
            "/kubepods/besteffort/pod3e9ee100-e307-4474-8c4c-e97428ebaacd",
            "",
        ),
        ("/system.slice/nerdctl-{C}.scope", "container {C}"),
        // Not an id: too short, upper case, part of something longer.
        ("/docker/4f797c539e6c", ""),
        (
            "/docker/4F797C539E6C745DE61A93CA3FF892358ECBCACCD8414D5DB545C38428142970",
            "",
        ),
        ("/docker/0{C}", ""),
        ("/docker/é{C}", ""),
    ]);
}

#[test]
fn containers_with_names() {
    check_paths(&[
        // LXC, LXD, Incus: up to 3.0, 3.1, and from 4.0 on.
        ("/lxc/x1", "container x1"),
        ("/lxc/x1/system.slice/snapd.service", "container x1"),
        ("/lxc/101/ns/init.scope", "container 101"),
        ("/lxc.payload/x1/system.slice/ssh.service", "container x1"),
        (
            "/lxc.payload.web/system.slice/nginx.service",
            "container web",
        ),
        ("/lxc.payload.u1/docker/{C}", "container {C}"),
        ("/lxc.monitor.web", ""),
        ("/lxc.monitor/x1", ""),
        (
            "/system.slice/lxc.service/lxc.monitor.web",
            "service lxc.service",
        ),
        ("/lxc/..", ""),
        // systemd-nspawn(1), started by hand and as a service, on versions 1 and 2.
        ("/machine.slice/machine-contA.scope", "container contA"),
        (
            "/machine.slice/machine-contA.scope/payload/system.slice/nginx.service",
            "container contA",
        ),
        (
            "/machine.slice/machine-contA.scope/supervisor",
            "service machine-contA.scope",
        ),
        (
            "/machine.slice/machine-TEST\\x2d13\\x2dNSPAWN.scope/payload",
            "container TEST-13-NSPAWN",
        ),
        (
            "/machine.slice/systemd-nspawn@debian\\x2dtree.service/payload/init.scope",
            "container debian-tree",
        ),
        (
            "/machine.slice/systemd-nspawn@debian.service/supervisor",
            "service systemd-nspawn@debian.service",
        ),
        (
            "/machine.slice/systemd-nspawn@debian.service",
            "service systemd-nspawn@debian.service",
        ),
        // A virtual machine of libvirt.
        (
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
            "service machine-qemu\\x2d1\\x2dvm.scope",
        ),
    ]);
}

#[test]
fn sandboxes() {
    check_paths(&[
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.gnome.Recipes-273822986.scope",
            "flatpak org.gnome.Recipes (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-com.github.iwalton3.jellyfin\\x2dmedia\\x2dplayer-4242.scope",
            "flatpak com.github.iwalton3.jellyfin-media-player (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.telegram.desktop@12345.service",
            "flatpak org.telegram.desktop (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/flatpak-org.mozilla.firefox-4242.scope",
            "flatpak org.mozilla.firefox (uid 1000)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/session.slice/flatpak-session-helper.service",
            "user unit flatpak-session-helper.service (uid 1000)",
        ),
        ("/system.slice/snap.lxd.daemon.service", "snap lxd"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/snap.hello-world.sh-4706fe54-7802-4808-aa7e-ae8b567239e0.scope",
            "snap hello-world (uid 1000)",
        ),
        (
            "/user.slice/user-0.slice/user@0.service/snap.test-snapd-policy-app-consumer.block-devices.f10f877c-1072-4caa-a0db-f095531d624f.scope",
            "snap test-snapd-policy-app-consumer (uid 0)",
        ),
        (
            "/system.slice/snap.test\\x2dsnapd\\x2dsh.hook.configure-4706fe54-7802-4808-aa7e-ae8b567239e0.scope",
            "snap test-snapd-sh",
        ),
        (
            "/snap.group.slice/snap.go-example-webserver.webserver.service",
            "snap go-example-webserver",
        ),
        ("/snap.group.slice", ""),
        ("/system.slice/snapd.service", "service snapd.service"),
        (
            "/lxc.payload.u1/system.slice/snap.lxd.daemon.service",
            "container u1",
        ),
    ]);
}

/// Several hierarchies.
#[test]
fn groups_of_a_process() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let expected = expected.replace("{C}", C);
        assert_eq!(
            shown_unit(unit(&text.replace("{C}", C))),
            expected,
            "{text}"
        );
    }
    check("", "");
    check("\n", "");
    check("0:/system.slice/sshd.service", "");
    check(
        "12:pids:/x\n1:name=systemd:/system.slice/cron.service\n",
        "service cron.service",
    );
    // Docker beside systemd, both versions mounted.
    check(
        "12:pids:/docker/{C}\n1:name=systemd:/docker/{C}\n0::/system.slice/containerd.service\n",
        "container {C}",
    );
    // Docker without systemd.
    check("10:net_prio:/{C}\n2:cpu:/{C}\n", "container {C}");
    check("4:memory:/docker/{C}\n0::/\n", "container {C}");
    // Other hierarchies of version 1 may serve any purpose.
    check("4:freezer:/app.service\n1:name=openrc:/x\n0::/\n", "");
    // The process is about to exit.
    check(
        "0::/system.slice/cron.service (deleted)\n",
        "service cron.service",
    );
    check("10::/a.service\n0::/b.service", "service b.service");
    check(
        "11:devices:/system.slice/containerd.service/kubepods-pod87a18a64_b74a_454a_b10b_a4a36059d0a3.slice:cri-containerd:{C}\n",
        "container {C}",
    );
}

#[test]
fn names_are_unescaped() {
    for (name, expected) in [
        ("a\\x2db", "a-b"),
        ("\\xc3\\xa9", "é"),
        ("\\xff", "\u{fffd}"),
        ("\\x2", "\\x2"),
        ("\\x+1", "\\x+1"),
        ("\\x", "\\x"),
        ("\\x\\x2d", "\\x-"),
    ] {
        assert_eq!(unescaped(name), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>(), path in "(/(\\.\\.|lxc|snap\\.|machine-|app-|flatpak-|\\\\x[0-9a-f]{0,2}|[a-z:@.-]){0,6}(\\.scope|\\.service)?){0,5}") {
        unit(&text);
        unit_of(&text);
        prop_assert_eq!(unit_of(&path), unit(&format!("0::{path}\n")));
    }

    #[test]
    fn whatever_is_around_a_container_it_is_found(
        id in "[0-9a-f]{64}",
        outside in "(/[a-z]{1,8}\\.(slice|service)){0,3}",
        runtime in "(docker|libpod|crio|cri-containerd)",
        inside in "(/[a-z]{1,8}\\.(slice|service)){0,3}",
    ) {
        let path = format!("{outside}/{runtime}-{id}.scope{inside}");
        let expected = Unit::new(UnitKind::Container, id);
        prop_assert_eq!(unit_of(&path), Some(expected));
    }

    #[test]
    fn what_systemd_escapes_comes_back(name in "[a-z0-9 /@é-]{1,20}") {
        // As `unit_name_escape` in systemd's `src/basic/unit-name.c` does it.
        let escape = |byte: u8| match byte {
            b'/' => "-".to_owned(),
            b'-' | b'\\' | 0x80.. | b' ' | b'@' => format!("\\x{byte:02x}"),
            plain => char::from(plain).to_string(),
        };
        let escaped: String = name.bytes().map(escape).collect();
        prop_assert_eq!(unescaped(&escaped), name.replace('/', "-"));
    }
}

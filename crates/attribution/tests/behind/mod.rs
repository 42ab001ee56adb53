//! A host that translates addresses for two containers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::process::Command;

use flowner_testing::namespace::{ip, is_run_apart};

use crate::helper::Helper;

/// This host with 10.98.0.1 and 10.99.0.1 towards containers and 10.97.0.1 towards the world: three
/// namespaces, which are removed at the end.
pub(crate) struct Behind([String; 3]);

impl Behind {
    pub(crate) fn new() -> Self {
        let names = ["c", "w", "d"].map(|end| format!("flowner-nat-{end}-{}", std::process::id()));
        let behind = Self(names);
        ip("link set lo up");
        for (name, net) in behind.0.iter().zip([98, 97, 99]) {
            ip(&format!("netns add {name}"));
            ip(&format!(
                "link add n{net} type veth peer name far netns {name}"
            ));
            ip(&format!("addr add 10.{net}.0.1/24 dev n{net}"));
            ip(&format!("link set n{net} up"));
            ip(&format!("-n {name} addr add 10.{net}.0.2/24 dev far"));
            ip(&format!("-n {name} link set far up"));
        }
        for (name, net) in [(&behind.0[0], 98), (&behind.0[2], 99)] {
            ip(&format!("-n {name} route add default via 10.{net}.0.1"));
        }
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        for rule in [
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority 100 ; }",
            "add rule ip nat post oifname n97 masquerade",
            "add chain ip nat pre { type nat hook prerouting priority -100 ; }",
            "add rule ip nat pre udp dport 7070 dnat to 10.98.0.2:7071",
            "add rule ip nat pre tcp dport 8000 dnat to 10.98.0.2:80",
            "add rule ip nat post ip saddr 10.98.0.0/24 ip daddr 10.98.0.0/24 masquerade",
        ] {
            nft(rule);
        }
        behind
    }

    pub(crate) fn helper(&self, end: usize, sockets: &[&str]) -> Helper {
        Helper::through(self.command(end), sockets)
    }

    /// A command that runs a program in there.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub(crate) fn command(&self, end: usize) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0[end]]);
        command
    }
}

pub(crate) fn nft(rule: &str) {
    let output = Command::new("nft").arg(rule).output().unwrap();
    assert!(output.status.success(), "{rule}: {output:?}");
}

impl Drop for Behind {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

/// Runs conntrack(8), and returns its output.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn conntrack(arguments: &str) -> String {
    let mut command = Command::new("conntrack");
    let output = command.args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the caller should return: the test cannot run here, or runs again in its own network
/// namespace.
pub(crate) fn is_run_elsewhere(test: &str, tools: &[&str]) -> bool {
    for tool in tools {
        if Command::new(tool).arg("--version").output().is_err() {
            flowner_testing::skipped!("{tool} is not installed");
            return true;
        }
    }
    is_run_apart(test)
}

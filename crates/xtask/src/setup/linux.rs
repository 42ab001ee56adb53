//! Linux: the package manager of the distribution.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::is_root;
use crate::command::{Failure, exists, run};

/// A package manager: its program, how it updates its list of packages (where it does not do so by
/// itself), how it installs, and the names of the packages that provide a linker and libpcap.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    linker: &'static str,
    libpcap: &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: &["update"],
        install: &["install", "-y", "--no-install-recommends"],
        linker: "gcc libc6-dev",
        libpcap: "libpcap-dev",
    },
    Manager {
        program: "dnf",
        refresh: &[],
        install: &["install", "-y"],
        linker: "gcc",
        libpcap: "libpcap-devel",
    },
    Manager {
        program: "pacman",
        refresh: &["-Sy"],
        install: &["-S", "--needed", "--noconfirm"],
        linker: "gcc",
        libpcap: "libpcap",
    },
    Manager {
        program: "zypper",
        refresh: &[],
        install: &["--non-interactive", "install"],
        linker: "gcc",
        libpcap: "libpcap-devel",
    },
    Manager {
        program: "apk",
        refresh: &[],
        install: &["add"],
        linker: "build-base",
        libpcap: "libpcap-dev",
    },
];

/// Installs libpcap's development files, if the linker does not find them.
pub(crate) fn libpcap() -> Result<(), Failure> {
    if links(&["-lpcap"]) {
        println!("setup: nothing is missing");
        return Ok(());
    }
    let manager = MANAGERS.iter().find(|manager| exists(manager.program));
    let manager = manager.ok_or_else(|| {
        let known = MANAGERS.map(|manager| manager.program).join(", ");
        Failure(format!(
            "libpcap's development files are missing, and no package manager that is known here \
             ({known}) was found; install libpcap with its headers"
        ))
    })?;
    let mut packages = vec![manager.libpcap];
    if !links(&[]) {
        packages.extend(manager.linker.split(' '));
    }
    println!("setup: missing: {}", packages.join(", "));
    install(manager, &packages)?;
    if links(&["-lpcap"]) {
        Ok(())
    } else {
        Err(Failure(format!(
            "{} is installed, but the linker still does not find libpcap",
            manager.libpcap
        )))
    }
}

fn install(manager: &Manager, packages: &[&str]) -> Result<(), Failure> {
    let mut install = as_root(manager.program);
    // Packages that ask a question must take the answer that they would suggest.
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(manager.install).args(packages);
    if !is_root() && !exists("sudo") {
        return Err(Failure(format!(
            "that needs root, and there is no sudo; as root, run: {} {} {}",
            manager.program,
            manager.install.join(" "),
            packages.join(" ")
        )));
    }
    let first = run(&mut install);
    if first.is_ok() || manager.refresh.is_empty() {
        return first;
    }
    println!("setup: perhaps the list of packages is missing or old");
    run(as_root(manager.program).args(manager.refresh))?;
    run(&mut install)
}

/// Installs packages by their Debian names; `false` where there is no `apt-get`.
pub(crate) fn install_debian(packages: &[&str]) -> Result<bool, Failure> {
    let [debian, ..] = &MANAGERS;
    if !exists(debian.program) {
        return Ok(false);
    }
    install(debian, packages).map(|()| true)
}

fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

/// Whether an empty program links with these libraries.
fn links(libraries: &[&str]) -> bool {
    let compiler = Command::new("cc")
        .args(["-x", "c", "-", "-o", "/dev/null"])
        .args(libraries)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut compiler) = compiler else {
        return false;
    };
    let written = compiler
        .stdin
        .take()
        .is_some_and(|mut stdin| stdin.write_all(b"int main(void) { return 0; }").is_ok());
    written && compiler.wait().is_ok_and(|status| status.success())
}

/// Advice in one line: how to get the privilege to capture, with the command that grants it.
pub(crate) fn capture_advice(with_sudo: &str) -> String {
    format!("for byte counts too: {with_sudo}")
}

/// Whether this process may capture, or the program may by its own capabilities.
pub(crate) fn may_capture(program: &Path) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_net_raw(&status)
        // Not every user has its directory in PATH.
        || ["getcap", "/usr/sbin/getcap"].iter().any(|getcap| {
            let output = Command::new(getcap).arg(program).output();
            output.is_ok_and(|output| {
                String::from_utf8_lossy(&output.stdout).contains("cap_net_raw")
            })
        })
}

/// Whether `CAP_NET_RAW`, bit 13 (capability.h), is among the effective capabilities in a
/// `/proc/PID/status` (proc(5)). Root in a container may lack it.
fn has_net_raw(status: &str) -> bool {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << 13) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_reports_missing_libraries() {
        assert!(links(&[]));
        assert!(!links(&["-lno_such_library_anywhere"]));
    }

    #[test]
    fn the_capability_is_one_bit() {
        assert!(has_net_raw(
            "Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n"
        ));
        assert!(has_net_raw("CapEff:\t0000000000002000\n"));
        assert!(!has_net_raw("CapEff:\t000001ffffffdfff\n"));
        assert!(!has_net_raw("CapBnd:\t000001ffffffffff\n"));
    }
}

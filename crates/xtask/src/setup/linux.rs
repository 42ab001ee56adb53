//! Linux: the package manager of the distribution.

use std::io::Write;
use std::process::{Command, Stdio};

use super::is_root;
use crate::command::{Failure, exists, run};

/// A package manager: its program, what it needs before installing, how it installs,
/// and what the packages are called that give a linker and libpcap.
struct Manager {
    program: &'static str,
    prepare: &'static [&'static str],
    install: &'static [&'static str],
    linker: &'static str,
    libpcap: &'static str,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        prepare: &["update"],
        install: &["install", "-y", "--no-install-recommends"],
        linker: "gcc libc6-dev",
        libpcap: "libpcap-dev",
    },
    Manager {
        program: "dnf",
        prepare: &[],
        install: &["install", "-y"],
        linker: "gcc",
        libpcap: "libpcap-devel",
    },
    Manager {
        program: "pacman",
        prepare: &[],
        install: &["-S", "--needed", "--noconfirm"],
        linker: "gcc",
        libpcap: "libpcap",
    },
    Manager {
        program: "zypper",
        prepare: &[],
        install: &["--non-interactive", "install"],
        linker: "gcc",
        libpcap: "libpcap-devel",
    },
    Manager {
        program: "apk",
        prepare: &[],
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
    if !manager.prepare.is_empty() {
        run(as_root(manager.program).args(manager.prepare))?;
    }
    run(as_root(manager.program)
        .args(manager.install)
        .args(packages))
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

/// One line on how to get the privilege to capture.
pub(crate) const fn capture_advice() -> &'static str {
    "for byte counts too: sudo target/release/flowner watch"
}

/// Whether this user may capture.
pub(crate) fn may_capture() -> bool {
    is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_tells_what_is_missing() {
        assert!(links(&[]));
        assert!(!links(&["-lno_such_library_anywhere"]));
    }
}

//! The program under other rights: root, who called `sudo`, a user of a file with capabilities.
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::namespace::Namespace;

/// What the file has, as `setcap` takes it.
pub(crate) const GIVEN: &str = "cap_dac_read_search,cap_net_admin,cap_net_raw,cap_sys_admin,\
                                cap_sys_nice,cap_sys_ptrace=ep";
/// A user who is not root.
pub(crate) const NOBODY: u32 = 65_534;

/// The group that may read the secret file; it has no members.
pub(crate) const SECRET: u32 = 42;

/// A copy of the program in a folder that every user may enter, and a folder of the user `nobody`.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// `None`, with a message, if this process cannot become another user.
    pub(crate) fn new() -> Option<Self> {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout != b"0\n" {
            flowner_testing::skipped!("no privilege to become another user");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        mode(folder.path(), 0o755).unwrap();
        let stage = Self { folder };
        for program in ["plain", "given", "setuid"] {
            // By a process of its own: what is open for writing here cannot be run (ETXTBSY).
            let mut copy = Command::new("cp");
            copy.arg(env!("CARGO_BIN_EXE_flowner"))
                .arg(stage.path(program));
            assert!(copy.status().unwrap().success());
            mode(&stage.path(program), 0o755).unwrap();
        }
        mode(&stage.path("setuid"), 0o4755).unwrap();
        let set = Command::new("setcap")
            .arg(GIVEN)
            .arg(stage.path("given"))
            .output();
        if !set.is_ok_and(|it| it.status.success()) {
            flowner_testing::skipped!("files cannot be given capabilities here");
            return None;
        }
        fs::create_dir(stage.path("own")).unwrap();
        std::os::unix::fs::chown(stage.path("own"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::create_dir(stage.path("roots")).unwrap();
        fs::write(stage.path("secret"), "hush = 'nobody may read this'\n").unwrap();
        std::os::unix::fs::chown(stage.path("secret"), Some(0), Some(SECRET)).unwrap();
        mode(&stage.path("secret"), 0o640).unwrap();
        Some(stage)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, by: By) -> Command {
        let mut command = match by {
            By::Root => Command::new(self.path("plain")),
            By::Sudo => {
                let mut command = Command::new(self.path("plain"));
                command.env("SUDO_UID", NOBODY.to_string());
                command.env("SUDO_GID", NOBODY.to_string());
                command
            }
            By::Capabilities | By::SetUid => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
                command.arg(self.path(if by == By::SetUid { "setuid" } else { "given" }));
                if by == By::SetUid {
                    // Any user can set this.
                    command
                        .env("SUDO_UID", "0")
                        .env("SUDO_GID", SECRET.to_string());
                }
                command
            }
        };
        for variable in ["FLOWNER_LOG", "FLOWNER_CONFIG", "XDG_CONFIG_HOME"] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, by: By, arguments: &[&str]) -> Output {
        self.command(by).args(arguments).output().unwrap()
    }

    /// The same in another network.
    pub(crate) fn command_in(&self, network: &Namespace, by: By) -> Command {
        let program = self.command(by);
        let mut command = network.command("env");
        for (key, value) in program.get_envs() {
            if let Some(value) = value {
                command.arg(format!("{}={}", key.display(), value.display()));
            }
        }
        command.arg(program.get_program()).args(program.get_args());
        command
    }

    /// Gives the file all but one of the capabilities that it has otherwise.
    pub(crate) fn give_all_but(&self, without: &str) {
        let all = GIVEN.split('=').next().unwrap().split(',');
        let rest: Vec<_> = all.filter(|it| *it != without).collect();
        let given = format!("{}=ep", rest.join(","));
        let mut set = Command::new("setcap");
        let set = set.arg(&given).arg(self.path("given")).status();
        assert!(set.unwrap().success());
    }
}

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Root,
    Sudo,
    /// A user, of a file with capabilities.
    Capabilities,
    /// A user, of a file of root with the set-user-ID bit.
    SetUid,
}

pub(crate) const ALL: [By; 4] = [By::Root, By::Sudo, By::Capabilities, By::SetUid];

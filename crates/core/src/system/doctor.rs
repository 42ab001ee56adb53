//! What works here, what does not, and what would change that.

use std::path::Path;

use flowner_attribution::permissions::{self, Fix, Level, Visibility};
use flowner_capture::{LiveOptions, Source, shell_word};
use flowner_names::geo::{GeoDatabases, usual_databases};

use crate::system::privileges;

/// The result of all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// The operating system and its version.
    pub system: String,
    /// The checks. Each stands after the ones that it depends on.
    pub checks: Vec<Check>,
    /// Commands that give the program all capabilities that it needs, to paste in this order.
    pub commands: Vec<String>,
    /// What the commands allow, and to which users, in sentences; `None` if they allow nothing.
    pub grants: Option<String>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its subject, in a word.
    pub name: &'static str,
    /// How well it works.
    pub status: Status,
    /// What the status means, in a sentence without an end mark.
    pub detail: String,
    remedy: Option<Fix>,
}

/// How well something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Not at all.
    Unusable,
    /// In part.
    Limited,
    /// Fully.
    Good,
}

impl Status {
    /// Every status, the worst one first.
    pub const ALL: [Self; 3] = [Self::Unusable, Self::Limited, Self::Good];

    /// The name in lower case, as JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unusable => "failed",
            Self::Limited => "limited",
            Self::Good => "good",
        }
    }
}

impl Checkup {
    /// The worst status of all checks.
    pub fn status(&self) -> Status {
        let statuses = self.checks.iter().map(|check| check.status);
        statuses.min().unwrap_or(Status::Good)
    }
}

/// Checks what the program in this file can do on this host, by trial.
pub fn examine(program: &Path) -> Checkup {
    let mut checks = vec![library(), capture()];
    checks.extend(permissions::check().into_iter().map(of_visibility));
    checks.push(names());
    checks.push(sandbox());
    Checkup {
        system: permissions::system(),
        grants: grants(&wanted(&checks)),
        commands: commands(&checks, program),
        checks,
    }
}

/// Where names, countries and networks come from.
fn names() -> Check {
    let (databases, errors) =
        privileges::without_capabilities(|| GeoDatabases::open(usual_databases()));
    let kinds: Vec<String> = databases
        .loaded()
        .map(|(path, kind, _)| format!("{kind} ({})", path.display()))
        .collect();
    let places = match (&kinds[..], &errors[..]) {
        (_, [error, ..]) => error.to_string(),
        ([], []) => "no MMDB file is installed".to_owned(),
        (kinds, []) => kinds.join(", "),
    };
    Check {
        name: "names",
        status: if errors.is_empty() {
            Status::Good
        } else {
            Status::Limited
        },
        detail: format!(
            "from packets and the hosts file; nobody is asked without --resolve; countries and \
             networks: {places}"
        ),
        remedy: None,
    }
}

/// The privileges that this process has given up.
fn sandbox() -> Check {
    let in_force = privileges::in_force();
    Check {
        name: "sandbox",
        status: if in_force.is_whole() {
            Status::Good
        } else {
            Status::Limited
        },
        detail: in_force.to_string(),
        remedy: None,
    }
}

fn of_visibility(visibility: Visibility) -> Check {
    Check {
        name: visibility.resource.name(),
        status: match visibility.level {
            Level::Nothing => Status::Unusable,
            Level::Limited => Status::Limited,
            Level::Full => Status::Good,
        },
        detail: visibility.detail,
        remedy: visibility.fix,
    }
}

/// The capture library. Without it, this program would not have started.
fn library() -> Check {
    Check {
        name: "library",
        status: Status::Good,
        detail: flowner_capture::library_version(),
        remedy: None,
    }
}

/// Opens all devices, as a capture does without a list of devices.
fn capture() -> Check {
    let failed = |detail: String, remedy| Check {
        name: "capture",
        status: Status::Unusable,
        detail,
        remedy,
    };
    let devices = match flowner_capture::devices() {
        Ok(devices) => devices,
        Err(error) => return failed(error.to_string(), None),
    };
    let real = devices.iter().filter(|device| !device.is_pseudo());
    let names: Vec<_> = real.map(|device| device.name.as_str()).collect();
    if names.is_empty() {
        return failed(
            "there is no device that can be captured from".to_owned(),
            None,
        );
    }
    let seen = if flowner_capture::all_begin_alike() {
        "all are seen unless -i names some"
    } else {
        "that of the default route is seen unless -i names others"
    };
    match Source::all(&LiveOptions::default()) {
        Ok(_) => Check {
            name: "capture",
            status: Status::Good,
            detail: format!(
                "all devices can be captured from: {}; {seen}",
                listed(&names)
            ),
            remedy: None,
        },
        Err(flowner_capture::Error::Permission { .. }) => {
            let detail = "no permission to capture; files can be read, and sockets listed";
            failed(detail.to_owned(), capture_remedy())
        }
        Err(error) => failed(error.to_string(), None),
    }
}

/// The first names, and the number of the others.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 8;
    match names.len().checked_sub(MOST) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..MOST].join(", ")),
    }
}

/// Only Linux has capabilities; elsewhere, the message of the capture crate has the instructions.
fn capture_remedy() -> Option<Fix> {
    const OF_CAPTURE: &[&str] = &["cap_net_raw", "cap_net_admin"];
    (std::env::consts::OS == "linux").then_some(Fix::Capabilities(OF_CAPTURE))
}

/// Only members of this group may run the program.
const GROUP: &str = "flowner";

/// The commands. Those that give capabilities replace the capabilities of the file.
fn commands(checks: &[Check], program: &Path) -> Vec<String> {
    let mut commands = Vec::new();
    for check in checks {
        if let Some(Fix::Command(command)) = &check.remedy {
            commands.push(format!("sudo {command}"));
        }
    }
    let wanted = wanted(checks);
    if !wanted.is_empty() {
        let program = shell_word(&program.display().to_string());
        // A change of owner or mode removes capabilities, so `setcap` comes after them; by then,
        // only the group may run the file.
        commands.extend([
            format!("sudo groupadd --system --force {GROUP}"),
            format!("sudo chown root:{GROUP} {program}"),
            format!("sudo chmod 750 {program}"),
            format!("sudo setcap {}=ep {program}", wanted.join(",")),
            format!("sudo usermod --append --groups {GROUP} \"$USER\""),
        ]);
    }
    commands
}

/// The missing capabilities, with those that the program always needs.
fn wanted(checks: &[Check]) -> Vec<&'static str> {
    let mut wanted: Vec<&str> = Vec::new();
    for check in checks {
        if let Some(Fix::Capabilities(names)) = &check.remedy {
            wanted.extend(*names);
        }
    }
    if !wanted.is_empty() {
        // `setcap` replaces the file's capabilities, so the command repeats the working ones, and
        // the one that finds processes that exit at once.
        wanted.extend(["cap_net_raw", "cap_net_admin", "cap_sys_nice"]);
        wanted.sort_unstable();
        wanted.dedup();
    }
    wanted
}

/// What capabilities allow, and to which users.
fn grants(capabilities: &[&str]) -> Option<String> {
    if capabilities.is_empty() {
        return None;
    }
    let sees_processes = capabilities.contains(&"cap_sys_ptrace");
    let processes = if sees_processes {
        ", and which sockets, files and arguments the processes of all users have"
    } else {
        ""
    };
    Some(format!(
        "Every member of the group {GROUP}, after the next login, may then see all traffic of \
         this host through this program{processes}. Nobody else but root may run it. It opens \
         files with the rights of the user who runs it."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(remedy: Option<Fix>) -> Check {
        Check {
            name: "x",
            status: Status::Limited,
            detail: String::new(),
            remedy,
        }
    }

    #[test]
    fn all_capabilities_are_in_one_command() {
        let program = Path::new("/opt/my app/flowner");
        assert_eq!(commands(&[check(None)], program), [""; 0]);
        let checks = [
            check(Some(Fix::Capabilities(&["cap_sys_ptrace"]))),
            check(Some(Fix::Command("mount x".to_owned()))),
            check(Some(Fix::Capabilities(&["cap_net_raw", "cap_sys_admin"]))),
        ];
        let expected = [
            "sudo mount x",
            "sudo groupadd --system --force flowner",
            "sudo chown root:flowner '/opt/my app/flowner'",
            "sudo chmod 750 '/opt/my app/flowner'",
            "sudo setcap cap_net_admin,cap_net_raw,cap_sys_admin,cap_sys_nice,cap_sys_ptrace=ep \
             '/opt/my app/flowner'",
            "sudo usermod --append --groups flowner \"$USER\"",
        ];
        assert_eq!(commands(&checks, program), expected);
    }

    #[test]
    fn what_capabilities_give_is_told() {
        assert_eq!(grants(&[]), None);
        let told = grants(&["cap_net_raw", "cap_sys_ptrace"]).unwrap();
        assert!(
            told.contains("group flowner") && told.contains("arguments"),
            "{told}"
        );
        let told = grants(&["cap_net_raw"]).unwrap();
        assert!(!told.contains("arguments"), "{told}");
    }

    #[test]
    fn this_system_is_examined() {
        let checkup = examine(Path::new("flowner"));
        assert!(!checkup.system.is_empty() && checkup.checks.len() >= 2);
        assert!(checkup.checks.iter().all(|check| !check.detail.is_empty()));
    }
}

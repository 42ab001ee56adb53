//! The privileges that each command keeps.

use std::path::{Path, PathBuf};

use flowner_core::privileges::{Needs, Privileges, Writes};

use crate::args::{Command, LiveArgs};
use crate::error::Failure;

/// Privileges that are set aside, and whether the command gives them up.
pub(crate) struct Sandbox {
    privileges: Privileges,
    is_off: bool,
}

impl Sandbox {
    pub(super) const fn new(privileges: Privileges, is_off: bool) -> Self {
        Self { privileges, is_off }
    }

    /// Opens a file that the user named, with root's rights if root started the program.
    pub(super) fn with_rights_of_root<T>(&self, open: impl FnOnce() -> T) -> T {
        self.privileges.with_rights_of_root(open)
    }

    /// Gives up all privileges except the needed ones.
    pub(super) fn keep(self, needs: &Needs) -> Result<(), Failure> {
        let kept = if self.is_off {
            self.privileges.keep_without_sandbox(needs)
        } else {
            self.privileges.keep(needs)
        };
        Ok(kept?)
    }
}

pub(super) fn needs(command: &Command) -> Needs {
    match command {
        Command::Live(args) => of_live(args),
        Command::Watch(_) | Command::Doctor(_) => Needs::capture(),
        Command::Record(args) => Needs::capture().writing(beside(&args.write)),
        Command::Sockets(_) | Command::Who(_) => Needs::owners(),
        Command::Man(args) => Needs::nothing().writing(match &args.dir {
            Some(folder) => Writes::In(folder.clone()),
            None => Writes::Nowhere,
        }),
        Command::Read(_) | Command::Devices(_) | Command::Config(_) | Command::Completions(_) => {
            Needs::nothing()
        }
    }
}

pub(super) fn of_live(args: &LiveArgs) -> Needs {
    if args.sockets {
        Needs::owners()
    } else {
        Needs::capture()
    }
}

/// The directory of a file, and of those that follow it.
fn beside(file: &Path) -> Writes {
    if file.as_os_str() == "-" {
        return Writes::Nowhere;
    }
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
    Writes::In(folder.map_or_else(|| PathBuf::from("."), Path::to_owned))
}

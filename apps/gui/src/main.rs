//! The desktop app; all of it is in the library.

use std::process::ExitCode;

use flowner_core::privileges::{Needs, Privileges, Writes};
use flowner_gui::launch::{self, Asked};
use flowner_gui::settings::Store;

fn main() -> ExitCode {
    // Before anything is read that others wrote.
    let privileges = match Privileges::set_aside() {
        Ok(privileges) => privileges,
        Err(error) => return fail(&error),
    };
    flowner_gui::log_to_stderr();
    let launch = match launch::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Run(launch)) => launch,
        Ok(Asked::Print(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("flowner-gui: {message}");
            return ExitCode::from(2);
        }
    };
    // Settings and exports are written wherever their user may.
    let needs = Needs::capture().writing(Writes::AsUser).with_windows();
    let kept = if launch.no_sandbox {
        privileges.keep_without_sandbox(&needs)
    } else {
        privileges.keep(&needs)
    };
    if let Err(error) = kept {
        return fail(&error);
    }
    match flowner_gui::application(launch, Store::of_this_user()).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowner-gui: no window could be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("flowner-gui: {error}");
    ExitCode::from(2)
}

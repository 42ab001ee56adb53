//! The desktop app; all of it is in the library.

use std::process::ExitCode;

use flowner_gui::launch::{self, Asked};
use flowner_gui::settings::Store;

fn main() -> ExitCode {
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
    match flowner_gui::application(launch, Store::of_this_user()).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowner-gui: no window could be opened: {error}");
            ExitCode::FAILURE
        }
    }
}

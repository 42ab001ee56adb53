//! `flowner completions`, `flowner man` and `flowner config`

use std::io::Write;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;

use flowner_core::present::{printable, printable_path};

use crate::args::{CompletionsArgs, ConfigArgs, ManArgs};
use crate::error::{Failure, Outcome};
use crate::out::Out;
use crate::settings::{Chosen, Place, Setting};

/// Writes the completion script of a shell.
pub(crate) fn completions(args: &CompletionsArgs, program: Command, out: &mut Out) -> Outcome {
    let mut program = program;
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "flowner", &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes manual pages.
pub(crate) fn man(args: &ManArgs, program: Command, out: &mut Out) -> Outcome {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    if let Some(folder) = &args.dir {
        let written = clap_mangen::generate_to(program, folder);
        written.map_err(|error| {
            let folder = printable_path(folder);
            Failure::Message(format!("pages could not be written to {folder}: {error}"))
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let page = match &args.command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::Message(format!(
                "there is no command `{name}`; `flowner --help` lists them"
            ))
        })?,
    };
    let mut text = Vec::new();
    Man::new(page).render(&mut text)?;
    out.write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes which file is in use, and what it sets.
pub(crate) fn config(args: &ConfigArgs, chosen: &Chosen, out: &mut Out) -> Outcome {
    let path = chosen.place.path().map(|path| printable_path(path));
    if args.path {
        writeln!(out, "{}", path.unwrap_or_default())?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{}", describe(chosen))?;
    for setting in chosen.settings.all() {
        writeln!(out, "  {}", line(setting))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The file, and why it is used.
pub(crate) fn describe(chosen: &Chosen) -> String {
    let path = chosen.place.path().map(|path| printable_path(path));
    let path = path.unwrap_or_default();
    match &chosen.place {
        Place::Typed(_) => format!("{path}, named by --config"),
        Place::Variable(_) => format!("{path}, named by FLOWNER_CONFIG"),
        Place::Usual(_) if chosen.place.exists() => path,
        Place::Usual(_) => format!("none; {path} would be read"),
        Place::Nowhere => "none".to_owned(),
    }
}

fn line(setting: &Setting) -> String {
    let command = setting.command.as_deref();
    let command = command.map_or_else(String::new, |command| format!("{command}."));
    let values = setting.values.join(", ");
    printable(&format!("{command}{} = {values}", setting.key))
}

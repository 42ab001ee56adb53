//! `flowner doctor`

use std::io::Write;
use std::process::ExitCode;

use anstyle::Style;
use flowner_core::doctor::{self, Check, Status};
use flowner_core::json::{CheckLine, HeadLine};
use flowner_core::present::printable;

use crate::args::DoctorArgs;
use crate::commands::about;
use crate::error::{ERROR, Outcome};
use crate::out::Out;
use crate::settings::Chosen;
use crate::table::{Align, Table, UNKNOWN};

pub(crate) fn run(args: &DoctorArgs, chosen: &Chosen, out: &mut Out) -> Outcome {
    let program = std::env::current_exe().unwrap_or_else(|_| "flowner".into());
    let checkup = doctor::examine(&program);
    if args.json {
        out.json(&HeadLine::new("doctor"))?;
        for check in &checkup.checks {
            out.json(&CheckLine::new(check))?;
        }
    } else {
        let version = crate::version::short();
        writeln!(out, "flowner {version} on {}", printable(&checkup.system))?;
        writeln!(out, "configuration file: {}\n", about::describe(chosen))?;
        out.table(&table(&checkup.checks))?;
    }
    if !args.json && !checkup.commands.is_empty() {
        writeln!(out, "\nTo see everything, run:")?;
        for command in &checkup.commands {
            writeln!(out, "  {}", printable(command))?;
        }
        if let Some(grants) = &checkup.grants {
            writeln!(out, "\n{grants}")?;
        }
    }
    Ok(match checkup.status() {
        Status::Good | Status::Limited => ExitCode::SUCCESS,
        Status::Unusable => ExitCode::from(ERROR),
    })
}

fn table(checks: &[Check]) -> Table {
    let columns = [
        ("WHAT", Align::Left),
        ("WORKS", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for check in checks {
        let style = match check.status {
            Status::Good => Style::new(),
            Status::Limited | Status::Unusable => UNKNOWN,
        };
        let works = match check.status {
            Status::Good => "yes",
            Status::Limited => "in part",
            Status::Unusable => "no",
        };
        let detail = printable(&check.detail);
        table.row(style, [check.name.to_owned(), works.to_owned(), detail]);
    }
    table
}

//! The harness: arguments, trials, the table.
//!
//! | module | about |
//! |---|---|
//! | `situations` | what is played |
//! | `generator` | the processes that make the traffic, and count it |
//! | `server` | the process that they talk to |
//! | `lab` | the networks, and the kernel's count of what crossed them |
//! | `watcher` | the program that is judged: `flowner watch --json` |
//! | `trial` | one situation played once, and the verdict |
//! | `table` | all verdicts, as Markdown |

mod generator;
mod lab;
mod server;
mod situations;
mod table;
mod trial;
mod watcher;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use flowner_benches::network;

use lab::Lab;
use situations::{SITUATIONS, Situation};
use table::Row;
use trial::Trial;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
detect [OPTIONS]     play situations that monitors get wrong, as root

  --trials N         how often each is played            [5]
  --case TEXT        only situations whose name has this in it
  --device NAME      watch this device                   [all devices]
  --program FILE     the program that is judged          [flowner beside this one]
  --quick            an eighth of the bytes, for tests

It exits with 1 if a process of a situation was not named, another one was named in its place,
or its bytes are off by more than 10 %.";

#[derive(Debug)]
struct Options {
    trials: usize,
    case: String,
    device: Option<String>,
    program: PathBuf,
    is_quick: bool,
}

pub(crate) fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => server::run()?,
        ["generate", ..] => generator::run(&arguments[1..])?,
        ["help" | "-h" | "--help"] => println!("{HELP}"),
        _ => return play(&options(&arguments)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &[String]) -> Result<Options> {
    let beside = std::env::current_exe()?.with_file_name("flowner");
    let mut options = Options {
        trials: 5,
        case: String::new(),
        device: None,
        program: beside,
        is_quick: false,
    };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{name} wants a value\n\n{HELP}"))
        };
        match name.as_str() {
            "--trials" => options.trials = value()?.parse()?,
            "--case" => value()?.clone_into(&mut options.case),
            "--device" => options.device = Some(value()?.clone()),
            "--program" => options.program = value()?.into(),
            "--quick" => options.is_quick = true,
            other => return Err(format!("unknown: {other}\n\n{HELP}").into()),
        }
    }
    Ok(options)
}

fn play(options: &Options) -> Result<ExitCode> {
    network::enter_own()?;
    let lab = Lab::open()?;
    let mut rows = Vec::new();
    for situation in chosen(&options.case) {
        let row = match situation.missing() {
            Some(why) => Row::not_run(situation, why),
            None => Row::of(situation, trials(options, &lab, situation)?),
        };
        eprintln!("{}", row.line());
        rows.push(row);
    }
    println!("{}", table::render(&rows));
    let is_good = rows.iter().all(Row::is_good);
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(case: &str) -> impl Iterator<Item = &'static Situation> {
    SITUATIONS
        .iter()
        .filter(move |situation| situation.name.contains(case))
}

fn trials(options: &Options, lab: &Lab, situation: &Situation) -> Result<Vec<Trial>> {
    (0..options.trials)
        .map(|_| {
            trial::play(options, lab, situation)
                .map_err(|error| format!("{}: {error}", situation.name).into())
        })
        .collect()
}

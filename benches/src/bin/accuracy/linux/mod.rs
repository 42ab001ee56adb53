//! The harness: arguments, loads, cases, tables.

mod actors;
mod bytes;
mod cases;
mod observer;
mod other_program;
mod plan;
mod soak;
mod stage;
mod table;
mod told;
mod truth;
mod venue;

use std::error::Error;
use std::process::ExitCode;

use flowner_benches::load::Load;
use flowner_benches::network;

use cases::Share;
use plan::Plan;
use stage::Stage;
use table::{Row, Score};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
accuracy [OPTIONS]        how often owners are named, and whether ever wrongly
accuracy soak [OPTIONS]   whether that holds, and nothing grows, for a long time

  --table native,portable,no-counts,no-sock-diag   [native,portable]
  --background 0,100,1000   other processes, with 10 sockets each
  --repeat N                exchanges a case                        [200]
  --case TEXT               only cases whose name has this in it
  --lenient                 fail for wrong answers, and where less than half are named of
                            what lives for 10 ms: for machines that do other things too;
                            leaves out the cases that take a minute";

#[derive(Debug)]
struct Options {
    tables: Vec<String>,
    background: Vec<usize>,
    repeat: usize,
    case: String,
    is_lenient: bool,
}

pub(crate) fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["role", "observe", table, device] => observer::run(table, device)?,
        ["role", role, ..] => actors::run(role, &arguments[2..])?,
        ["soak", ..] => return soak::run(&arguments[1..]),
        ["help" | "-h" | "--help"] => println!("{HELP}"),
        _ => return measure(&options(&arguments)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        tables: vec!["native".to_owned(), "portable".to_owned()],
        background: vec![0, 100, 1_000],
        repeat: 200,
        case: String::new(),
        is_lenient: false,
    };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{name} wants a value\n\n{HELP}"))
        };
        match name.as_str() {
            "--table" => options.tables = value()?.split(',').map(str::to_owned).collect(),
            "--background" => {
                let counts = value()?.split(',').map(str::parse);
                options.background = counts.collect::<std::result::Result<_, _>>()?;
            }
            "--repeat" => options.repeat = value()?.parse()?,
            "--case" => value()?.clone_into(&mut options.case),
            "--lenient" => options.is_lenient = true,
            other => return Err(format!("unknown: {other}\n\n{HELP}").into()),
        }
    }
    Ok(options)
}

fn measure(options: &Options) -> Result<ExitCode> {
    network::enter_own()?;
    let mut is_good = true;
    for &background in &options.background {
        let _load = Load::start(background, 10)?;
        for table in &options.tables {
            let rows = all_cases(options, table)?;
            println!("\n{table} table, {background} other processes\n");
            println!("{}", table::render(&rows));
            if table != "portable" {
                let misses = rows.iter().filter(|row| !row.is_good(options.is_lenient));
                for row in misses {
                    is_good = false;
                    println!("MISSED: {}", row.name());
                }
            }
        }
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn all_cases(options: &Options, table: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for case in cases::all()
        .filter(|case| case.name.contains(&options.case))
        .filter(|case| !(options.is_lenient && case.share == Share::Once))
    {
        for at_once in [1, 8] {
            if at_once > 1 && !case.in_parallel {
                continue;
            }
            let count = match case.share {
                Share::Whole => options.repeat,
                Share::Few => options.repeat.div_ceil(20),
                Share::Once => 1,
            };
            let plan = Plan { count, at_once };
            let mut stage = Stage::open(table, case.place)?;
            (case.play)(&mut stage, plan).map_err(|error| format!("{}: {error}", case.name))?;
            let outcomes = stage.close()?;
            for is_server in [false, true] {
                let of_side = outcomes
                    .iter()
                    .filter(|outcome| outcome.is_server == is_server);
                let score = Score::of(of_side);
                if is_server && score.is_empty() {
                    continue;
                }
                for words in &score.wrong_words {
                    println!("WRONG, {}, {at_once} at once, {table}: {words}", case.name);
                }
                rows.push(Row {
                    case: case.name,
                    need: case.need,
                    at_once,
                    is_server,
                    score,
                });
            }
        }
    }
    Ok(rows)
}

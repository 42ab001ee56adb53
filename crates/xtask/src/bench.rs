//! `cargo xtask bench`: runs the benchmarks, and writes their results as a table.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::{Failure, cargo, root, run as run_command};

/// The result of one benchmark, as criterion stores it.
#[derive(Debug, PartialEq)]
struct Estimate {
    name: String,
    /// Nanoseconds per iteration: the median, and the bounds of its 95 % confidence interval.
    median: f64,
    lower: f64,
    upper: f64,
}

/// Runs all benchmarks, or those that these arguments of `cargo bench` choose, and writes
/// the table to standard output, or to the file that `GITHUB_STEP_SUMMARY` names.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let folder = root().join("target/criterion");
    // Removes the results of an earlier run.
    if let Err(error) = fs::remove_dir_all(&folder)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed(&folder, &error));
    }
    let mut bench = cargo(&["bench", "--package", "flowner-benches", "--locked"]);
    bench.args(arguments).env("CRITERION_HOME", &folder);
    run_command(&mut bench)?;
    let mut estimates = Vec::new();
    collect(&folder, &mut estimates).map_err(|error| failed(&folder, &error))?;
    if estimates.is_empty() {
        let message = "no benchmark was run; `cargo bench -p flowner-benches -- --list` has them";
        return Err(Failure(message.to_owned()));
    }
    estimates.sort_by(|a, b| a.name.cmp(&b.name));
    publish(&table(&estimates))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

fn publish(table: &str) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) else {
        println!("\n{table}");
        return Ok(());
    };
    fs::write(&path, table).map_err(|error| failed(&path, &error))
}

/// Finds the results of the last run, which criterion stores in directories named `new`.
fn collect(folder: &Path, into: &mut Vec<Estimate>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "new") {
            let about = fs::read_to_string(path.join("benchmark.json"))?;
            let found = fs::read_to_string(path.join("estimates.json"))?;
            into.extend(estimate(&about, &found));
        } else {
            collect(&path, into)?;
        }
    }
    Ok(())
}

/// Reads the few keys that the table needs; criterion always writes them in one line, in this form.
fn estimate(about: &str, found: &str) -> Option<Estimate> {
    let (_, name) = about.split_once(r#""full_id":""#)?;
    let (name, _) = name.split_once('"')?;
    let (_, median) = found.split_once(r#""median":"#)?;
    let number = |key: &str| {
        let (_, value) = median.split_once(&format!("\"{key}\":"))?;
        let (value, _) = value.split_once([',', '}'])?;
        value.parse().ok()
    };
    Some(Estimate {
        name: name.to_owned(),
        median: number("point_estimate")?,
        lower: number("lower_bound")?,
        upper: number("upper_bound")?,
    })
}

fn table(estimates: &[Estimate]) -> String {
    let mut table = String::from("| benchmark | median | 95 % of medians |\n|---|---:|---:|\n");
    for estimate in estimates {
        let name = estimate.name.replace('|', "\\|");
        let [median, lower, upper] = [estimate.median, estimate.lower, estimate.upper].map(time);
        table.extend(["| ", &name, " | ", &median, " | "].map(str::to_owned));
        table.extend([lower, " to ".to_owned(), upper, " |\n".to_owned()]);
    }
    table
}

/// A time with three significant digits and a unit.
fn time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let unit = units.iter().find(|(size, _)| nanoseconds >= *size);
    let (size, unit) = unit.copied().unwrap_or((1.0, "ns"));
    let value = nanoseconds / size;
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &str = r#"{"group_id":"g","function_id":"f, cold","value_str":null,"full_id":"g/f, cold","x":"y"}"#;
    const FOUND: &str = concat!(
        r#"{"mean":{"confidence_interval":{"lower_bound":1.0,"upper_bound":2.0},"#,
        r#""point_estimate":1.5},"median":{"confidence_interval":{"confidence_level":0.95,"#,
        r#""lower_bound":68170840.0,"upper_bound":83694734.75},"point_estimate":75675148.25,"#,
        r#""standard_error":4559452.7},"slope":null}"#
    );

    #[test]
    fn what_criterion_found_becomes_a_row() {
        let folder = std::env::temp_dir().join(format!("flowner-bench-{}", std::process::id()));
        let of_run = folder.join("g/f, cold/new");
        fs::create_dir_all(&of_run).unwrap();
        fs::write(of_run.join("benchmark.json"), ABOUT).unwrap();
        fs::write(of_run.join("estimates.json"), FOUND).unwrap();
        let mut estimates = Vec::new();
        collect(&folder, &mut estimates).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            table(&estimates),
            "| benchmark | median | 95 % of medians |\n|---|---:|---:|\n\
             | g/f, cold | 75.7 ms | 68.2 ms to 83.7 ms |\n"
        );
    }

    #[test]
    fn what_is_not_criterions_is_left_out() {
        assert_eq!(estimate("{}", FOUND), None);
        assert_eq!(estimate(ABOUT, r#"{"mean":{"point_estimate":1.0}}"#), None);
    }

    #[test]
    fn times_have_three_digits() {
        let check = |nanoseconds, expected| assert_eq!(time(nanoseconds), expected);
        check(0.5, "0.50 ns");
        check(17.04, "17.0 ns");
        check(999.0, "999 ns");
        check(1_500.0, "1.50 µs");
        check(2e10, "20.0 s");
    }
}

//! A capture file, read by turns.

use std::time::{Duration, Instant};

use flowner_core::{Config, Input, Monitor};

/// Reads the file so many times each way. `None` where that fails.
pub(crate) fn compare(file: &str, rounds: u64) -> Option<()> {
    let rounds = usize::try_from(rounds).ok()?;
    let mut times = [Vec::new(), Vec::new()];
    // Once, so that it is in memory.
    let _first = read(file, true)?;
    for turn in 0..2 * rounds {
        let has_names = turn % 2 == 1;
        let (used, time, named) = read(file, has_names)?;
        println!(
            "names: {has_names:5}  {:7.1} ms of processors, {:7.1} ms  {named} flows named",
            millis(used),
            millis(time)
        );
        times[usize::from(has_names)].push(used);
    }
    let [without, with] = times.map(|mut times| {
        times.sort();
        (times[times.len() / 2], times[0])
    });
    let more = |with: Duration, without: Duration| {
        100.0 * (with.as_secs_f64() / without.as_secs_f64() - 1.0)
    };
    println!(
        "processors: median {:.1} ms without names, {:.1} with: {:+.1} %; least {:.1} and {:.1}: {:+.1} %",
        millis(without.0),
        millis(with.0),
        more(with.0, without.0),
        millis(without.1),
        millis(with.1),
        more(with.1, without.1),
    );
    Some(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Of all threads of this process, in steps of 10 ms (`/proc/self/stat`). `None` where the system does not
/// say so: then the time that passed counts.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11);
    let mut next = || times.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

fn read(file: &str, has_names: bool) -> Option<(Duration, Duration, usize)> {
    let config = Config {
        input: Input::File(file.into()),
        names: has_names,
        ..Config::default()
    };
    let used = processor_time();
    let begin = Instant::now();
    let report = Monitor::builder(&config).start().ok()?.wait();
    let time = begin.elapsed();
    let used = processor_time()
        .zip(used)
        .map(|(after, before)| after.saturating_sub(before));
    let named = report.flows.iter();
    Some((
        used.unwrap_or(time),
        time,
        named.filter(|flow| flow.remote_name().is_some()).count(),
    ))
}

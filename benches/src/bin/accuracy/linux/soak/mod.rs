//! `accuracy soak`: a mixed load for a long time beside `flowner watch`, whose names are held
//! against what the processes write down, whose sums against the kernel's, and whose memory,
//! descriptors and threads must not grow.

mod devices;
mod growth;
mod judge;
mod load;
mod watched;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use flowner_benches::load::Load as Background;
use flowner_benches::network;
use rustix::process::{Pid, Signal};

use self::devices::Gone;
use self::growth::Growth;
use self::judge::{Batch, Judge};
use self::load::{Load, Servers};
use self::watched::{Counted, Summary, Watched};
use super::Result;
use super::told::Told;
use super::truth::Worth;
use super::venue::{Place, Venue};

const HELP: &str = "\
accuracy soak [OPTIONS]   a mixed load for a long time beside `flowner watch`

  --minutes N             how long                                    [30]
  --seconds N             the same, for a short one
  --program PATH          flowner                    [beside this program]
  --slots N               how many do something at a time              [6]
  --background N          other processes, with 10 sockets each      [100]
  --wrong-truth           writes down somebody else now and then: what must fail then";

/// Where a run was, once a second.
const TICK: Duration = Duration::from_secs(1);
/// The time that a monitor gets after the load to print the rest; later lines come when it stops.
const QUIET: Duration = Duration::from_secs(2);
/// Seconds that may grow.
const WARM_UP: u64 = 120;

#[derive(Debug)]
struct Options {
    time: Duration,
    program: PathBuf,
    slots: u64,
    background: usize,
    has_wrong_truth: bool,
}

pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    let Some(options) = options(arguments)? else {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    network::enter_own()?;
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", load::PICKED_PORTS)?;
    let stop = Arc::new(AtomicBool::new(false));
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let flags = [&stop, &is_interrupted].map(Arc::clone);
    ctrlc::set_handler(move || {
        for flag in &flags {
            flag.store(true, Ordering::Relaxed);
        }
        // Roles that live for long would be waited for.
        end_children();
    })?;
    let outcome = soak(&options, &stop);
    if is_interrupted.load(Ordering::Relaxed) {
        // A failure because of that proves nothing.
        if let Ok(outcome) = outcome {
            outcome.print();
        }
        println!("interrupted");
        return Ok(ExitCode::from(130));
    }
    let outcome = outcome?;
    outcome.print();
    Ok(if outcome.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn options(arguments: &[String]) -> Result<Option<Options>> {
    let mut options = Options {
        time: Duration::from_secs(30 * 60),
        program: std::env::current_exe()?.with_file_name("flowner"),
        slots: 6,
        background: 100,
        has_wrong_truth: false,
    };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{name} wants a value\n\n{HELP}"))
        };
        match name.as_str() {
            "--minutes" => options.time = Duration::from_secs(60 * value()?.parse::<u64>()?),
            "--seconds" => options.time = Duration::from_secs(value()?.parse()?),
            "--program" => options.program = value()?.into(),
            "--slots" => options.slots = value()?.parse()?,
            "--background" => options.background = value()?.parse()?,
            "--wrong-truth" => options.has_wrong_truth = true,
            "help" | "-h" | "--help" => return Ok(None),
            other => return Err(format!("unknown: {other}\n\n{HELP}").into()),
        }
    }
    Ok(Some(options))
}

/// Ends the processes that this one started, but for the program that is watched: it ends by the same
/// signal, and says what it has counted.
fn end_children() {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return;
    };
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for pid in list.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if let Some(pid) = Pid::from_raw(pid).filter(|_| name.trim() != "flowner") {
                let _gone_already = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// What a run came to.
#[derive(Debug, Default)]
struct Outcome {
    seconds: u64,
    processes: u32,
    changes: [u32; 2],
    judge: Judge,
    growth: Growth,
    summary: Summary,
    kernel: Counted,
    remarks: Vec<String>,
    /// What did not hold, second by second and at the end.
    broken: Vec<String>,
}

fn soak(options: &Options, stop: &AtomicBool) -> Result<Outcome> {
    let _background = Background::start(options.background, 10)?;
    let venue = Venue::open(Place::AllDevices)?;
    let (lines, told) = channel();
    let (servers, known) = Servers::start(&venue, (&lines, &told))?;
    let gone = Gone::default();
    let (mut watched, before) = start(&options.program, &gone)?;
    let began = Instant::now();
    let load = Load {
        venue: &venue,
        places: &servers.places,
        until: began + options.time,
        stop,
        ports: AtomicU32::new(0),
        processes: AtomicU32::new(0),
    };
    let mut outcome = Outcome::default();
    for known in known {
        outcome
            .judge
            .serves(known.protocol, known.at, known.pids.clone());
    }
    println!(
        "| minute | processes | frames | flows | judged | wrong | memory | descriptors | threads |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    std::thread::scope(|scope| -> Result<()> {
        let (send, batches) = channel();
        let words = |error: Box<dyn std::error::Error>| error.to_string();
        let mut makers = Vec::new();
        for seed in 0..options.slots {
            let (load, send) = (&load, send.clone());
            makers.push(scope.spawn(move || load.run(seed, &send).map_err(words)));
        }
        let (of_load, of_gone) = (&load, &gone);
        let changer = scope.spawn(move || devices::change(of_load, of_gone, &send).map_err(words));
        let mut watch = Watch {
            options,
            load: &load,
            gone: &gone,
            before,
            batches: &batches,
            told: &told,
            lies: 0,
        };
        while !(makers.iter().all(ScopedJoinHandle::is_finished) && changer.is_finished()) {
            if let Err(error) = watch.second(&mut watched, &mut outcome) {
                // Else those who make load would go on.
                stop.store(true, Ordering::Relaxed);
                return Err(error);
            }
            outcome.seconds = began.elapsed().as_secs();
        }
        for maker in makers {
            maker.join().map_err(|_| "a thread failed")??;
        }
        outcome.changes = changer.join().map_err(|_| "a thread failed")??;
        let quiet = Instant::now() + QUIET;
        while Instant::now() < quiet {
            watch.second(&mut watched, &mut outcome)?;
        }
        outcome.kernel = watch.kernel(watched.header)?;
        let (last, status) = watched.stop()?;
        for line in last {
            outcome.judge.line(line, watched.header);
        }
        watch.take_truth(&mut outcome);
        if !status.success() {
            outcome.broken.push(format!("flowner ended with {status}"));
        }
        Ok(())
    })?;
    outcome.processes = load.processes.load(Ordering::Relaxed);
    outcome.summary = watched.summary.ok_or("it ended without a summary")?;
    outcome.remarks.append(&mut watched.remarks);
    if stop.load(Ordering::Relaxed) {
        // A killed process did not report what it sent.
        outcome.judge.settle();
    } else {
        outcome.judge.finish();
        outcome.add_up();
    }
    Ok(outcome)
}

/// Starts the program while nothing is sent; also returns the kernel's counts at that time.
fn start(program: &Path, gone: &Gone) -> Result<(Watched, Counted)> {
    // Devices that have just come say so, for some seconds.
    const TRIES: usize = 30;
    for _ in 0..TRIES {
        let before = gone.counted(0)?;
        let mut watched = Watched::start(program, "any")?;
        if gone.counted(0)? == before {
            let before = gone.counted(watched.header)?;
            return Ok((watched, before));
        }
        watched.stop()?;
    }
    Err("something sends all the time".into())
}

/// The measurements of each second.
struct Watch<'a> {
    options: &'a Options,
    load: &'a Load<'a>,
    gone: &'a Gone,
    before: Counted,
    batches: &'a Receiver<Batch>,
    told: &'a Receiver<String>,
    /// Truths so far: on request, every so many is false.
    lies: u64,
}

impl Watch<'_> {
    fn second(&mut self, watched: &mut Watched, outcome: &mut Outcome) -> Result<()> {
        std::thread::sleep(TICK);
        for line in watched.news()? {
            outcome.judge.line(line, watched.header);
        }
        self.take_truth(outcome);
        outcome.judge.settle();
        let usage = watched.usage()?;
        outcome.growth.add(usage);
        // Read after the lines: nothing is in them that the kernel has not counted.
        let kernel = self.kernel(watched.header)?;
        let counted = outcome.judge.counted;
        if counted.packets > kernel.packets || counted.bytes > kernel.bytes {
            outcome.broken.push(format!(
                "after {} s the lines have {counted:?}, the kernel {kernel:?}",
                outcome.seconds
            ));
        }
        if outcome.growth.len().is_multiple_of(60) {
            let score = &outcome.judge.score;
            println!(
                "| {} | {} | {} | {} | {} | {} | {:.1} MiB | {} | {} |",
                outcome.growth.len() / 60,
                self.load.processes.load(Ordering::Relaxed),
                kernel.packets,
                outcome.judge.lines,
                score.total(),
                score.count(&Worth::Wrong),
                mebibytes(usage.resident_kib),
                usage.descriptors,
                usage.threads,
            );
        }
        Ok(())
    }

    fn kernel(&self, header: u64) -> Result<Counted> {
        let now = self.gone.counted(header)?;
        Ok(Counted {
            packets: now.packets.saturating_sub(self.before.packets),
            bytes: now.bytes.saturating_sub(self.before.bytes),
        })
    }

    fn take_truth(&mut self, outcome: &mut Outcome) {
        while let Ok(mut batch) = self.batches.try_recv() {
            batch.told.iter_mut().for_each(|told| self.lie(told));
            outcome.judge.told(batch);
        }
        while let Ok(line) = self.told.try_recv() {
            if let Ok(mut told) = line.parse() {
                self.lie(&mut told);
                let is_exact = true;
                outcome.judge.told(Batch {
                    told: vec![told],
                    is_exact,
                });
            }
        }
    }

    /// On request, replaces the true process by another one now and then.
    fn lie(&mut self, told: &mut Told) {
        const EVERY: u64 = 20;
        self.lies += 1;
        if !self.options.has_wrong_truth || !self.lies.is_multiple_of(EVERY) {
            return;
        }
        match told {
            Told::End(truth) => {
                let held_by = &mut truth.held_by;
                let lists = [&mut held_by.always, &mut held_by.sometimes];
                lists.into_iter().flatten().for_each(|pid| *pid += 1);
            }
            Told::Sent(sent) => sent.pid = sent.pid.map(|pid| pid + 1),
            Told::Other => {}
        }
    }
}

impl Outcome {
    /// Whether each frame is in one line or one named counter, and the kernel counted as many.
    fn add_up(&mut self) {
        let Summary {
            total,
            seen_again,
            undecodable,
            unlisted,
            dropped,
        } = self.summary;
        let mut sum = self.judge.counted;
        sum += undecodable;
        sum += unlisted;
        sum += seen_again;
        if sum != total {
            let words = format!("lines and named counters are {sum:?}, the total {total:?}");
            self.broken.push(words);
        }
        let kernel = self.kernel;
        // The kernel does not count the bytes of dropped packets.
        let is_fit = total.packets + dropped == kernel.packets
            && (dropped > 0 || total.bytes == kernel.bytes);
        if !is_fit {
            self.broken.push(format!(
                "the total is {total:?} and {dropped} dropped, the kernel counted {kernel:?}"
            ));
        }
        if dropped == 0 && self.judge.score.unfit > 0 {
            let unfit = self.judge.score.unfit;
            let words = format!("{unfit} ends whose bytes are not those that were sent");
            self.broken.push(words);
        }
    }

    fn warm_up(&self) -> usize {
        usize::try_from(WARM_UP.min(self.seconds / 4)).unwrap_or_default()
    }

    fn is_good(&self) -> bool {
        let findings = self.growth.findings(self.warm_up());
        let has_grown = findings.iter().flatten().any(|finding| finding.has_grown);
        self.broken.is_empty()
            && !has_grown
            && self.judge.score.count(&Worth::Wrong) == 0
            && self.judge.score.count(&Worth::Named) > 0
    }

    fn print(&self) {
        let score = &self.judge.score;
        let count = |worth| score.count(&worth);
        println!("\n| what | |\n|---|---:|");
        println!("| seconds | {} |", self.seconds);
        println!("| processes of the load | {} |", self.processes);
        let [devices, addresses] = self.changes;
        println!("| devices that came and went | {devices} |");
        println!("| addresses that came and went | {addresses} |");
        println!("| frames, by the kernel | {} |", self.kernel.packets);
        println!("| frames, by flowner | {} |", self.summary.total.packets);
        println!("| dropped, by flowner | {} |", self.summary.dropped);
        println!("| bytes, by the kernel | {} |", self.kernel.bytes);
        println!("| bytes, by flowner | {} |", self.summary.total.bytes);
        println!("| lines of flows | {} |", self.judge.lines);
        println!("| ends and messages judged | {} |", score.total());
        println!("| named | {} |", count(Worth::Named));
        println!("| shared | {} |", count(Worth::Shared));
        println!("| one of several named | {} |", score.one_of_several);
        println!("| partial | {} |", count(Worth::Partial));
        println!("| unknown | {} |", score.unknown());
        println!("| wrong | {} |", count(Worth::Wrong));
        println!("| ends whose bytes do not fit | {} |", score.unfit);
        println!("| warnings and missed lines | {} |", self.remarks.len());
        let warm_up = self.warm_up();
        match self.growth.findings(warm_up) {
            None => {
                let last = self.growth.last();
                println!(
                    "\ntoo short to tell what grows: at the end {:.1} MiB, {} descriptors, {} threads",
                    mebibytes(last.resident_kib),
                    last.descriptors,
                    last.threads
                );
            }
            Some(findings) => {
                println!("\nmedians after {warm_up} s; {}\n", growth::RULE);
                println!(
                    "| | first third | middle | last | most | |\n|---|---:|---:|---:|---:|---|"
                );
                for finding in findings {
                    println!("{finding}");
                }
            }
        }
        println!();
        for words in &score.words {
            println!("WRONG: {words}");
        }
        for words in &self.broken {
            println!("BROKEN: {words}");
        }
        for words in self.remarks.iter().take(10) {
            println!("remark: {words}");
        }
        println!("{}", if self.is_good() { "good" } else { "FAILED" });
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1_024.0
}

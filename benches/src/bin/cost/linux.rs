//! A monitor in this process, connections by another one.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_attribution::snapshot::portable::PortableTable;
use flowner_attribution::{Attributor, PolicyStatistics};
use flowner_benches::{load::Load, network};
use flowner_core::{Config, Input, Monitor};
use rustix::process::Signal;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Connections a second, and how long they are made.
const RATE: u32 = 1_000;
const TIME: Duration = Duration::from_secs(8);
/// How often each is measured, by turns.
const TURNS: usize = 4;
const IDLE: Duration = Duration::from_secs(5);

pub(crate) fn main() -> Result<()> {
    let table = match std::env::args().nth(1).as_deref() {
        None | Some("native") => Table::Native,
        Some("portable") => Table::Portable,
        Some("connect") => return connect(),
        Some(_) => return Err("cost [native|portable]".into()),
    };
    network::enter_own()?;
    let _load = Load::start(1_000, 10)?;
    println!("1,000 other processes with 10,000 sockets; {RATE} connections a second\n");
    println!(
        "| owners looked up | processor time, of one core | wake-ups/s | flows | named ends |"
    );
    println!("|---|---:|---:|---:|---:|");
    let mut costs = [Vec::new(), Vec::new()];
    for turn in 0..2 * TURNS {
        let owners = turn % 2 == 1;
        let table = if owners { table } else { Table::None };
        let Busy {
            share,
            wake_ups,
            flows,
            named,
        } = busy(table)?;
        let word = if owners { "yes" } else { "no" };
        println!("| {word} | {share:.1} % | {wake_ups} | {flows} | {named} |");
        costs[usize::from(owners)].push(share);
    }
    let [without, with] = costs.map(middle);
    println!("\nbeyond capturing: {:.1} % of one core", with - without);
    idle(table)?;
    println!(
        "memory: {}, at most {}",
        status("VmRSS:")?,
        status("VmHWM:")?
    );
    Ok(())
}

fn middle(mut shares: Vec<f64>) -> f64 {
    shares.sort_by(f64::total_cmp);
    f64::midpoint(shares[(shares.len() - 1) / 2], shares[shares.len() / 2])
}

/// The source of owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    None,
    Native,
    Portable,
}

fn monitor(table: Table) -> Result<Monitor> {
    let config = Config {
        input: Input::Device("lo".to_owned()),
        owners: table != Table::None,
        // As the apps have it.
        realtime: true,
        ..Config::default()
    };
    if table == Table::Portable {
        let attributor = Attributor::with_table(PortableTable::new()?);
        return Ok(Monitor::builder(&config).attributor(attributor).start()?);
    }
    Ok(Monitor::builder(&config).start()?)
}

/// What a monitor took and saw.
struct Busy {
    /// Processor time, in hundredths of one core.
    share: f64,
    /// Of all threads, in a second.
    wake_ups: u64,
    flows: usize,
    /// Ends of flows.
    named: usize,
}

fn busy(table: Table) -> Result<Busy> {
    let monitor = monitor(table)?;
    let mut connecting = Connecting::start()?;
    let (time, began, switched) = (processor_time(), Instant::now(), switches()?);
    std::thread::sleep(TIME);
    let share = processor_time().saturating_sub(time).as_secs_f64() / began.elapsed().as_secs_f64();
    let wake_ups = switches()?.saturating_sub(switched) / TIME.as_secs();
    connecting.stop()?;
    let report = monitor.stop();
    let ends = report
        .flows
        .iter()
        .flat_map(|flow| [&flow.owner, &flow.remote_owner]);
    let named = ends
        .flatten()
        .filter(|owner| owner.verdict.is_named())
        .count();
    Ok(Busy {
        share: 100.0 * share,
        wake_ups,
        flows: report.flows.len(),
        named,
    })
}

/// Measures a monitor without packets.
fn idle(table: Table) -> Result<()> {
    let monitor = monitor(table)?;
    let asked =
        |monitor: &Monitor| -> PolicyStatistics { monitor.report().owners.unwrap_or_default() };
    let before = (
        asked(&monitor).table_requests,
        processor_time(),
        switches()?,
    );
    std::thread::sleep(IDLE);
    let time = processor_time().saturating_sub(before.1);
    let switched = switches()?.saturating_sub(before.2);
    let requests = asked(&monitor).table_requests - before.0;
    println!(
        "idle for {} s: {} looks for owners, {:.1} ms of processor time, {switched} wake-ups",
        IDLE.as_secs(),
        requests,
        time.as_secs_f64() * 1_000.0,
    );
    Ok(())
}

/// Of this process, all threads, as user and as kernel.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// A line of `/proc/self/status`, such as `VmRSS:`.
fn status(name: &str) -> Result<String> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.ok_or("no such line")?.trim().to_owned())
}

/// How often the threads of this process waited for something.
fn switches() -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("status"))?;
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.ok_or("no such line")?.trim().parse::<u64>()?;
    }
    Ok(sum)
}

/// The process that makes connections.
struct Connecting(Child);

impl Connecting {
    fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command
            .arg("connect")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.as_mut().ok_or("no output")?;
        // The first one was made.
        out.read_exact(&mut [0])?;
        Ok(Self(child))
    }

    fn stop(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

/// Makes short connections, so many a second, each a request and an answer.
fn connect() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut word = [0; 4];
            if stream.read_exact(&mut word).is_ok() {
                let _gone_already = stream.write_all(&word);
            }
        }
    });
    exchange(address)?;
    std::io::stdout().write_all(b".")?;
    std::io::stdout().flush()?;
    let began = Instant::now();
    for number in 1_u32.. {
        exchange(address)?;
        let next = began + Duration::from_secs(1) * number / RATE;
        // The pace is the requested one.
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn exchange(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"ping")?;
    stream.read_exact(&mut [0; 4])?;
    Ok(())
}

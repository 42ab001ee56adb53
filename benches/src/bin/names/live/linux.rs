//! A monitor in this process, datagrams by another one, in a network of their own.

use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use flowner_benches::network;
use flowner_benches::payload::{answer, question, quic_initial};
use flowner_core::{Config, Input, Monitor};
use rustix::process::Signal;

/// Packets a second, and how long they are sent.
const RATE: u32 = 100_000;
const TIME: Duration = Duration::from_secs(4);
/// Of so many packets one is a question of DNS, one its answer, and one begins a flow of QUIC.
const NAMED: usize = 100;
/// Whether names are read, and how much of each packet is copied.
const WAYS: [(bool, u32); 3] = [(false, 256), (false, 2_048), (true, 2_048)];

/// Measures each way so many times, by turns. `None` where that fails.
pub(crate) fn compare(rounds: u64) -> Option<()> {
    network::enter_own()
        .inspect_err(|error| eprintln!("{error}"))
        .ok()?;
    let mut sender = Sender(
        Command::new(std::env::current_exe().ok()?)
            .arg("send")
            .spawn()
            .ok()?,
    );
    let mut costs = WAYS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (way, costs) in WAYS.iter().zip(&mut costs) {
            let (each, rate, dropped) = measure(*way)?;
            let (names, bytes) = way;
            println!(
                "names: {names:5}  {bytes:5} bytes  {each:6.0} ns a packet, {rate:7.0} a second, {dropped} dropped"
            );
            costs.push(each);
        }
    }
    sender.0.kill().ok()?;
    for ((names, bytes), mut costs) in WAYS.into_iter().zip(costs) {
        costs.sort_by(f64::total_cmp);
        println!(
            "names: {names:5}  {bytes:5} bytes: median {:.0} ns, least {:.0} ns",
            costs[costs.len() / 2],
            costs[0]
        );
    }
    Some(())
}

/// Processor time of the capturing thread for each packet, in ns; packets a second; those that the
/// kernel dropped.
fn measure((names, snap_length): (bool, u32)) -> Option<(f64, f64, u64)> {
    let mut config = Config {
        input: Input::Device("lo".to_owned()),
        owners: false,
        names,
        ..Config::default()
    };
    config.live.snap_length = snap_length;
    let monitor = Monitor::builder(&config).start().ok()?;
    let (begun, time) = (Instant::now(), capture_time()?);
    let before = monitor.report().table.packets;
    std::thread::sleep(TIME);
    let used = capture_time()?.saturating_sub(time);
    let report = monitor.report();
    let packets = report.table.packets - before;
    let dropped = report
        .capture
        .map_or(0, |capture| capture.dropped_by_kernel);
    let elapsed = begun.elapsed();
    monitor.stop();
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let packets = packets as f64;
    Some((
        used.as_secs_f64() * 1e9 / packets,
        packets / elapsed.as_secs_f64(),
        dropped,
    ))
}

/// The processor time that the thread has used (`schedstat`).
fn capture_time() -> Option<Duration> {
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        if name.trim() == "flowner-capture" {
            let used = fs::read_to_string(task.path().join("schedstat")).ok()?;
            return Some(Duration::from_nanos(used.split(' ').next()?.parse().ok()?));
        }
    }
    None
}

/// The process that sends, killed at the end.
struct Sender(Child);

impl Drop for Sender {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Sends for as long as the other process lives.
pub(crate) fn send() -> Option<()> {
    const PAYLOAD: usize = 1_200;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    let servers: Vec<UdpSocket> = [53, 443, 9_000]
        .into_iter()
        .map_while(|port| UdpSocket::bind(("127.0.0.1", port)).ok())
        .collect();
    let [resolver, web, plain] = &servers[..] else {
        return None;
    };
    // Nobody reads: the kernel drops what has no place.
    let clients: Vec<UdpSocket> = (0..64)
        .map_while(|_| UdpSocket::bind("127.0.0.1:0").ok())
        .collect();
    let stub = clients.first()?;
    let begun = Instant::now();
    for number in 0_u32.. {
        let client = clients.get(number as usize % clients.len())?;
        let name = || format!("h{:04x}.example.uk", number & 0x3ff);
        let id = u16::try_from(number & 0xffff).ok()?;
        let asked = || question(id, &name(), false);
        let (from, to, bytes) = match number as usize % NAMED {
            0 => (stub, resolver, asked()),
            1 => {
                let id = id.wrapping_sub(1);
                let name = format!("h{:04x}.example.uk", (number - 1) & 0x3ff);
                let told = answer(&question(id, &name, false), [192, 0, 2, 1].into(), 90);
                (resolver, stub, told)
            }
            2 => (client, web, quic_initial(&name(), number.into())),
            _ => (client, plain, vec![0; PAYLOAD]),
        };
        let _full = from.send_to(&bytes, to.local_addr().ok()?);
        if number.is_multiple_of(100) {
            let next = begun + Duration::from_secs(1) * number / RATE;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    None
}

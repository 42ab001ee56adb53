//! A table with more answers than it keeps.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use flowner_benches::payload::{answer, question};
use flowner_names::wire::dns;
use flowner_names::{FlowOwner, NameTable, Source};

const START: Duration = Duration::from_secs(1_800_000_000);
/// Between two answers: 10,000 a second.
const GAP: Duration = Duration::from_micros(100);

/// Puts in so many answers, each of another name for another address.
pub(crate) fn fill(answers: u64) -> Option<()> {
    let mut table = NameTable::default();
    let host = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    table.set_own_addresses([host]);
    println!("{}", status());
    let begin = Instant::now();
    let mut now = START;
    for number in 0..u32::try_from(answers).ok()? {
        let port = u16::try_from(1_024 + number % 60_000).unwrap_or(u16::MAX);
        let (client, server) = (SocketAddr::new(host, port), SocketAddr::from(([9; 4], 53)));
        let id = u16::try_from(number & 0xffff).unwrap_or_default();
        let asked = question(id, &format!("host-{number}.some.domain.example"), false);
        let told = answer(&asked, Ipv4Addr::from(0x0a00_0000 + number).into(), 0);
        for (bytes, ends) in [(asked, (client, server)), (told, (server, client))] {
            let message = dns::read(&bytes)?;
            table.observe(&message, Source::Dns, ends, number.into(), now);
        }
        table.set_dns_flow_owner(number.into(), FlowOwner::process(1, 2));
        now += GAP;
        if (number + 1).is_multiple_of(1_000_000) {
            println!("{:9} answers: {}", number + 1, status());
        }
    }
    let each = begin.elapsed().as_secs_f64() * 1e9;
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let each = each / answers as f64;
    println!(
        "{each:.0} ns a question and its answer, made and taken; {:?}",
        table.statistics()
    );
    Some(())
}

/// The memory of this process, where the system says so.
fn status() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.collect::<Vec<_>>().join(", ").replace('\t', " ")
}

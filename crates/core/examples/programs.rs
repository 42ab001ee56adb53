//! Watches all devices (elsewhere than on Linux, that of the default route) for ten seconds, and lists
//! programs by bytes.
//! Needs the privilege to capture.

use std::time::Duration;

use flowner_core::{Config, Monitor};

fn main() -> Result<(), flowner_core::Error> {
    let monitor = Monitor::builder(&Config::default()).start()?;
    println!("watching {} for ten seconds", monitor.input().name);
    monitor.wait_ended(Duration::from_secs(10));
    let report = monitor.stop();
    for group in report.programs() {
        let name = match &group.key {
            Some(principal) => principal.to_string(),
            None => "(others)".to_owned(),
        };
        let total = group.totals.total();
        println!(
            "{:>12} bytes {:>9} packets  {name}",
            total.bytes, total.packets
        );
    }
    Ok(())
}

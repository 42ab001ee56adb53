//! `flowner devices`

use std::process::ExitCode;

use anstyle::Style;
use flowner_core::capture::{self, Device};
use flowner_core::json::{DeviceLine, HeadLine};

use crate::args::DevicesArgs;
use crate::error::Outcome;
use crate::out::Out;
use crate::table::{Align, FAINT, Table};

pub(crate) fn run(args: &DevicesArgs, out: &mut Out) -> Outcome {
    let devices = capture::devices()?;
    let default = capture::default_device(&devices).map(|device| device.name.clone());
    let is_default = |device: &Device| default.as_ref() == Some(&device.name);
    if args.json {
        out.json(&HeadLine::new("devices"))?;
        for device in &devices {
            out.json(&DeviceLine::new(device, is_default(device)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&[
        ("", Align::Left),
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("ADDRESSES", Align::Left),
        ("DESCRIPTION", Align::Left),
    ]);
    for device in &devices {
        let mark = if is_default(device) { "*" } else { "" };
        let addresses: Vec<_> = device
            .addresses
            .iter()
            .map(|address| address.ip.to_string())
            .collect();
        let style = if device.is_up() { Style::new() } else { FAINT };
        table.row(
            style,
            [
                mark.to_owned(),
                device.name.clone(),
                state(device),
                addresses.join(" "),
                device.description.clone().unwrap_or_default(),
            ],
        );
    }
    out.table(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn state(device: &Device) -> String {
    let state = match (device.is_up(), device.is_running()) {
        (true, true) => "up",
        (true, false) => "up, no link",
        (false, _) => "down",
    };
    let kind = match (device.is_loopback(), device.is_wireless()) {
        (true, _) => ", loopback",
        (_, true) => ", wireless",
        _ => "",
    };
    format!("{state}{kind}")
}

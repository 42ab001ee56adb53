//! `flowner watch`

use std::time::Duration;

use clap::Args;

use super::{By, FlowArgs};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner watch                            until Ctrl-C, on the device of the default route
  flowner watch -i lo --duration 10s
  flowner watch --json --filter 'program:curl !dir:loopback'
  flowner watch -f 'tcp port 443' --by host")]
pub(crate) struct WatchArgs {
    /// Device to capture from [default: the one with the default route]
    #[arg(short, long, value_name = "DEVICE")]
    pub(crate) interface: Option<String>,
    /// Stop after this time, such as 10s or 5m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// Take frames for other hosts too
    #[arg(long)]
    pub(crate) promiscuous: bool,
    /// What the final summary is by
    #[arg(long, value_enum, default_value_t = By::Program)]
    pub(crate) by: By,
    #[command(flatten)]
    pub(crate) flows: FlowArgs,
}

//! `flowner watch`

use std::time::Duration;

use clap::Args;

use super::live::duration;
use super::{By, CaptureArgs, FlowArgs};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner watch                            until Ctrl-C, on all devices
  flowner watch -i lo -i eth0 --duration 10s
  flowner watch --json --filter 'program:curl !dir:loopback'
  flowner watch -f 'tcp port 443' --by name")]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
    /// Stop after this time, such as 10s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Group the summary by program, process, host, name, service or another of these
    #[arg(long, value_enum, default_value_t = By::Program)]
    pub(crate) by: By,
    #[command(flatten)]
    pub(crate) flows: FlowArgs,
}

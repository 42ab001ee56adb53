//! `flowner record`

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use flowner_core::filter::amount;

use super::CaptureArgs;
use super::filter::FilterText;
use super::live::duration;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner record -w trace.pcapng           until Ctrl-C, on all devices
  flowner record -w trace.pcapng --owner-of firefox --duration 1m
  flowner record -w trace.pcapng --rotate-size 100M --files 10
  flowner record -i eth0 -i lo -w - | wireshark -k -i -

The comment of each packet has its owners, for Wireshark and for `flowner read`. With
--rotate-size or --rotate-time, each file has a number and a time in its name.")]
pub(crate) struct RecordArgs {
    /// File to write; - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
    /// Record only packets of flows that match, such as 'user:ada !port:22'
    #[arg(long, value_name = "FILTER", value_parser = FilterText, hide_possible_values = true)]
    pub(crate) filter: Option<String>,
    /// Record only packets of this program
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) owner_of: Option<String>,
    /// Hash this number first in the Community IDs of flows, as other monitors here do
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) community_id_seed: u16,
    /// Stop after this time, such as 10s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Record at most this many bytes of each frame
    #[arg(short, long, value_name = "BYTES", default_value_t = 262_144)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=262_144))]
    pub(crate) snap_length: u32,
    /// Start another file before one is larger than this, such as 100M
    #[arg(long, value_name = "BYTES", value_parser = positive)]
    pub(crate) rotate_size: Option<u64>,
    /// Start another file after this time, such as 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) rotate_time: Option<Duration>,
    /// Keep this many files, and remove older ones
    #[arg(long, value_name = "COUNT")]
    pub(crate) files: Option<NonZeroUsize>,
    /// Overwrite an existing file
    #[arg(long)]
    pub(crate) force: bool,
}

fn positive(text: &str) -> Result<u64, String> {
    match amount(text)? {
        0 => Err("a file of no bytes cannot be written".to_owned()),
        amount => Ok(amount),
    }
}

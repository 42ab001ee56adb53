//! Options that capturing and reading share.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use flowner_core::Sort;

/// Options that capturing and reading share.
#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    /// Capture filter in libpcap's language, such as 'tcp port 443'
    #[arg(short = 'f', long, value_name = "BPF")]
    pub(crate) bpf: Option<String>,
    /// Show only flows that match, such as 'program:curl port:443 !state:closed'
    #[arg(long, value_name = "FILTER")]
    pub(crate) filter: Option<String>,
    /// Count this address as this host's own (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) local: Vec<IpAddr>,
    /// Order of the flows, such as bytes, -rate or program
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) sort: Option<Sort>,
    /// Show at most so many lines
    #[arg(short = 'n', long, value_name = "LINES")]
    pub(crate) limit: Option<usize>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a list is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Program,
    Process,
    Host,
    Service,
    Protocol,
    Flow,
}

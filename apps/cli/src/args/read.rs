//! `flowner read`

use std::path::PathBuf;

use clap::Args;
use flowner_core::TimeBound;

use super::{By, FlowArgs};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner read capture.pcapng              its flows, with the owners that record wrote
  flowner read capture.pcap --by host --top 10
  flowner read trace.pcapng --by program --filter 'port:443 !dir:loopback'
  flowner read capture.pcap --local 10.0.0.0/8 --from +10s --to +20s
  flowner read capture.pcap --by country --geo GeoLite2-Country.mmdb
  flowner read capture.pcap --csv > flows.csv
  tcpdump -w - | flowner read - --json

Files of `flowner record` have owners. The file says which host captured the packets, which
decides the direction of flows. Else Flowner infers the host, and says so; --local sets it.")]
pub(crate) struct ReadArgs {
    /// A pcap or pcapng file, compressed with gzip or zstd or not; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// List flows, or their sums by program, process, host, name, service or another of these
    #[arg(long, value_enum, default_value_t = By::Flow)]
    pub(crate) by: By,
    /// Skip packets before this time: 2026-01-01T00:00:00Z, or +10s after the first packet
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<TimeBound>,
    /// Skip packets after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<TimeBound>,
    /// Print comma-separated values, with the names of the columns first
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Capture filter in libpcap's language, such as 'tcp port 443'
    #[arg(short = 'f', long, value_name = "BPF")]
    pub(crate) bpf: Option<String>,
    #[command(flatten)]
    pub(crate) flows: FlowArgs,
}

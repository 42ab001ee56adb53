//! What can be typed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use flowner_core::Sort;

/// Which program owns each network flow on this host?
#[derive(Debug, Parser)]
#[command(name = "flowner", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 nothing found (who), 2 error.\n\
    Colours appear on terminals only; NO_COLOR turns them off.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Capture live: each flow with its owner, then a summary
    Watch(WatchArgs),
    /// Read a capture file: its flows, hosts, services
    Read(ReadArgs),
    /// List every socket with its owner; needs no capture privilege
    Sockets(SocketsArgs),
    /// Tell who owns a port, an endpoint or a connection
    Who(WhoArgs),
    /// List the devices that can be captured from
    Devices(DevicesArgs),
    /// Tell what this program may see here, and what would let it see more
    #[command(after_help = "Exit codes: 0 all works, at least in part, 2 something does not.")]
    Doctor(DoctorArgs),
}

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

#[derive(Debug, Args)]
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

#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// A pcap or pcapng file; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What to list
    #[arg(long, value_enum, default_value_t = By::Flow)]
    pub(crate) by: By,
    #[command(flatten)]
    pub(crate) flows: FlowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SocketsArgs {
    /// Show only sockets that match, such as 'port:53 program:dnsmasq'
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
    /// Keep the list up to date until interrupted
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) watch: bool,
    /// Time between looks with --watch
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    pub(crate) interval: Duration,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

const WHO_HELP: &str = "443, udp:53, 127.0.0.1:80, [::1]:80, or: tcp 10.0.0.2:45784 1.1.1.1:443";

#[derive(Debug, Args)]
pub(crate) struct WhoArgs {
    #[arg(help = WHO_HELP, value_name = "PORT | ADDR:PORT | FIVE-TUPLE", required = true)]
    pub(crate) target: Vec<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
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

//! `flowner sockets` and `flowner who`

use std::time::Duration;

use clap::Args;

use super::ReverseArgs;
use super::filter::FilterText;
use super::live::{duration, interval};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(after_help = "Examples:
  flowner sockets                          every socket with its owner
  flowner sockets --listening              the listening sockets
  flowner sockets 'program:firefox !port:443'
  flowner sockets --tree user:ada          by process, below their parents
  flowner sockets --tcp                    connections with bytes, queues and round-trip times
  flowner sockets --resolve                with the names of remote hosts, from DNS
  flowner sockets --watch --json           sockets as they open and close

--watch may miss sockets that live for less than --interval. `flowner watch` sees every
packet.")]
pub(crate) struct SocketsArgs {
    /// Show only sockets that match, such as 'port:53 program:dnsmasq'
    #[arg(value_name = "FILTER", value_parser = FilterText, hide_possible_values = true)]
    pub(crate) filter: Vec<String>,
    /// Show only listening sockets, and datagram and raw sockets without a remote end
    #[arg(short, long)]
    pub(crate) listening: bool,
    /// List sockets that open, change and close, until interrupted
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Refresh interval of --watch
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Group sockets by process, each process below its parent
    #[arg(short, long, conflicts_with_all = ["watch", "json"])]
    pub(crate) tree: bool,
    /// Show TCP connections with their bytes, queues, round-trip time and retransmissions (Linux)
    #[arg(long, conflicts_with_all = ["listening", "watch", "tree", "resolve"])]
    pub(crate) tcp: bool,
    #[command(flatten)]
    pub(crate) reverse: ReverseArgs,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

const WHO_HELP: &str = "443, udp:53, sctp/5000, icmp, icmp:777 (its id), raw, packet, 127.0.0.1:80, [::1]:80, 10.0.0.9, pid:4242, program:firefox, \
                        user:ada, unit:sshd, or: tcp 10.0.0.2:45784 1.1.1.1:443";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner who 443                          which process uses port 443?
  flowner who tcp 10.0.0.2:45784 93.184.216.34:443
  flowner who pid:4242                     the sockets of this process
  flowner who icmp                         which processes ping?
  flowner who --wait --timeout 30s 5432 && psql

Exit codes: 0 found, 1 not found, 2 error.")]
pub(crate) struct WhoArgs {
    #[arg(help = WHO_HELP, value_name = "TARGET", required = true)]
    pub(crate) target: Vec<String>,
    /// Wait until a process listens on the target, or the target exists
    #[arg(short, long)]
    pub(crate) wait: bool,
    /// Wait at most this long
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) reverse: ReverseArgs,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

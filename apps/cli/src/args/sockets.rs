//! `flowner sockets` and `flowner who`

use std::time::Duration;

use clap::Args;

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

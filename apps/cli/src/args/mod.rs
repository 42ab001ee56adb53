//! What can be typed: a file for each command, or for some that are alike.

mod about;
mod flows;
mod live;
mod read;
mod sockets;
mod watch;

pub(crate) use about::{DevicesArgs, DoctorArgs};
pub(crate) use flows::{By, FlowArgs};
pub(crate) use live::LiveArgs;
pub(crate) use read::ReadArgs;
pub(crate) use sockets::{SocketsArgs, WhoArgs};
pub(crate) use watch::WatchArgs;

use clap::{Parser, Subcommand};

/// Which program owns each network flow on this host?
///
/// Without a command, on a terminal: the live view.
#[derive(Debug, Parser)]
#[command(name = "flowner", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 done, 1 nothing found (who), 2 error.\n\
    Colours appear on terminals only; NO_COLOR turns them off.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The live view: programs, their flows and rates, full screen
    Live(LiveArgs),
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

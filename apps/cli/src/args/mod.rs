//! The command line: one file for each command, or for some similar ones.

mod about;
mod capture;
mod filter;
mod flows;
mod live;
mod names;
mod read;
mod record;
mod sockets;
mod watch;

pub(crate) use about::{CompletionsArgs, ConfigArgs, DevicesArgs, DoctorArgs, ManArgs};
pub(crate) use capture::CaptureArgs;
pub(crate) use flows::{By, FlowArgs, Local};
pub(crate) use live::LiveArgs;
pub(crate) use names::{NameArgs, ReverseArgs};
pub(crate) use read::ReadArgs;
pub(crate) use record::RecordArgs;
pub(crate) use sockets::{SocketsArgs, WhoArgs};
pub(crate) use watch::WatchArgs;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// The text below the program's help; `--help` adds the keys of filters.
const HELP: &str = "Examples:
  flowner                                  live view of the programs that use the network
  flowner watch --duration 10s --json      flows with their owners, one JSON object a line
  flowner sockets --listening              the listening sockets, with their owners
  flowner who 443                          which process uses port 443?

All commands share one filter language: program:curl port:8000-9000 host:10.0.0.0/8 proto:tcp
state:established user:ada !dir:loopback bytes>1M

Exit codes: 0 success, 1 nothing found (who), 2 error.";

/// Which program owns each network flow on this host?
///
/// Without a command, on a terminal, Flowner shows the live view.
#[derive(Debug, Parser)]
#[command(name = "flowner", version = crate::version::short(), long_version = crate::version::long())]
#[command(infer_long_args = true)]
#[command(after_help = HELP, after_long_help = filter::help_with_keys(HELP))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) live: LiveArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct CommonArgs {
    /// When to use colours; auto means on terminals, unless `NO_COLOR` is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
    /// Read this configuration file [default: see `flowner config --help`]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, global = true, conflicts_with = "config")]
    pub(crate) no_config: bool,
    /// Keep the privileges that root gave, and filter no system calls, for debugging
    #[arg(long, global = true)]
    pub(crate) no_sandbox: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show programs, their flows and rates in a full-screen live view
    #[command(after_help = live::LIVE_EXAMPLES)]
    Live(LiveArgs),
    /// Capture packets, and list each flow with its owner, then a summary
    Watch(WatchArgs),
    /// Read a capture file, and list its flows, programs, hosts or services
    Read(ReadArgs),
    /// Capture packets into a pcapng file, with the owner of each packet
    Record(RecordArgs),
    /// List every socket with its owner; needs no capture privilege
    Sockets(SocketsArgs),
    /// Find the process that owns a port, an address or a connection
    Who(WhoArgs),
    /// List the devices that Flowner can capture from
    Devices(DevicesArgs),
    /// Check what Flowner can see on this host, and how to allow the rest
    Doctor(DoctorArgs),
    /// Show which configuration file is in use, and what it sets
    Config(ConfigArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the man page
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::Cli;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// Splits a line as a shell does, up to text that is not part of the command.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (None, '#' | '|' | '>' | '&') => break,
                (None, '\'' | '"') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                (Some(open), _) if open == c => quote = None,
                _ => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// The command of an example in a help text, without the words that describe it.
    fn example(line: &str) -> Option<&str> {
        let line = line.trim_start();
        let command = line.split("   ").next().unwrap_or(line);
        (command.starts_with("flowner ") || command == "flowner").then_some(command)
    }

    fn check(line: &str) {
        let words = words(line);
        if let Err(error) = Cli::command().try_get_matches_from(&words) {
            let is_answered = !error.use_stderr();
            assert!(is_answered, "{line}: {error}");
        }
    }

    fn help_of(command: &Command) -> Vec<String> {
        let own = command.get_after_help().map(ToString::to_string);
        let below = command.get_subcommands().flat_map(help_of);
        own.into_iter().chain(below).collect()
    }

    #[test]
    fn every_example_can_be_typed() {
        let helps = help_of(&Cli::command());
        let mut count = 0;
        for line in helps.iter().flat_map(|help| help.lines()) {
            if let Some(line) = example(line) {
                check(line);
                count += 1;
            }
        }
        assert!(count > 10, "{count}");
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(
                help.lines().any(|line| example(line).is_some()),
                "{command}"
            );
        }
        for text in [
            include_str!("../../README.md"),
            include_str!("../../../../README.md"),
        ] {
            let commands = text.lines().filter(|line| line.starts_with("flowner "));
            assert!(commands.clone().count() > 5);
            commands.for_each(check);
        }
    }

    #[test]
    fn the_readme_lists_every_key_of_filters() {
        let text = include_str!("../../README.md");
        for key in flowner_core::Filter::keys() {
            let sign = if key.is_compared() { '>' } else { ':' };
            let written = format!("{}{sign}", key.name);
            assert!(text.contains(&written), "{written}");
        }
    }
}

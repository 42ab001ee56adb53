//! Commands about this host and this program.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner doctor                           what Flowner can see here, and how to allow the rest
  sudo flowner doctor
  flowner doctor --json

Exit codes: 0 everything works, at least in part, 2 something does not work.")]
pub(crate) struct DoctorArgs {
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner devices                          * marks the device of the default route
  flowner devices --json")]
pub(crate) struct DevicesArgs {
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner completions bash > /etc/bash_completion.d/flowner
  flowner completions zsh > \"${fpath[1]}/_flowner\"
  flowner completions fish > ~/.config/fish/completions/flowner.fish
  flowner completions powershell >> $PROFILE")]
pub(crate) struct CompletionsArgs {
    /// The shell to complete commands in
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner man | man -l -                   read it
  flowner man watch | man -l -
  flowner man --dir /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Print the page of this command [default: of the program]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Option<String>,
    /// Write all pages into this directory
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every flag can also be a key of the configuration file, which is TOML:

  interface = \"eth0\"        # for every command that has --interface; several in [ ]

  [watch]
  by = \"host\"

  [live]
  sort = \"-received\"

Flags on the command line take priority over the file. --config names the file, else
FLOWNER_CONFIG, else it is flowner/config.toml in ~/.config ($XDG_CONFIG_HOME; on
Windows, %APPDATA%). With --no-config, Flowner reads no file.

Examples:
  flowner config                           which file is in use, and what it sets
  flowner config --path"
)]
pub(crate) struct ConfigArgs {
    /// Print only the path of the file, whether it exists or not
    #[arg(long)]
    pub(crate) path: bool,
}

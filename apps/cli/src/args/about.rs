//! What tells about this host and this program.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner doctor                           what works here, and what would show the rest
  sudo flowner doctor
  flowner doctor --json

Exit codes: 0 all works, at least in part, 2 something does not.")]
pub(crate) struct DoctorArgs {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner devices                          * marks what is captured from by itself
  flowner devices --json")]
pub(crate) struct DevicesArgs {
    /// One JSON object a line
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
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowner man | man -l -                   read it
  flowner man watch | man -l -
  flowner man --dir /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The page of one command [default: of the program]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Option<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Whatever can be typed as a flag can be a key of the file, which is TOML:

  interface = \"eth0\"        # for every command that has --interface

  [watch]
  by = \"host\"

  [live]
  sort = \"-received\"

What is typed wins. The file is the one of --config, else of FLOWNER_CONFIG, else
flowner/config.toml in ~/.config ($XDG_CONFIG_HOME; on Windows, %APPDATA%).
--no-config reads none.

Examples:
  flowner config                           which file is used, and what it sets
  flowner config --path"
)]
pub(crate) struct ConfigArgs {
    /// Write only where the file is, or would be
    #[arg(long)]
    pub(crate) path: bool,
}

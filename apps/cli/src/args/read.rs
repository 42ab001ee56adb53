//! `flowner read`

use std::path::PathBuf;

use clap::Args;

use super::{By, FlowArgs};

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

//! What tells about this host and this program.

use clap::Args;

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

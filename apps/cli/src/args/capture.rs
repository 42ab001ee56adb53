//! Options of everything that captures.

use clap::Args;

/// Options of everything that captures.
#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// Capture from this device (repeatable) [default: `any`, which is all devices; where it does not
    /// exist, the device of the default route]
    #[arg(short, long, value_name = "DEVICE")]
    pub(crate) interface: Vec<String>,
    /// Capture filter in libpcap's language, such as 'tcp port 443'
    #[arg(short = 'f', long, value_name = "BPF")]
    pub(crate) bpf: Option<String>,
    /// Also capture frames for other hosts
    #[arg(long)]
    pub(crate) promiscuous: bool,
}

//! Options that capturing and reading share.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use flowner_core::Sort;
use flowner_core::filter::Network;

use super::NameArgs;
use super::filter::FilterText;

/// Options that capturing and reading share.
#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    /// Show only flows that match, such as 'program:curl port:443 !state:closed'
    #[arg(long, value_name = "FILTER", value_parser = FilterText, hide_possible_values = true)]
    pub(crate) filter: Option<String>,
    /// Count this address or prefix as this host's own (repeatable); none: do not infer it
    #[arg(long, value_name = "ADDRESS[/PREFIX]")]
    pub(crate) local: Vec<Local>,
    /// Hash this number first in the Community IDs of flows, as other monitors here do
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) community_id_seed: u16,
    /// Sort flows by this key, such as bytes, -rate or program
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) sort: Option<Sort>,
    /// Show at most this many lines
    #[arg(short = 'n', long, visible_alias = "top", value_name = "LINES")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// The addresses that count as the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Local {
    /// None, and none is inferred.
    Nobody,
    Network(Network),
}

impl FromStr for Local {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nobody),
            text => text.parse().map(Self::Network),
        }
    }
}

/// The grouping of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Program,
    Process,
    Host,
    /// The name of the other end
    Name,
    /// The registered domain of that name
    Domain,
    /// The country of the other end
    Country,
    /// The autonomous system of the other end
    Network,
    Service,
    Protocol,
    Unit,
    Container,
    Pod,
    Flow,
}

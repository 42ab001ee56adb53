//! `flowner` and `flowner live`

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::filter::FilterText;
use super::{CaptureArgs, NameArgs};
use flowner_core::present;

use crate::live::{Column, Tab};

/// The text below the help of `live`; without a command, the program's own text replaces it.
pub(crate) const LIVE_EXAMPLES: &str = "Examples:
  flowner                                  the programs that use the network; ? shows the keys
  flowner --sort -received --filter '!dir:loopback'
  flowner live -i lo --tab flows --mouse
  flowner --sockets                        without capturing: sockets with their owners";

#[derive(Debug, Args)]
#[command(next_help_heading = "Live view")]
pub(crate) struct LiveArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
    /// Show only rows that match, such as 'program:curl port:443'
    #[arg(long, value_name = "FILTER", value_parser = FilterText, hide_possible_values = true)]
    pub(crate) filter: Option<String>,
    /// Count this address as this host's own (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) local: Vec<IpAddr>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    /// Start with this tab
    #[arg(long, value_enum)]
    pub(crate) tab: Option<Tab>,
    /// Sort rows by name, flows, up, down, sent or received; `-` before the key puts the
    /// greatest first
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) sort: Option<LiveSort>,
    /// Refresh interval
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// Show sockets instead of capturing
    #[arg(long)]
    pub(crate) sockets: bool,
    /// Click rows, column heads and tabs, and scroll with the wheel; most terminals then
    /// select text with Shift
    #[arg(long)]
    pub(crate) mouse: bool,
}

/// A column and a direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveSort {
    pub(crate) column: Column,
    pub(crate) is_descending: bool,
}

impl FromStr for LiveSort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('-').unwrap_or(text);
        let column = match name {
            "name" => Column::Name,
            "flows" => Column::Count,
            "up" => Column::Of(present::Column::Up),
            "down" => Column::Of(present::Column::Down),
            "sent" => Column::Of(present::Column::Sent),
            "received" => Column::Of(present::Column::Received),
            _ => {
                return Err(format!(
                    "`{name}` is not a valid column; expected name, flows, up, down, sent or received"
                ));
            }
        };
        Ok(Self {
            column,
            is_descending: text != name,
        })
    }
}

/// A time with a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| "expected a number with a unit, such as 500ms, 10s or 5m".to_owned();
    humantime::parse_duration(text).map_err(wrong)
}

/// A time that leaves the system room for other work.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(10);
    let time = duration(text)?;
    if time < SHORTEST {
        return Err("too short: 10ms is the least".to_owned());
    }
    Ok(time)
}

//! From what was typed to what the core is told.

use flowner_core::filter::Network;
use flowner_core::{Config, Filter, Input, Limits, Live, Reading};

use crate::args::{FlowArgs, LiveArgs, Local, ReadArgs, WatchArgs};
use crate::error::Failure;

/// A file may be listed whole, as far as memory goes.
const FILE_LIMITS: Limits = Limits {
    flows: 1_000_000,
    ended_flows: 1_000_000,
    groups: 100_000,
    events: 0,
};

/// What `watch` tells the core.
pub(crate) fn of_watch(args: &WatchArgs) -> Config {
    Config {
        input: device(args.interface.as_deref()),
        live: Live {
            promiscuous: args.promiscuous,
            ..Live::default()
        },
        ..of_flows(&args.flows)
    }
}

/// What `read` tells the core.
pub(crate) fn of_read(args: &ReadArgs) -> Config {
    let is_standard_input = args.file.as_os_str() == "-";
    Config {
        input: if is_standard_input {
            Input::StandardInput
        } else {
            Input::File(args.file.clone())
        },
        limits: FILE_LIMITS,
        reading: Reading {
            guess_local: args.flows.local.is_empty(),
            from: args.from,
            to: args.to,
        },
        ..of_flows(&args.flows)
    }
}

/// What the live view tells the core.
pub(crate) fn of_live(args: &LiveArgs) -> Config {
    Config {
        input: device(args.interface.as_deref()),
        capture_filter: args.bpf.clone(),
        local_addresses: args.local.clone(),
        live: Live {
            promiscuous: args.promiscuous,
            ..Live::default()
        },
        ..Config::default()
    }
}

fn device(name: Option<&str>) -> Input {
    name.map_or(Input::DefaultDevice, |name| Input::Device(name.to_owned()))
}

fn of_flows(args: &FlowArgs) -> Config {
    Config {
        capture_filter: args.bpf.clone(),
        local_networks: args.local.iter().filter_map(network).collect(),
        ..Config::default()
    }
}

const fn network(local: &Local) -> Option<Network> {
    match local {
        Local::Nobody => None,
        Local::Network(network) => Some(*network),
    }
}

/// The filter that was typed, or one that lets everything pass.
pub(crate) fn filter(text: Option<&str>) -> Result<Filter, Failure> {
    Ok(Filter::parse(text.unwrap_or_default())?)
}

//! Converts the command line to the settings of the core.

use flowner_core::capture;
use flowner_core::filter::Network;
use flowner_core::{Config, Filter, GeoFiles, Input, Limits, Live, ReadOptions};

use crate::args::{CaptureArgs, FlowArgs, LiveArgs, Local, ReadArgs, RecordArgs, WatchArgs};
use crate::error::Failure;
use crate::limits;

/// A file may be listed as a whole, as far as memory allows.
const FILE_LIMITS: Limits = Limits {
    flows: 1_000_000,
    ended_flows: 1_000_000,
    groups: 100_000,
    events: 0,
};

/// The settings of `watch`.
pub(crate) fn of_watch(args: &WatchArgs, filter: &Filter) -> Config {
    Config {
        filter: filter.clone(),
        geo: args.flows.names.geo(),
        resolve: args.flows.names.reverse.resolve,
        local_networks: networks(&args.flows),
        community_seed: args.flows.community_id_seed,
        ..of_capture(&args.capture)
    }
}

/// The settings of `read`.
pub(crate) fn of_read(args: &ReadArgs, filter: &Filter) -> Config {
    let is_standard_input = args.file.as_os_str() == "-";
    Config {
        input: if is_standard_input {
            Input::StandardInput
        } else {
            Input::File(args.file.clone())
        },
        capture_filter: args.bpf.clone(),
        geo: args.flows.names.geo(),
        local_networks: networks(&args.flows),
        community_seed: args.flows.community_id_seed,
        filter: filter.clone(),
        limits: limits::fit(FILE_LIMITS),
        read: ReadOptions {
            infer_local_addresses: args.flows.local.is_empty(),
            from: args.from,
            to: args.to,
        },
        ..Config::default()
    }
}

/// The settings of `record`. If one file cannot have the frames of different devices, `any` stands for
/// the device of the default route.
pub(crate) fn of_record(args: &RecordArgs) -> Config {
    let captured = of_capture(&args.capture);
    let is_all = captured.input == Input::AllDevices;
    Config {
        // Recordings have no countries.
        geo: GeoFiles::Off,
        input: if is_all && !capture::all_begin_alike() {
            Input::DefaultDevice
        } else {
            captured.input
        },
        live: Live {
            snap_length: args.snap_length,
            ..captured.live
        },
        community_seed: args.community_id_seed,
        ..captured
    }
}

/// The settings of the live view.
pub(crate) fn of_live(args: &LiveArgs) -> Config {
    Config {
        local_addresses: args.local.clone(),
        geo: args.names.geo(),
        resolve: args.names.reverse.resolve,
        ..of_capture(&args.capture)
    }
}

fn of_capture(args: &CaptureArgs) -> Config {
    Config {
        input: Input::of_devices(&args.interface),
        capture_filter: args.bpf.clone(),
        live: Live {
            promiscuous: args.promiscuous,
            ..Live::default()
        },
        realtime: true,
        ..Config::default()
    }
}

fn networks(args: &FlowArgs) -> Vec<Network> {
    args.local.iter().filter_map(network).collect()
}

const fn network(local: &Local) -> Option<Network> {
    match local {
        Local::Nobody => None,
        Local::Network(network) => Some(*network),
    }
}

/// The filter of the command line, or one that selects everything.
pub(crate) fn filter(text: Option<&str>) -> Result<Filter, Failure> {
    Ok(Filter::parse(text.unwrap_or_default())?)
}

//! Names of remote ends that packets did not tell: from the hosts file and, with `--resolve`, from
//! reverse lookups.

use std::net::IpAddr;
use std::time::Duration;

use flowner_core::attribution::Socket;
use flowner_core::present;
use flowner_core::{AddressNames, FlowRecord};

use crate::args::ReverseArgs;
use crate::error::{Failure, say};

/// How long a list waits for names.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names flows that have no name.
pub(super) fn find_of_flows(flows: &mut [FlowRecord]) -> Result<(), Failure> {
    let missing = AddressNames::new(true)?.name_flows(flows, PATIENCE);
    tell_missing(missing);
    Ok(())
}

/// The names of the remote ends of sockets.
pub(super) fn of_sockets(sockets: &[Socket], args: &ReverseArgs) -> Result<AddressNames, Failure> {
    of_addresses(sockets.iter().filter_map(remote), args)
}

/// The names of addresses.
pub(super) fn of_addresses(
    addresses: impl IntoIterator<Item = IpAddr>,
    args: &ReverseArgs,
) -> Result<AddressNames, Failure> {
    let mut names = AddressNames::new(args.resolve)?;
    let missing = names.find(addresses, PATIENCE);
    tell_missing(missing);
    Ok(names)
}

/// The address of the remote end.
pub(super) fn remote(socket: &Socket) -> Option<IpAddr> {
    Some(socket.remote?.ip())
}

fn tell_missing(addresses: usize) {
    if addresses > 0 {
        let addresses = present::count(addresses as u64, "address");
        say(format_args!(
            "flowner: no answer yet for {addresses}, which have no name here"
        ));
    }
}

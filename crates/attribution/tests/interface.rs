//! Properties that a dependant of this library expects without reading its documentation.

use flowner_attribution::capture::policy::Policy;
use flowner_attribution::capture::{CaptureResolver, FastLookup};
use flowner_attribution::{
    Attributor, Error, Event, Ownership, PortOwners, Process, Processes, Protocol, Resolver,
    Snapshot, Socket, SocketQuery, SocketTable,
};

const fn is_shared<T: Send + Sync + 'static>() {}
const fn is_moved<T: Send + ?Sized>() {}
const fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}

/// This test passes if it compiles.
#[test]
fn shared_types_are_send_and_sync() {
    is_shared::<Resolver>();
    is_shared::<Resolver<(u16, Protocol)>>();
    is_shared::<PortOwners>();
    is_shared::<Socket>();
    is_shared::<SocketQuery>();
    is_shared::<Snapshot>();
    is_shared::<Ownership>();
    is_shared::<Process>();
    is_shared::<Event>();
    is_moved::<Attributor>();
    is_moved::<Processes>();
    is_moved::<CaptureResolver>();
    is_moved::<Policy>();
    is_moved::<dyn SocketTable>();
    is_moved::<dyn FastLookup>();
    is_an_error::<Error>();
}

//! Linux: poll(2) on the packet socket and an eventfd(2).
//!
//! libpcap takes a timeout here, but its wait goes on when that has passed
//! (`pcap_wait_for_frames_mmap` of libpcap 1.10), so a quiet device would never be
//! `Idle`. Without blocking, it still looks for errors of the socket at each call.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pcap::{Active, Capture};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::classify;

pub(crate) struct Waiter {
    packets: OwnedFd,
    bell: Bell,
}

#[derive(Clone)]
pub(crate) struct Bell(Arc<OwnedFd>);

pub(crate) fn prepare(capture: Capture<Active>) -> Result<(Capture<Active>, Waiter, Bell), String> {
    let capture = capture.setnonblock().map_err(classify::message)?;
    // Another descriptor of the same socket.
    let packets = capture.as_fd().try_clone_to_owned();
    let packets = packets.map_err(|error| error.to_string())?;
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let bell = eventfd(0, flags).map_err(|error| error.to_string())?;
    let bell = Bell(Arc::new(bell));
    let waiter = Waiter {
        packets,
        bell: bell.clone(),
    };
    Ok((capture, waiter, bell))
}

impl Waiter {
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        let mut descriptors = [
            PollFd::new(&self.packets, PollFlags::IN),
            PollFd::new(&self.bell.0, PollFlags::IN),
        ];
        // A signal ends the wait early. So would an error, of which there is none that
        // these arguments allow.
        poll(&mut descriptors, Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        // Fails only when it was rung 2⁶⁴ times before, and rings already.
        let _rung = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

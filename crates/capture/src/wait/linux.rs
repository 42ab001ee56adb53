//! Linux: poll(2) on the packet socket and an eventfd(2).
//!
//! libpcap accepts a timeout here, but its wait continues after that (`pcap_wait_for_frames_mmap`
//! of libpcap 1.10), so a quiet device would never be `Idle`. In non-blocking mode, it still checks
//! for errors of the socket at each call.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pcap::{Active, Capture};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::Ready;
use crate::message::message;
use crate::origin::Teller;

pub(crate) struct Waiter {
    captures: Vec<OwnedFd>,
    bell: Waker,
}

#[derive(Clone)]
pub(crate) struct Waker(Arc<OwnedFd>);

pub(crate) fn prepare(
    captures: Vec<Capture<Active>>,
) -> Result<(Vec<Capture<Active>>, Waiter, Waker), String> {
    let captures = captures.into_iter().map(Capture::setnonblock);
    let captures: Vec<_> = captures.collect::<Result<_, _>>().map_err(message)?;
    // Duplicates of the same sockets.
    let sockets = captures
        .iter()
        .map(|capture| capture.as_fd().try_clone_to_owned());
    let sockets: Vec<_> = sockets
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let bell = eventfd(0, flags).map_err(|error| error.to_string())?;
    let bell = Waker(Arc::new(bell));
    let waiter = Waiter {
        captures: sockets,
        bell: bell.clone(),
    };
    Ok((captures, waiter, bell))
}

/// The waker, a capture for each direction, and changes of the device.
const MOST: usize = 4;

impl Waiter {
    pub(crate) fn wait(&self, patience: Duration, teller: &Teller, ready: &mut Ready) -> bool {
        let timeout = Timespec::try_from(patience).unwrap_or_default();
        let notices = teller.notices();
        let of = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
        let mut all = [const { None }; MOST];
        let sockets = self.captures.iter().map(AsFd::as_fd);
        let given = [self.bell.0.as_fd()].into_iter().chain(sockets);
        let mut len = 0;
        for (place, descriptor) in all.iter_mut().zip(given.chain(notices)) {
            *place = Some(descriptor);
            len += 1;
        }
        let mut all = all.map(|descriptor| of(descriptor.unwrap_or(self.bell.0.as_fd())));
        let descriptors = &mut all[..len];
        // A signal ends the wait early. These arguments allow no other error.
        let has_happened = poll(descriptors, Some(&timeout)).is_ok_and(|ready| ready > 0);
        // A read of the capture also returns an error.
        let mut is_ready = descriptors
            .iter()
            .skip(1)
            .map(|it| !it.revents().is_empty());
        for capture in &mut ready.captures {
            *capture = is_ready.next().unwrap_or(false);
        }
        ready.notices = is_ready.next().unwrap_or(false);
        has_happened
    }
}

impl Waker {
    pub(crate) fn ring(&self) {
        // This fails only after 2⁶⁴ calls, when the descriptor is readable already.
        let _rung = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

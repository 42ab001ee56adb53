//! Wakes a waiting thread (eventfd(2)).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Wakes the waiting thread, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct WakeFd(Arc<OwnedFd>);

impl WakeFd {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    pub(crate) fn wake(&self) {
        // This fails only after 2⁶⁴ calls, when the descriptor is readable already.
        let _written = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Resets the effect of [`wake`](Self::wake).
    #[cfg(feature = "containers")]
    pub(crate) fn clear(&self) {
        let mut count = [0; 8];
        // This fails if no one called it.
        let _read = rustix::io::read(&*self.0, &mut count);
    }

    /// Waits until `fd` is readable. False if a thread called [`wake`](Self::wake).
    pub(crate) fn waits_for(&self, other: impl AsFd) -> bool {
        let mut descriptors = [
            PollFd::new(&other, PollFlags::IN),
            PollFd::new(&self.0, PollFlags::IN),
        ];
        match poll(&mut descriptors, None) {
            Ok(_) => !descriptors[1].revents().contains(PollFlags::IN),
            Err(error) => error == rustix::io::Errno::INTR,
        }
    }

    /// Waits for so long, or until [`wake`](Self::wake) is called; whether it was.
    pub(crate) fn is_woken_within(&self, time: Duration) -> bool {
        let timeout = Timespec::try_from(time).unwrap_or_default();
        let mut descriptors = [PollFd::new(&self.0, PollFlags::IN)];
        poll(&mut descriptors, Some(&timeout)).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_ends_what_waits() {
        let wake_fd = WakeFd::new().unwrap();
        assert!(!wake_fd.is_woken_within(Duration::ZERO));
        wake_fd.clone().wake();
        assert!(wake_fd.is_woken_within(Duration::from_secs(10)));
    }
}

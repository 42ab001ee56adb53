//! Remembers the holders of listeners for a moment. Pure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::answer::{Process, SocketState};
use crate::policy::freshness::LISTENER_HOLDERS;
use crate::tables::linux::netlink::message::DiagSocket;

/// The number of listeners that this remembers.
const MAX: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Listeners(VecDeque<Listener>);

#[derive(Debug)]
struct Listener {
    /// The kernel's number of the socket.
    cookie: u64,
    read_at: Instant,
    holders: Vec<Arc<Process>>,
}

impl Listeners {
    /// The holders of a listener a moment ago, if they are known.
    pub(crate) fn holders_of(&self, socket: &DiagSocket, now: Instant) -> Option<&[Arc<Process>]> {
        let is_it = |one: &&Listener| {
            let age = now.saturating_duration_since(one.read_at);
            one.cookie == socket.cookie && age < LISTENER_HOLDERS
        };
        let known = self.0.iter().filter(|_| is_listener(socket)).find(is_it)?;
        Some(&known.holders)
    }

    /// Stores the holders of a socket if it is a listener.
    pub(crate) fn keep(&mut self, socket: &DiagSocket, holders: &[Arc<Process>], now: Instant) {
        if !is_listener(socket) || holders.is_empty() {
            return;
        }
        self.0.retain(|one| one.cookie != socket.cookie);
        self.0.truncate(MAX - 1);
        self.0.push_front(Listener {
            cookie: socket.cookie,
            read_at: now,
            holders: holders.to_vec(),
        });
    }
}

/// Whether the socket waits for connections and has its own number. Without cookies, all have 0.
fn is_listener(socket: &DiagSocket) -> bool {
    socket.state == Some(SocketState::Listen) && socket.cookie != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(state: SocketState, cookie: u64) -> DiagSocket {
        DiagSocket {
            local: ([127, 0, 0, 1], 80).into(),
            remote: None,
            state: Some(state),
            inode: 1,
            uid: 0,
            cookie,
            v6_only: false,
            device: None,
            packet: None,
            cgroup: None,
            unaccepted: None,
        }
    }

    #[test]
    fn holders_are_valid_for_a_moment() {
        let (mut listeners, now) = (Listeners::default(), Instant::now());
        let listener = socket(SocketState::Listen, 1);
        let holders = [Arc::new(Process::new(1, "one"))];
        assert_eq!(listeners.holders_of(&listener, now), None);
        listeners.keep(&listener, &[], now);
        assert_eq!(listeners.holders_of(&listener, now), None);
        listeners.keep(&listener, &holders, now);
        let before = now + LISTENER_HOLDERS / 2;
        assert_eq!(listeners.holders_of(&listener, before), Some(&holders[..]));
        assert_eq!(
            listeners.holders_of(&listener, now + LISTENER_HOLDERS),
            None
        );
        let other = socket(SocketState::Listen, 2);
        assert_eq!(listeners.holders_of(&other, now), None);
    }

    #[test]
    fn only_listeners_with_a_number_are_remembered() {
        let (mut listeners, now) = (Listeners::default(), Instant::now());
        let holders = [Arc::new(Process::new(1, "one"))];
        for (state, cookie) in [(SocketState::Established, 1), (SocketState::Listen, 0)] {
            let socket = socket(state, cookie);
            listeners.keep(&socket, &holders, now);
            assert_eq!(listeners.holders_of(&socket, now), None);
        }
    }

    #[test]
    fn remembered_listeners_are_bounded() {
        let (mut listeners, now) = (Listeners::default(), Instant::now());
        let holders = [Arc::new(Process::new(1, "one"))];
        for cookie in 1..100 {
            listeners.keep(&socket(SocketState::Listen, cookie), &holders, now);
        }
        assert_eq!(listeners.0.len(), MAX);
        let newest = socket(SocketState::Listen, 99);
        assert!(listeners.holders_of(&newest, now).is_some());
    }
}

//! What the packets of a flow tell of its state.

use crate::TcpFlags;
use crate::name::named;

/// The state of a flow, seen from the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// TCP: the handshake is under way.
    Opening,
    /// TCP: data flows, or the flow was there before the capture.
    Established,
    /// TCP: one end has finished.
    Closing,
    /// TCP: both ends have finished.
    Closed,
    /// TCP: an end has reset the connection, or refused it.
    Reset,
    /// Everything else: there is no state to see.
    Datagram,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Opening,
        Self::Established,
        Self::Closing,
        Self::Closed,
        Self::Reset,
        Self::Datagram,
    ];

    /// The name in lower case, as filters and JSON write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Datagram => "datagram",
        }
    }

    /// Whether the connection is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }
}

named!(State, "state of a flow");

/// Follows one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TcpTracker {
    /// The SYN that opened it: whether the initiator sent it, and its sequence.
    syn: Option<(bool, u32)>,
    accepted: bool,
    /// Which ends have finished: initiator, responder.
    finished: [bool; 2],
}

impl TcpTracker {
    /// The state after a packet.
    pub(crate) fn advance(
        &mut self,
        state: State,
        from_initiator: bool,
        flags: TcpFlags,
        sequence: u32,
    ) -> State {
        if flags.opens() {
            self.syn.get_or_insert((from_initiator, sequence));
        }
        self.accepted |= flags.accepts();
        if flags.contains(TcpFlags::FIN) {
            self.finished[usize::from(!from_initiator)] = true;
        }
        if state.is_over() {
            return state;
        }
        match self.finished {
            _ if flags.contains(TcpFlags::RST) => State::Reset,
            [true, true] => State::Closed,
            // Repeated SYNs and answers to them come late, too.
            [false, false] if state == State::Opening && flags.contains(TcpFlags::SYN) => {
                State::Opening
            }
            // The end of the handshake, or data without one that was seen.
            [false, false] => State::Established,
            _ => State::Closing,
        }
    }

    /// Whether a SYN, in either direction, opens another connection between the same ends, rather than
    /// repeating the one that opened this.
    pub(crate) fn is_reopened_by(&self, state: State, from_initiator: bool, sequence: u32) -> bool {
        match self.syn {
            Some((same_end, _)) if same_end != from_initiator => {
                // Both ends may open at the same time (RFC 9293, 3.5).
                state != State::Opening || self.accepted
            }
            // The same again: repeated because no answer came, or after a refusal, as
            // Windows does; but after a whole connection it is a recording replayed.
            Some((_, first)) => first != sequence || (self.accepted && state.is_over()),
            // The capture began with the answer to a SYN, which is repeated now.
            None => !(self.accepted && state == State::Opening),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: TcpFlags = TcpFlags::SYN;
    const ACK: TcpFlags = TcpFlags::ACK;
    const FIN: TcpFlags = TcpFlags::FIN;
    const RST: TcpFlags = TcpFlags::RST;

    /// Packets as (from initiator, flags); the state after each.
    #[track_caller]
    fn check(packets: &[(bool, TcpFlags, State)]) {
        let mut tracker = TcpTracker::default();
        let mut state = State::Opening;
        for (place, &(from_initiator, flags, expected)) in packets.iter().enumerate() {
            state = tracker.advance(state, from_initiator, flags, 0);
            assert_eq!(state, expected, "after packet {place}");
        }
    }

    #[test]
    fn a_whole_connection() {
        check(&[
            (true, SYN, State::Opening),
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
            (false, ACK, State::Established),
            (true, FIN | ACK, State::Closing),
            (false, ACK, State::Closing),
            (false, FIN | ACK, State::Closed),
            (true, ACK, State::Closed),
        ]);
    }

    #[test]
    fn other_lives() {
        check(&[
            (true, SYN, State::Opening),
            (true, SYN, State::Opening),
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
            (false, SYN | ACK, State::Established),
            (true, ACK, State::Established),
            (false, RST, State::Reset),
            (true, FIN | ACK, State::Reset),
        ]);
        // Both open at the same time, and close at the same time.
        check(&[
            (true, SYN, State::Opening),
            (false, SYN, State::Opening),
            (true, SYN | ACK, State::Opening),
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
            (true, FIN | ACK, State::Closing),
            (false, FIN | ACK, State::Closed),
        ]);
        // The capture began with the answer, or with nonsense.
        check(&[
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
        ]);
        check(&[(true, TcpFlags(0), State::Established)]);
        check(&[
            (true, SYN, State::Opening),
            (false, RST | ACK, State::Reset),
        ]);
        check(&[
            (true, ACK, State::Established),
            (true, FIN | ACK, State::Closing),
        ]);
        check(&[(true, RST, State::Reset), (true, ACK, State::Reset)]);
        check(&[
            (true, FIN, State::Closing),
            (true, FIN, State::Closing),
            (false, FIN, State::Closed),
            (false, RST, State::Closed),
        ]);
    }

    #[test]
    fn a_repeated_syn_is_no_new_connection() {
        let mut tracker = TcpTracker::default();
        let state = tracker.advance(State::Opening, true, SYN, 7);
        assert!(!tracker.is_reopened_by(state, true, 7));
        assert!(tracker.is_reopened_by(state, true, 8));
        // Both open at the same time.
        assert!(!tracker.is_reopened_by(state, false, 9));
        assert!(tracker.is_reopened_by(State::Closed, false, 9));
        // Refused and tried again; replayed after it was accepted.
        let state = tracker.advance(state, false, RST | ACK, 0);
        assert!(!tracker.is_reopened_by(state, true, 7));
        tracker.advance(state, false, SYN | ACK, 0);
        assert!(tracker.is_reopened_by(state, true, 7));
        // Mid-stream, nothing is known of the first SYN.
        assert!(TcpTracker::default().is_reopened_by(State::Established, true, 7));
    }
}

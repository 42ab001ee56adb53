//! Derives the state of a flow from its packets.

use crate::name::named;
use crate::{Tcp, TcpFlags};

/// How far back an end may repeat its data: no further than the largest buffers reach, which hold
/// data that the other end may not have received (`tcp_wmem` in tcp(7)).
const REPEATED: u32 = 4 << 20;

/// The state of a flow, as an observer of its packets can know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// TCP: the handshake is under way.
    Opening,
    /// TCP: data flows, or the flow existed before the capture.
    Established,
    /// TCP: one end has finished.
    Closing,
    /// TCP: both ends have finished.
    Closed,
    /// TCP: an end has reset the connection.
    Reset,
    /// TCP: the other end has refused it, by a reset in answer to the SYN.
    Refused,
    /// The only answer was an ICMP error that makes the other end unreachable. Any protocol.
    Unreachable,
    /// Everything else, without a visible state.
    Datagram,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Opening,
        Self::Established,
        Self::Closing,
        Self::Closed,
        Self::Reset,
        Self::Refused,
        Self::Unreachable,
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
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Datagram => "datagram",
        }
    }

    /// Whether the connection has ended. An end may retry an unreachable one.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Closed | Self::Reset | Self::Refused)
    }
}

named!(State, "state of a flow");

/// Follows one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TcpTracker {
    /// The SYN that opened it: whether the initiator sent it, and its sequence.
    syn: Option<(bool, u32)>,
    accepted: bool,
    /// Which ends send nothing more: initiator, responder.
    finished: [bool; 2],
    /// The next sequence number of each end, according to the captured segments.
    next: [Option<u32>; 2],
}

impl TcpTracker {
    /// The state after a packet.
    pub(crate) fn advance(
        &mut self,
        state: State,
        from_initiator: bool,
        tcp: Tcp,
        payload: u32,
    ) -> State {
        let Tcp {
            flags, sequence, ..
        } = tcp;
        let end = usize::from(!from_initiator);
        if flags.opens() {
            self.syn.get_or_insert((from_initiator, sequence));
        }
        self.accepted |= flags.accepts();
        if !flags.contains(TcpFlags::RST) {
            let next = after(flags, sequence, payload);
            if self.next[end].is_none_or(|known| is_after(next, known)) {
                self.next[end] = Some(next);
            }
        }
        let is_reset = flags.contains(TcpFlags::RST) && self.is_plausible_reset(end, tcp);
        if flags.contains(TcpFlags::FIN) || is_reset {
            self.finished[end] = true;
        }
        if state.has_ended() {
            return state;
        }
        match self.finished {
            _ if is_reset && self.is_opened_by_other(from_initiator) => State::Refused,
            _ if is_reset => State::Reset,
            // An end of the connection would not obey it (RFC 5961, section 3).
            _ if flags.contains(TcpFlags::RST) => state,
            [true, true] => State::Closed,
            // Repeated SYNs and answers to them may arrive late, too.
            [false, false] if state == State::Opening && flags.contains(TcpFlags::SYN) => {
                State::Opening
            }
            // The end of the handshake, or data without a captured handshake.
            [false, false] => State::Established,
            _ => State::Closing,
        }
    }

    /// Whether the other end probably obeys a reset (RFC 9293, 3.5.2): it has the next sequence
    /// number, or answers a segment of the other end. A forger who does not see the packets does
    /// not know these numbers.
    fn is_plausible_reset(&self, end: usize, tcp: Tcp) -> bool {
        let answers = |tcp: Tcp| {
            let next = self.next[1 - end];
            // The answer to a SYN with data may acknowledge only the SYN.
            let reach = |next: u32| match self.syn {
                Some((opener, number)) if !self.accepted && usize::from(!opener) != end => {
                    next.wrapping_sub(number.wrapping_add(1))
                }
                _ => REPEATED,
            };
            tcp.flags.contains(TcpFlags::ACK)
                && next.is_none_or(|next| next.wrapping_sub(tcp.acknowledgment) <= reach(next))
        };
        let is_at = |next: u32| {
            // The capture may have missed packets from before the reset.
            !is_outside(tcp.sequence, next) || tcp.sequence.wrapping_sub(next) <= REPEATED
        };
        match self.next[end] {
            Some(next) => is_at(next) || (tcp.sequence == 0 && answers(tcp)),
            // An end that has sent nothing answers a SYN by its number.
            None if self.syn.is_some() && !self.accepted => answers(tcp),
            None => true,
        }
    }

    /// Whether the other end opened a connection that is not accepted.
    fn is_opened_by_other(&self, from_initiator: bool) -> bool {
        !self.accepted && self.syn.is_some_and(|(opener, _)| opener != from_initiator)
    }

    /// Whether one end opened it and the other has not accepted it.
    pub(crate) const fn is_unanswered(&self) -> bool {
        self.syn.is_some() && !self.accepted
    }

    /// Whether an end may have sent a segment with this sequence number recently.
    pub(crate) fn may_have_sent(&self, from_initiator: bool, sequence: u32) -> bool {
        let next = self.next[usize::from(!from_initiator)];
        next.is_some_and(|next| !is_outside(sequence, next))
    }

    /// Whether a SYN, in either direction, opens another connection between the same ends rather
    /// than repeating the one that opened this connection.
    pub(crate) fn is_reopened_by(&self, state: State, from_initiator: bool, sequence: u32) -> bool {
        match self.syn {
            Some((same_end, _)) if same_end != from_initiator => {
                // Both ends may open at the same time (RFC 9293, 3.5).
                state != State::Opening || self.accepted
            }
            // The same SYN again. It is a repetition if no answer came, or after a refusal, as
            // Windows sends it. After a whole connection, it is a replayed recording.
            Some((_, first)) => first != sequence || (self.accepted && state.has_ended()),
            // The capture began with the answer to a SYN, which is repeated now.
            None => !(self.accepted && state == State::Opening),
        }
    }

    /// Whether a segment begins neither at the next sequence number of its end nor at one that the
    /// end may repeat.
    pub(crate) fn is_skipped_to(
        &self,
        from_initiator: bool,
        Tcp {
            flags, sequence, ..
        }: Tcp,
    ) -> bool {
        let next = self.next[usize::from(!from_initiator)];
        !flags.contains(TcpFlags::RST) && next.is_some_and(|next| is_outside(sequence, next))
    }

    /// Whether a segment in the middle belongs to another connection between the same ends, whose
    /// opening was not captured. This connection has ended, or the sender has finished, and the
    /// sequence number is neither one that this end may repeat nor the next one.
    pub(crate) fn is_beyond(
        &self,
        state: State,
        from_initiator: bool,
        Tcp {
            flags, sequence, ..
        }: Tcp,
        payload: u32,
    ) -> bool {
        let end = usize::from(!from_initiator);
        if !state.has_ended() && !self.finished[end] {
            return false;
        }
        // The answer to a segment that acknowledged nothing (RFC 9293, 3.10.7.1).
        if flags.contains(TcpFlags::RST) && sequence == 0 {
            return false;
        }
        let is_more = payload > 0 || flags.contains(TcpFlags::SYN);
        match self.next[end] {
            // An end that sent only a reset has no connection.
            None => is_more && !flags.contains(TcpFlags::RST),
            Some(next) => {
                // Segments in flight when the other end reset the connection continue the sequence.
                let reaches = if self.finished[end] {
                    after(flags, sequence, payload)
                } else {
                    sequence
                };
                is_after(reaches, next) || is_outside(sequence, next)
            }
        }
    }
}

/// Whether a segment begins neither at the next sequence number nor shortly before it.
const fn is_outside(sequence: u32, next: u32) -> bool {
    next.wrapping_sub(sequence) > REPEATED
}

/// The sequence number after a segment: SYN and FIN count, too (RFC 9293, 3.4).
fn after(flags: TcpFlags, sequence: u32, payload: u32) -> u32 {
    let marks = [TcpFlags::SYN, TcpFlags::FIN].map(|flag| u32::from(flags.contains(flag)));
    sequence
        .wrapping_add(payload)
        .wrapping_add(marks.iter().sum())
}

/// Whether a sequence number comes after another one; both wrap.
const fn is_after(sequence: u32, other: u32) -> bool {
    let ahead = sequence.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: TcpFlags = TcpFlags::SYN;
    const ACK: TcpFlags = TcpFlags::ACK;
    const FIN: TcpFlags = TcpFlags::FIN;
    const RST: TcpFlags = TcpFlags::RST;

    fn tcp(flags: TcpFlags, sequence: u32) -> Tcp {
        Tcp {
            acknowledgment: 1,
            ..Tcp::new(flags, sequence)
        }
    }

    /// Packets as (from initiator, flags), with the state after each.
    #[track_caller]
    fn check(packets: &[(bool, TcpFlags, State)]) {
        let mut tracker = TcpTracker::default();
        let mut state = State::Opening;
        for (place, &(from_initiator, flags, expected)) in packets.iter().enumerate() {
            state = tracker.advance(state, from_initiator, tcp(flags, 0), 0);
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
        // Both ends open at the same time, and close at the same time.
        check(&[
            (true, SYN, State::Opening),
            (false, SYN, State::Opening),
            (true, SYN | ACK, State::Opening),
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
            (true, FIN | ACK, State::Closing),
            (false, FIN | ACK, State::Closed),
        ]);
        // The capture began with the answer, or with invalid flags.
        check(&[
            (false, SYN | ACK, State::Opening),
            (true, ACK, State::Established),
        ]);
        check(&[(true, TcpFlags(0), State::Established)]);
        check(&[
            (true, SYN, State::Opening),
            (false, RST | ACK, State::Refused),
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
        let state = tracker.advance(State::Opening, true, tcp(SYN, 7), 0);
        assert!(!tracker.is_reopened_by(state, true, 7));
        assert!(tracker.is_reopened_by(state, true, 8));
        // Both ends open at the same time.
        assert!(!tracker.is_reopened_by(state, false, 9));
        assert!(tracker.is_reopened_by(State::Closed, false, 9));
        // Refused and retried; replayed after it was accepted.
        let refusal = Tcp {
            acknowledgment: 8,
            ..tcp(RST | ACK, 0)
        };
        let state = tracker.advance(state, false, refusal, 0);
        assert_eq!(state, State::Refused);
        assert!(!tracker.is_reopened_by(state, true, 7));
        tracker.advance(state, false, tcp(SYN | ACK, 0), 0);
        assert!(tracker.is_reopened_by(state, true, 7));
        // In the middle of a connection, the first SYN is unknown.
        assert!(TcpTracker::default().is_reopened_by(State::Established, true, 7));
    }
}

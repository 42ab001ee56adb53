//! Finds the sender of a packet whose ends do not identify a socket: raw sockets have no ports, and
//! a packet socket sends any frame.
//!
//! Any such socket may have sent the packet. But its process ran at that time, on the CPU of the
//! send watcher. So this names a socket only if one of its processes ran then, and no process of
//! another candidate did. If several may have run, it names all of them for raw sockets, and none
//! for packet sockets: a program that only captures runs as well, because the packet wakes it. For
//! a frame, the watcher must have interrupted the sender before it continued.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::seen::lock;
use super::worker::OwnerLookup;
use crate::answer::matching;
use crate::answer::{Match, Ownership, PacketSocket, Protocol, SocketQuery, Verdict};
use crate::observers::linux::sched;
use crate::observers::linux::send_watcher::SentHere;
use crate::policy::freshness::SENT_WITHOUT_PORT;
use crate::tables::fast_lookup::Confirmed;
use crate::tables::linux::candidates::{Candidates, chosen_of};
use crate::tables::linux::fd_scanner::Wanted;
use crate::tables::linux::netlink::conntrack::{Fit, Search, Translation};
use crate::tables::linux::netlink::message::{DiagSocket, Which};
use crate::tables::linux::procfs::running::{Moment, Ran};
use crate::tables::linux::verdicts::{self, Resolved};
use crate::tables::linux::{portless, sockets};

/// The number of candidates. If there are more, this does not distinguish them.
const MAX: usize = 16;

/// A socket that may have sent the packet, its holders, and whether they ran.
struct Sender {
    socket: DiagSocket,
    owner: Verdict,
    ran: Ran,
}

impl OwnerLookup {
    /// The sender of a packet whose ends identify no socket.
    pub(super) fn other_sender(
        &mut self,
        query: &SocketQuery,
        sent: SentHere,
    ) -> Option<Ownership> {
        if !self.budget.has_any(Instant::now()) {
            return None;
        }
        let began = sched::cpu_time();
        let found = self.portless_sender(query, sent);
        self.budget.spend(sched::cpu_time().saturating_sub(began));
        found
    }

    /// Whether a socket of the packet's own protocol may have sent it.
    fn has_socket(&mut self, query: &SocketQuery) -> io::Result<bool> {
        if query.protocol() == Protocol::Raw {
            return Ok(false);
        }
        let reach = self.reach(query);
        let found = sockets::quick(&mut self.sockets, query, &reach)?;
        // Raw sockets are candidates of their own.
        let is_raw = query.protocol() == Protocol::Icmp && found.matched() == Some(Match::Protocol);
        Ok(found != Candidates::None && !is_raw)
    }

    /// The owner of the socket that has just sent a packet whose ends identify no socket.
    fn portless_sender(&mut self, query: &SocketQuery, sent: SentHere) -> Option<Ownership> {
        let observed_at = SystemTime::now();
        let age = observed_at.duration_since(sent.at?).ok()?;
        // A forwarded packet has no sender here.
        if age > SENT_WITHOUT_PORT || self.is_own(query) != Some(true) || query.is_of_kernel() {
            return None;
        }
        if self.has_socket(query).ok()? {
            return None;
        }
        let moment = Moment::of(sent.at?, sent.cpu, &mut self.buffers);
        let seen = Arc::clone(&self.seen);
        let note = |resolved: Resolved| {
            lock(&seen).note(query, &resolved.verdict, observed_at);
            let found_by = SystemTime::now();
            Some(verdicts::ownership(resolved, (observed_at, found_by), None))
        };
        let raw = self.raw_candidates(query).ok()?;
        let raw = self.senders(Protocol::Raw, raw, &moment)?;
        let may_be_raw = raw.iter().any(|sender| sender.ran != Ran::No);
        if may_be_raw {
            return note(resolve(raw, Match::Protocol, sent.is_realtime)?);
        }
        if is_of_tunnels(query) || self.is_to_kernel(query).ok()? {
            return None;
        }
        // If a host behind our address sent the packet, conntrack has an entry by now.
        let translation = self
            .conntrack
            .translation(query, Fit::Nothing, Search::Exact);
        if !matches!(translation, Translation::None | Translation::NotSeen) {
            return None;
        }
        let packet = self.packet_candidates(query).ok()?;
        let packet = self.senders(Protocol::Packet, packet, &moment)?;
        note(injector(packet, sent.is_realtime)?)
    }

    /// Whether the sender of packets without a port, or of frames, still is the same.
    pub(super) fn confirm_portless(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> io::Result<Confirmed> {
        if self.is_own(query) != Some(true) {
            return Ok(Confirmed::Unknown);
        }
        // A socket with these ends may have sent the newest packets.
        if self.has_socket(query)? {
            return self.confirm_echo(query, known);
        }
        let is_frame = known.evidence.matched == Some(Match::PacketSocket);
        let mut candidates = if is_frame {
            let mut all = self.packet_candidates(query)?;
            all.retain(may_send);
            all
        } else {
            self.raw_candidates(query)?
        };
        // Only the id of ICMP distinguishes the packets of several senders.
        let is_distinguished = is_frame || query.protocol() == Protocol::Icmp;
        if lock(&self.seen).contradicts(query, known, is_distinguished) {
            return Ok(Confirmed::Changed);
        }
        let named = known.verdict.processes();
        let (scanner, buffers) = (&self.scanner, &mut self.buffers);
        let mut is_theirs = |one: &DiagSocket| {
            let holders = scanner.known(one.inode, u64::MAX, buffers);
            let is_named = |pid| named.iter().any(|named| named.pid == pid);
            !holders.is_empty() && holders.iter().all(|holder| is_named(holder.pid))
        };
        let all = candidates.len();
        candidates.retain(&mut is_theirs);
        let was_seen = candidates.is_empty() && lock(&self.seen).shows(query, known, since);
        Ok(match candidates.len() {
            _ if was_seen => Confirmed::Same,
            theirs if theirs == all && all > 0 => Confirmed::Same,
            0 if is_distinguished || all == 0 => Confirmed::Gone,
            _ if is_distinguished => Confirmed::Same,
            _ => Confirmed::Changed,
        })
    }

    /// Whether the named processes still have the ping socket with the id.
    fn confirm_echo(&mut self, query: &SocketQuery, known: &Ownership) -> io::Result<Confirmed> {
        let reach = self.reach(query);
        let (sockets, scanner, buffers) = (&mut self.sockets, &self.scanner, &mut self.buffers);
        let Candidates::Open(_, open) = sockets::quick(sockets, query, &reach)? else {
            return Ok(Confirmed::Changed);
        };
        let named = known.verdict.processes();
        let is_theirs = open.iter().all(|one| {
            let holders = scanner.known(one.inode, u64::MAX, buffers);
            let is_named = |pid| named.iter().any(|named| named.pid == pid);
            !holders.is_empty() && holders.iter().all(|holder| is_named(holder.pid))
        });
        Ok(if is_theirs && query.protocol() == Protocol::Icmp {
            Confirmed::Same
        } else {
            Confirmed::Changed
        })
    }

    /// Raw sockets with a matching protocol, addresses and device.
    fn raw_candidates(&mut self, query: &SocketQuery) -> io::Result<Vec<DiagSocket>> {
        let Some(query) = query.of_raw_sockets().map(SocketQuery::as_sender) else {
            return Ok(Vec::new());
        };
        let reach = self.reach(&query);
        let raw = portless::raw(&mut self.sockets, &query)?;
        Ok(match chosen_of(Protocol::Raw, &query, &reach, raw) {
            Candidates::Open(_, sockets) => sockets,
            Candidates::None | Candidates::Closed(_) => Vec::new(),
        })
    }

    /// Packet sockets on the device of the packet, except those that share frames by a filter: they
    /// only capture, and there may be one for each CPU, such as our own.
    fn packet_candidates(&mut self, query: &SocketQuery) -> io::Result<Vec<DiagSocket>> {
        let mut all = Vec::new();
        self.sockets.list(Protocol::Packet, Which::All, &mut all)?;
        let device = query.device();
        all.retain(|one| {
            let is_there = one.device.is_none() || one.device == device;
            let is_shared = |packet: &PacketSocket| packet.fanout_group.is_some();
            is_there && (may_send(one) || !one.packet.as_ref().is_some_and(is_shared))
        });
        Ok(all)
    }

    /// Whether datagrams go to a port of this host that a socket of the kernel has. Tunnels use the
    /// same port at both hosts, and any port at the sender's.
    fn is_to_kernel(&mut self, query: &SocketQuery) -> io::Result<bool> {
        let Some(remote) = query.remote().filter(|_| query.protocol().is_datagram()) else {
            return Ok(false);
        };
        let mut waiting = Vec::new();
        let which = Which::Waiting(remote.port());
        self.sockets.list(query.protocol(), which, &mut waiting)?;
        let mut is_unheld = |one: &DiagSocket| {
            let known = self.scanner.known(one.inode, u64::MAX, &mut self.buffers);
            one.uid == 0 && known.is_empty()
        };
        Ok(waiting.iter().any(&mut is_unheld))
    }

    /// The holders of these sockets, and whether they ran; `None` if this cannot be found for each.
    fn senders(
        &mut self,
        protocol: Protocol,
        candidates: Vec<DiagSocket>,
        moment: &Moment,
    ) -> Option<Vec<Sender>> {
        if candidates.len() > MAX {
            return None;
        }
        let own = std::process::id();
        let mut senders = Vec::with_capacity(candidates.len());
        for socket in candidates {
            let wanted = Wanted {
                first_is_enough: true,
                ..socket.wanted()
            };
            let sockets = &mut self.sockets;
            let is_open = || sockets::is_open(sockets, protocol, &socket);
            let now = Instant::now();
            let holders = self.scanner.quick(&wanted, now, &mut self.buffers, is_open);
            // A process that captures with this library sends nothing.
            if protocol == Protocol::Packet && holders.iter().any(|holder| holder.pid == own) {
                continue;
            }
            if holders.is_empty() {
                if sockets::is_open(&mut self.sockets, protocol, &socket) {
                    return None;
                }
                continue;
            }
            let proc = self.scanner.proc();
            let ran = holders
                .iter()
                .map(|holder| moment.ran(proc, holder.pid, &mut self.buffers));
            let ran = ran.max().unwrap_or(Ran::Perhaps);
            let owner = verdicts::verdict(&self.scanner, holders, &socket, false);
            senders.push(Sender { socket, owner, ran });
        }
        Some(senders)
    }
}

/// The owners of the sockets that may have sent the packet, if one of their processes ran on the
/// CPU that did. `goes_first`: whether none of them has run on that CPU since the packet.
fn resolve(mut senders: Vec<Sender>, matched: Match, goes_first: bool) -> Option<Resolved> {
    senders.retain(|sender| sender.ran != Ran::No);
    let most = senders.iter().map(|sender| sender.ran).max()?;
    if most == Ran::Perhaps {
        return None;
    }
    // The watcher interrupts a sender, which has not gone to sleep. A process that would continue
    // on another CPU did not send here.
    let interrupted = senders
        .iter()
        .filter(|sender| sender.ran == Ran::Interrupted);
    let is_certain = goes_first || senders.iter().all(|sender| sender.ran != Ran::Here);
    if interrupted.count() == 1 && is_certain {
        senders.retain(|sender| sender.ran == Ran::Interrupted);
    }
    let owners: Vec<&Verdict> = senders.iter().map(|sender| &sender.owner).collect();
    Some(Resolved {
        verdict: matching::merge(&owners),
        matched: Some(matched),
        socket: match &senders[..] {
            [only] => Some(only.socket),
            _ => None,
        },
    })
}

/// The owner of the packet socket that sent a frame: the only process with such a socket that the
/// watcher interrupted on the sending CPU, if its socket exists to send. A program that captures
/// runs, too, because each frame wakes it, and its socket could usually send. So this names no
/// process if there is any doubt.
fn injector(mut senders: Vec<Sender>, goes_first: bool) -> Option<Resolved> {
    let is_certain = goes_first || senders.iter().all(|sender| sender.ran != Ran::Here);
    senders.retain(|sender| sender.ran == Ran::Interrupted);
    let [sender] = &senders[..] else {
        return None;
    };
    let is_one = matches!(sender.owner, Verdict::Process(_));
    (is_certain && may_send(&sender.socket) && is_one).then(|| Resolved {
        verdict: sender.owner.clone(),
        matched: Some(Match::PacketSocket),
        socket: Some(sender.socket),
    })
}

/// Whether a packet socket exists to send IP packets.
fn may_send(socket: &DiagSocket) -> bool {
    (socket.packet).is_some_and(|packet| packet.may_send_ip())
}

/// Whether the kernel itself sends packets of a protocol, for a tunnel or on behalf of others: IP in
/// IP, IPv6, GRE, ESP, AH, PIM, compressed IP, L2TP and MPLS.
fn is_of_tunnels(query: &SocketQuery) -> bool {
    const NUMBERS: [u16; 9] = [4, 41, 47, 50, 51, 103, 108, 115, 137];
    query.protocol() == Protocol::Raw && NUMBERS.contains(&query.local().port())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::answer::{PacketKind, Process};

    fn senders(all: &[(u32, Ran)]) -> Vec<Sender> {
        let sender = |&(pid, ran): &(u32, Ran)| Sender {
            socket: DiagSocket::bare(SocketAddr::from(([0, 0, 0, 0], 1)), pid, 0),
            owner: Verdict::Process(Arc::new(Process::new(pid, "one"))),
            ran,
        };
        all.iter().map(sender).collect()
    }

    #[track_caller]
    fn check(all: &[(u32, Ran)], expected: &[u32]) {
        check_after(false, all, expected);
    }

    #[track_caller]
    fn check_after(goes_first: bool, all: &[(u32, Ran)], expected: &[u32]) {
        let found = resolve(senders(all), Match::Protocol, goes_first);
        let found = found.map(|found| found.verdict);
        let processes = found.iter().flat_map(Verdict::processes);
        assert_eq!(
            processes.map(|process| process.pid).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_sniffer_is_not_named_for_frames_that_another_process_injects() {
        use Ran::{Here, Interrupted, No, Perhaps};
        let found = |all: &[(u32, Ran, bool)], goes_first| {
            let all = all.iter().map(|&(pid, ran, may_send)| {
                let mut sender = senders(&[(pid, ran)]).remove(0);
                let ether_type = if may_send { 0 } else { 3 };
                sender.socket.packet = Some(PacketSocket::new(PacketKind::Frame, ether_type));
                sender
            });
            let found = injector(all.collect(), goes_first)?;
            Some(found.verdict.processes()[0].pid)
        };
        let (sends, listens) = (true, false);
        assert_eq!(found(&[(1, Interrupted, sends)], true), Some(1));
        let beside = |ran| [(1, Interrupted, sends), (2, ran, listens)];
        assert_eq!(found(&beside(No), false), Some(1));
        assert_eq!(found(&beside(Perhaps), false), Some(1));
        assert_eq!(found(&beside(Here), true), Some(1));
        assert_eq!(found(&beside(Here), false), None);
        // Either socket may have sent it.
        assert_eq!(found(&beside(Interrupted), true), None);
        // The sender has exited, and the sniffer has read the frame.
        assert_eq!(found(&[(1, Here, sends)], true), None);
        assert_eq!(found(&[(1, Perhaps, sends)], true), None);
        assert_eq!(found(&[(2, Interrupted, listens)], true), None);
    }

    #[test]
    fn who_did_not_run_did_not_send() {
        use Ran::{Here, Interrupted, No, Perhaps};
        check(&[], &[]);
        check(&[(1, No)], &[]);
        check(&[(1, Interrupted), (2, No)], &[1]);
        check(&[(1, No), (2, Here)], &[2]);
        // None of them ran here: the sender has exited.
        check(&[(1, Perhaps)], &[]);
        check(&[(1, Perhaps), (2, No)], &[]);
        check(&[(1, Interrupted), (2, Perhaps)], &[1]);
        check(&[(1, Here), (2, Perhaps)], &[1, 2]);
        check(&[(1, Interrupted), (2, Here)], &[1, 2]);
        check_after(true, &[(1, Interrupted), (2, Here)], &[1]);
        check_after(true, &[(1, Here), (2, Perhaps)], &[1, 2]);
        check(
            &[(1, Interrupted), (2, Interrupted), (3, Perhaps)],
            &[1, 2, 3],
        );
    }
}

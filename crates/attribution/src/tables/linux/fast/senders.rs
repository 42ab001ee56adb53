//! Who has just sent a packet that is no one socket's by its ends: raw sockets have no ports, and a
//! packet socket sends whatever it likes.
//!
//! Any such socket may have sent it. But whoever did ran at that time, on the CPU on which a send
//! watcher looks now. So a socket is named only if a process that has it ran then, and none does that
//! has another one. Where several may have run, all of them are named for raw sockets, and nobody for
//! packet sockets: a program that only listens runs as well, as the packet wakes it. For a frame, the
//! sender must have been interrupted before it went on.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::seen::lock;
use super::worker::OwnerLookup;
use crate::answer::matching;
use crate::answer::{Match, Ownership, PacketSocket, Protocol, SocketQuery, Verdict};
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

/// Sockets that are looked at: where there are more, they are not told apart.
const MAX: usize = 16;

/// A socket that may have sent the packet, with those who hold it and whether they ran.
struct Sender {
    socket: DiagSocket,
    owner: Verdict,
    ran: Ran,
}

impl OwnerLookup {
    /// Who has just sent a packet of which no socket is known by its ends.
    pub(super) fn other_sender(
        &mut self,
        query: &SocketQuery,
        sent: SentHere,
    ) -> Option<Ownership> {
        let began = Instant::now();
        if !self.budget.has_any(began) {
            return None;
        }
        let found = self.portless_sender(query, sent);
        self.budget.spend(began.elapsed());
        found
    }

    /// Whether a socket of the packet's own protocol may have sent it.
    fn has_socket(&mut self, query: &SocketQuery) -> io::Result<bool> {
        if query.protocol() == Protocol::Raw {
            return Ok(false);
        }
        let reach = self.reach(query);
        let found = sockets::quick(&mut self.sockets, query, &reach)?;
        // Raw sockets are looked at by themselves.
        let is_raw = query.protocol() == Protocol::Icmp && found.matched() == Some(Match::Protocol);
        Ok(found != Candidates::None && !is_raw)
    }

    /// The owner of the socket that has just sent a packet, where it is no socket's by its ends.
    fn portless_sender(&mut self, query: &SocketQuery, sent: SentHere) -> Option<Ownership> {
        let observed_at = SystemTime::now();
        let age = observed_at.duration_since(sent.at?).ok()?;
        // Packets that somebody here passes on are not sent here.
        if age > SENT_WITHOUT_PORT || self.is_own(query) != Some(true) || query.is_of_kernel() {
            return None;
        }
        if self.has_socket(query).ok()? {
            return None;
        }
        let moment = Moment::of(sent.at?, sent.processor, &mut self.buffers);
        let seen = Arc::clone(&self.seen);
        let told = |resolved: Resolved| {
            lock(&seen).note(query, &resolved.verdict, observed_at);
            let found_by = SystemTime::now();
            Some(verdicts::told(resolved, (observed_at, found_by), None))
        };
        let raw = self.raw_candidates(query).ok()?;
        let raw = self.senders(Protocol::Raw, raw, &moment)?;
        let may_be_raw = raw.iter().any(|sender| sender.ran != Ran::No);
        if may_be_raw {
            return told(resolve(raw, Match::Protocol, sent.is_realtime)?);
        }
        if is_of_tunnels(query) || self.is_to_kernel(query).ok()? {
            return None;
        }
        // What somebody behind an address of ours sent was seen by conntrack by now.
        let translation = self
            .conntrack
            .translation(query, Fit::Nothing, Search::Exact);
        if !matches!(translation, Translation::None | Translation::NotSeen) {
            return None;
        }
        let packet = self.packet_candidates(query).ok()?;
        let packet = self.senders(Protocol::Packet, packet, &moment)?;
        told(injector(packet, sent.is_realtime)?)
    }

    /// Whether what has sent packets without a port, or frames, still is whose it was.
    pub(super) fn confirm_portless(
        &mut self,
        query: &SocketQuery,
        known: &Ownership,
        since: SystemTime,
    ) -> io::Result<Confirmed> {
        if self.is_own(query) != Some(true) {
            return Ok(Confirmed::Unknown);
        }
        // A socket that has the ends may have sent the newest packets.
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
        // The id of ICMP tells the packets of several apart, and nothing else does.
        let is_told_apart = is_frame || query.protocol() == Protocol::Icmp;
        if lock(&self.seen).contradicts(query, known, is_told_apart) {
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
            0 if is_told_apart || all == 0 => Confirmed::Gone,
            _ if is_told_apart => Confirmed::Same,
            _ => Confirmed::Changed,
        })
    }

    /// Whether a ping socket with the id still is theirs who were named.
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

    /// Raw sockets whose protocol, addresses and device fit.
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

    /// Packet sockets on the device of the packet. Those that share frames by a filter are left out:
    /// they listen, and there may be one for each CPU, such as our own.
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

    /// Whether datagrams are for a port of this host that a socket of the kernel has: those of a
    /// tunnel have the same port at both hosts, and any port at the sender's.
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

    /// Those who hold these sockets, and whether they ran; `None` where that cannot be told of each.
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
            // Who captures here sends nothing.
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

/// The owners of those that may have sent the packet, if one of them ran on the CPU that did.
/// `goes_first`: whether none of them went on on that CPU between the packet and now.
fn resolve(mut senders: Vec<Sender>, matched: Match, goes_first: bool) -> Option<Resolved> {
    senders.retain(|sender| sender.ran != Ran::No);
    let most = senders.iter().map(|sender| sender.ran).max()?;
    if most == Ran::Perhaps {
        return None;
    }
    // Who sends is interrupted before it goes on, and did not go to sleep. Whoever else would go on
    // elsewhere did not send here.
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

/// The owner of the packet socket that sent a frame: the one process with such a socket that was
/// interrupted on the CPU that did, if that is there to send. Who listens runs, too, as each frame
/// wakes it, and what listens as a rule can send. So nobody is named where there is any doubt.
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

/// Whether a packet socket is there to send IP packets.
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
    fn who_listens_is_not_named_for_what_another_injects() {
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
        // Either may have sent it.
        assert_eq!(found(&beside(Interrupted), true), None);
        // Who did is gone, and who listens has read it.
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
        // Nobody ran here: whoever sent it is gone.
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

//! The ledger counts every captured byte in one flow or one named counter, keeps the owners of flows,
//! and derives totals. It is pure: packets, answers and time come in, and [`Effect`]s come out for the
//! caller to carry out.

mod accepted;
mod acceptors;
mod again;
mod closed;
mod confirm;
mod devices;
pub(crate) mod doubt;
mod ended;
mod naming;
mod question;
mod record;
mod recorded;
mod reopened;
mod reverse;
mod translated;
mod uncertain;
mod uncounted;
mod view;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::{LookupRequest, Ownership, Reason};
use flowner_attribution::{Source, Token, Verdict};
use flowner_flows::{
    Change, Counters, Direction, EndReason, Ended, Flow, FlowId, FlowTable, LocalAddresses, Packet,
    TableConfig, TcpFlags, Update,
};

use flowner_names::NameTable;

use crate::engine::devices::Devices;
use crate::engine::places::Places;
use crate::engine::traffic_history::{Credit, PacketOf, TrafficHistory};
use crate::engine::unnamed::Unnamed;
use crate::model::config::Limits;
use crate::model::event::Event;
use crate::model::flow::FlowRecord;
use crate::model::packet_ref::PacketRef;
use crate::model::principal::{Owner, Principal};
use crate::model::program::Program;
use crate::model::retired::Retired;
use crate::model::selection::Selection;
use crate::model::totals::Credited;
use again::Again;
pub(crate) use confirm::Claim;
use confirm::{Confirmation, Confirming};
pub(crate) use devices::CapturedDevices;
use ended::{EndedFlows, listed_mut};
use question::{ask, is_another_socket, is_later_socket, is_nowhere, pack, query_of, unpack};
use uncertain::Uncertain;

/// The number of programs that the ledger remembers. Beyond it, no program counts as new.
const MAX_KNOWN_PROGRAMS: usize = 65_536;

/// The owners of a flow's ends, kept on the flow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners {
    /// The owner of the local end. It is boxed because flows of a file have none, and stay small so.
    pub(crate) local: Option<Box<Owner>>,
    /// The owner of the remote end, for loopback flows and flows from or to containers.
    pub(crate) remote: Option<Box<Owner>>,
    /// The name of the device that captured the first packet.
    device: Option<Arc<str>>,
    waiting: [bool; 2],
    /// By end: whether a program may have forged the first packet, which names this end as its source.
    doubt: [doubt::Doubt; 2],
    /// By end: whether the lookup of its owner waits until this end sends something.
    asks_when_sent: [bool; 2],
    credit: Credit,
    /// Confirmation by lookups of single sockets, while the flow is live.
    confirmation: Option<Box<Confirmation>>,
    /// Confirmation by new lookups ([`again`]), while the flow is live.
    again: Option<Box<Again>>,
    /// The owner changed, and the new one is not known yet.
    uncertain: Option<Box<Uncertain>>,
    /// The owners from a recording, while the flow is live.
    recorded: Option<Box<recorded::Recorded>>,
    /// Evidence on whether an answer is about this connection or the next one.
    reopened: reopened::Reopened,
    /// The ledger cut this flow: the packets from this number on belong to that flow.
    next: Option<Box<(u64, FlowId)>>,
    /// The connection has ended, and no lookup has shown that the process that accepted it kept it.
    is_unconfirmed: bool,
    /// Whether the ledger has sent the event that the flow has ended.
    is_told: bool,
    naming: naming::Naming,
}

/// One end of a flow, as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Local = 0,
    Remote = 1,
}

impl Owners {
    /// Whether an answer may still come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting != [false; 2]
    }

    /// The owner of an end, or why it is unknown.
    fn told(&self, end: End) -> Option<&Ownership> {
        let owner = match end {
            End::Local => self.local.as_deref(),
            End::Remote => self.remote.as_deref(),
        };
        owner.map(|owner| &owner.ownership)
    }

    fn of(&mut self, end: End) -> &mut Option<Box<Owner>> {
        match end {
            End::Local => &mut self.local,
            End::Remote => &mut self.remote,
        }
    }
}

/// What the caller does after it has written the ledger, and without holding its lock.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Look up the owner of one end of a new flow.
    Ask(Token, LookupRequest),
    /// Look up again whether one end of a flow still has the same owner.
    AskAgain(Token, LookupRequest),
    /// Report a packet of a flow whose owner is not settled. The flag says whether the packet carries
    /// data or ends the flow: then a process may have accepted the connection by now, because the
    /// kernel itself answers a SYN and acknowledges segments.
    PacketSeen(Token, bool),
    /// Report that the flow has ended.
    End(Token),
    /// Check whether a flow still has the same owners.
    Confirm(Box<Claim>),
    /// Send an event.
    Tell(Box<Event>),
}

/// The ends of flows whose owners are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerScope {
    Nobody,
    /// The ends on this host.
    Own,
    /// All ends, because containers of this host may have them.
    All,
}

/// The ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    table: FlowTable<Owners>,
    ended: EndedFlows,
    retired: Retired,
    chronicle: TrafficHistory,
    undecodable: BTreeMap<&'static str, Counters>,
    known_programs: HashSet<Arc<Program>>,
    asked: OwnerScope,
    is_watched: bool,
    saw_foreign: bool,
    span: Option<(Duration, Duration)>,
    refused_claims: u64,
    just_ended: Vec<Ended<Owners>>,
    confirming: Confirming,
    /// The packet time of the packet before the newest one of its flow.
    previous: Duration,
    devices: Devices,
    /// The captured devices, if several may capture the same packet.
    counted_once: Option<CapturedDevices>,
    /// Lookups that are of no use any more. The thread that counts packets ends them.
    to_end: Vec<Token>,
    /// The names of addresses from DNS answers.
    name_table: NameTable,
    /// The places of addresses, and the flows without a name that a reverse lookup may name.
    places: Places,
    unnamed: Option<Unnamed>,
}

impl Ledger {
    /// An empty ledger that looks up the owners of `asked` ends; `is_watched`: events have a reader.
    pub(crate) fn new(
        limits: &Limits,
        local: Option<LocalAddresses>,
        asked: OwnerScope,
        is_watched: bool,
    ) -> Self {
        let mut name_table = NameTable::default();
        if let Some(local) = local.clone() {
            name_table.set_own(move |address| local.contains(address));
        }
        let table = FlowTable::new(TableConfig {
            capacity: limits.flows,
            local,
            ..TableConfig::default()
        });
        Self {
            table,
            ended: EndedFlows::new(limits.ended_flows),
            retired: Retired::new(Selection::default(), limits.groups),
            chronicle: TrafficHistory::new(),
            undecodable: BTreeMap::new(),
            known_programs: HashSet::new(),
            asked,
            is_watched,
            saw_foreign: false,
            span: None,
            refused_claims: 0,
            just_ended: Vec::new(),
            confirming: Confirming::default(),
            previous: Duration::ZERO,
            devices: Devices::default(),
            counted_once: None,
            to_end: Vec::new(),
            name_table,
            places: Places::default(),
            unnamed: None,
        }
    }

    /// The same ledger, which lists only selected ended flows, and adds the others up in so many groups.
    pub(crate) fn listing(self, selection: Selection, groups: usize) -> Self {
        Self {
            retired: Retired::new(selection, groups),
            ..self
        }
    }

    /// Counts a decoded packet and returns where it belongs: `None` if the packet counts later, when the
    /// device above shows it.
    pub(crate) fn packet(
        &mut self,
        packet: &Packet,
        effects: &mut Vec<Effect>,
    ) -> Option<PacketRef> {
        self.stretch_span(packet.time);
        self.devices.count(packet);
        if self.table.is_on_its_way(packet) {
            return None;
        }
        self.take_back_earlier();
        self.confirming.packets += 1;
        effects.extend(self.to_end.drain(..).map(Effect::End));
        let mut ended = std::mem::take(&mut self.just_ended);
        let update = self.table.ingest(packet, &mut ended);
        if update.change == Change::SeenAgain {
            self.credit_kept(&mut ended);
            self.retire(&mut ended, effects);
            self.just_ended = ended;
            return Some(self.place_of(update));
        }
        // The ended flow made room for this one, and may have had the same five-tuple.
        self.note_segment(update, packet, &mut ended);
        self.credit_kept(&mut ended);
        self.retire(&mut ended, effects);
        self.just_ended = ended;
        if update.change == Change::Opened {
            self.opened(update.id, effects);
        }
        self.counted(update, packet, effects);
        Some(self.place_of(update))
    }

    /// A live or listed flow, and why it ended.
    fn listed(&self, id: FlowId) -> Option<(&Flow<Owners>, Option<EndReason>)> {
        let ended = || {
            let (flow, reason) = self.ended.get(id)?;
            Some((flow, Some(*reason)))
        };
        let live = self.table.flow(id).map(|flow| (flow, None));
        live.or_else(ended)
    }

    /// Lets time pass without a packet.
    pub(crate) fn advance(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.take_back_earlier();
        effects.extend(self.to_end.drain(..).map(Effect::End));
        let mut ended = std::mem::take(&mut self.just_ended);
        self.table.advance(now, &mut ended);
        self.chronicle.advance(self.table.now());
        self.credit_kept(&mut ended);
        self.retire(&mut ended, effects);
        self.just_ended = ended;
    }

    /// As [`answer`](Self::answer), for each flow alone.
    fn write_answer(
        &mut self,
        waiter: Token,
        Owner {
            mut ownership,
            mut principal,
        }: Owner,
        last: bool,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.table.now();
        let (id, end) = unpack(waiter);
        if self.answered_again(waiter, (id, end), &ownership, last, effects) {
            return;
        }
        let Some(id) = self.answered_anew(waiter, (id, end), &ownership, last, effects) else {
            return;
        };
        let Some((flow, ended)) = listed_mut(&mut self.table, &mut self.ended, id) else {
            return;
        };
        // The lookup was about packets that belong to another flow by now, or have no owner.
        if !flow.data.waiting[end as usize] {
            return;
        }
        flow.data.waiting[end as usize] = !last;
        doubt::take_back(flow, end, &mut ownership, &mut principal);
        reopened::take_back(flow, end, &mut ownership, &mut principal);
        if ended.is_some() || flow.state().has_ended() {
            self.confirming
                .take_back(flow, end, &mut ownership, &mut principal, now);
        }
        if ended.is_none() {
            doubt::take_back_stray(flow, end, &mut ownership, &mut principal);
        }
        if is_nowhere(flow.direction(), &ownership) {
            ownership.verdict = Verdict::Unknown(Reason::Forwarded);
        }
        let is_forwarded = ownership.verdict == Verdict::Unknown(Reason::Forwarded);
        let is_elsewhere = is_forwarded && end == End::Remote;
        let protocol = flow.protocol();
        let old = flow.data.told(end);
        let is_later = old.is_some_and(|old| is_later_socket(&ownership, old, protocol));
        let is_another_socket = is_later
            || old.is_some_and(|old| {
                is_another_socket(&ownership, old, protocol)
                    || flow.data.contradicts(&ownership, old)
            });
        if ended.is_none() {
            if is_later {
                Owners::find_again(flow, &ownership);
            }
            let is_asked_again = Again::is_to_be_found_again(flow, end, &ownership);
            uncertain::take_answer(flow, &ownership, is_asked_again, now);
        }
        let old = flow.data.told(end);
        // No lookup can find the owner at the time of the change any more.
        let is_final = old.is_some_and(|old| old.verdict == Verdict::Unknown(Reason::Changed));
        let improved = !is_elsewhere
            && !is_another_socket
            && !is_final
            && old.is_none_or(|old| ownership.is_better_than(old));
        let was_named = old.is_some_and(|old| old.verdict.is_named());
        if let Some(old) = old.filter(|_| improved && was_named) {
            self.confirming
                .learn_of_answer(flow, end, (old, &ownership), now);
        }
        let mut is_to_be_confirmed = false;
        if improved {
            if ended.is_none() {
                let found = (&ownership, !was_named);
                is_to_be_confirmed =
                    Owners::found(flow, self.confirming.packets, found, (&self.chronicle, now));
            }
            let new = Owner {
                ownership,
                principal,
            };
            match flow.data.of(end) {
                Some(owner) => **owner = new,
                none => *none = Some(Box::new(new)),
            }
            let credit = credit(flow, &mut self.chronicle);
            let before = std::mem::replace(&mut flow.data.credit, credit);
            if credit != before {
                self.chronicle.move_credit(id, before, credit);
            }
        }
        if is_settled(flow, ended.is_some()) {
            self.chronicle.settle(id);
        }
        naming::answered(flow, end, improved, &mut self.name_table);
        let is_over = ended.is_some() && !flow.data.is_waiting();
        let is_news = is_over && !std::mem::replace(&mut flow.data.is_told, is_over);
        if self.is_watched {
            let record = FlowRecord::new(flow, now, ended);
            self.tell_of_answer(record, end, improved, was_named, effects);
        }
        if is_to_be_confirmed {
            self.confirm_later(id);
            self.ask_when_silent(id);
        }
        if is_news {
            self.tell_of_end(id, effects);
        }
    }

    /// Records that no lookup of one end of a flow will follow.
    pub(crate) fn refused(&mut self, waiter: Token, effects: &mut Vec<Effect>) {
        let nobody = Ownership::unknown(Reason::Failed, wall_clock(self.table.now()), Source::None);
        self.answer(waiter, Owner::nobody(nobody), true, effects);
    }

    /// Sets the addresses of this host, for flows that open from now on.
    pub(crate) fn set_local_addresses(&mut self, local: LocalAddresses) {
        self.set_own_names(&local);
        self.table.set_local_addresses(Some(local));
    }

    /// Whether a packet belongs to an existing flow.
    pub(crate) fn has_flow(&self, packet: &Packet) -> bool {
        self.table.has_flow(packet)
    }

    /// The current packet time.
    pub(crate) fn now(&self) -> Duration {
        self.table.now()
    }

    fn stretch_span(&mut self, time: Duration) {
        let (from, to) = self.span.unwrap_or((time, time));
        self.span = Some((from.min(time), to.max(time)));
    }

    fn opened(&mut self, id: FlowId, effects: &mut Vec<Effect>) {
        let now = self.table.now();
        let Some(flow) = self.table.flow_mut(id) else {
            return;
        };
        self.saw_foreign |= matches!(flow.direction(), Direction::Forwarded | Direction::Spoofed);
        if self.asked != OwnerScope::Nobody {
            ask(flow, self.asked, effects);
        }
        if self.asked == OwnerScope::Own && flow.data.is_waiting() {
            flow.data.again = Some(Again::opened(flow, self.confirming.packets));
        }
        flow.data.device = self.devices.name(flow.device()).cloned();
        flow.data.credit = credit(flow, &mut self.chronicle);
        naming::opened(flow, &self.name_table, &mut self.places, &mut self.unnamed);
        if self.is_watched {
            let record = FlowRecord::new(flow, now, None);
            effects.push(Effect::Tell(Box::new(Event::FlowOpened(record))));
        }
        self.join_translated(id, effects);
    }

    /// Credits a packet, and reports it to the pending lookups of its flow.
    fn counted(&mut self, update: Update, packet: &Packet, effects: &mut Vec<Effect>) {
        let Some(flow) = self.table.flow_mut(update.id) else {
            return;
        };
        let is_local = flow.is_from_local(update.from_initiator);
        let packet_of = PacketOf::new(packet, is_local);
        recorded::Recorded::count(flow, packet_of);
        self.previous = update.previous;
        let is_waiting = flow.data.is_waiting();
        self.chronicle.count(
            update.id,
            flow.data.credit,
            is_settled(flow, false),
            packet_of,
        );
        if flow.data.uncertain.is_some() {
            self.resume(update.id, packet_of, effects);
        } else if flow.data.confirmation.is_some() {
            self.watch(update, is_local, packet, effects);
        } else if flow.data.again.is_some() && update.change != Change::Opened {
            self.ask_again(update.id, packet_of, effects);
        }
        if update.change == Change::Closed {
            let now = self.table.now();
            if let Some(flow) = self.table.flow_mut(update.id) {
                accepted::take_back(flow, &mut self.confirming, &mut self.chronicle, now);
            }
        }
        self.ask_when_sent(update.id, packet_of, effects);
        if update.change != Change::Opened {
            self.join_if_translated(update.id, effects);
        }
        let Some(flow) = self.table.flow(update.id).filter(|_| is_waiting) else {
            return;
        };
        match update.change {
            Change::Opened | Change::SeenAgain => {}
            Change::Continued => {
                let is_bare = |tcp: flowner_flows::Tcp| !tcp.flags.contains(TcpFlags::FIN);
                let is_bare = packet.payload_len == 0 && packet.tcp.is_some_and(is_bare);
                let seen = |waiter| Effect::PacketSeen(waiter, !is_bare);
                effects.extend(waiters(flow).map(seen));
            }
            Change::Closed => effects.extend(waiters(flow).map(Effect::End)),
        }
    }

    fn tell_of_answer(
        &mut self,
        record: FlowRecord,
        end: End,
        improved: bool,
        was_named: bool,
        effects: &mut Vec<Effect>,
    ) {
        let (owner, principal) = match end {
            End::Local => (&record.owner, &record.principal),
            End::Remote => (&record.remote_owner, &record.remote_principal),
        };
        let is_named = owner.as_ref().is_some_and(|owner| owner.verdict.is_named());
        for program in principal.programs() {
            if self.known_programs.len() < MAX_KNOWN_PROGRAMS
                && self.known_programs.insert(Arc::clone(program))
            {
                let event = Event::ProgramFirstSeen(Arc::clone(program));
                effects.push(Effect::Tell(Box::new(event)));
            }
        }
        if improved && is_named {
            let event = if was_named {
                Event::OwnerUpgraded(record)
            } else {
                Event::OwnerResolved(record)
            };
            self.tell(event, effects);
        }
    }

    fn tell(&self, event: Event, effects: &mut Vec<Effect>) {
        if self.is_watched {
            effects.push(Effect::Tell(Box::new(event)));
        }
    }
}

/// The owners to whom the packets of a flow are credited.
fn credit(flow: &Flow<Owners>, chronicle: &mut TrafficHistory) -> Credit {
    let Owners { local, remote, .. } = &flow.data;
    let ownership = |owner| Option::map(owner, |owner: &Owner| &owner.ownership);
    let (local, remote) = (local.as_deref(), remote.as_deref());
    let credited = Credited::of(flow.direction(), ownership(local), ownership(remote));
    let principal =
        |owner: Option<&Owner>| owner.map_or(Principal::Unattributed, |it| it.principal.clone());
    chronicle.credit(credited, principal(local), principal(remote))
}

/// Whether the owners of a flow are final: no lookup is pending or will follow, and nothing withdraws
/// an owner. After a flow has ended, none of its packets causes either.
fn is_settled(flow: &Flow<Owners>, is_over: bool) -> bool {
    let is_asked_later = || flow.data.asks_when_sent != [false; 2];
    !flow.data.is_waiting()
        && (is_over || !flow.is_translated())
        && !accepted::may_be_taken_back(flow)
        && (is_over || !is_asked_later() && !reopened::is_unproven(flow))
}

fn waiters(flow: &Flow<Owners>) -> impl Iterator<Item = Token> + use<> {
    let (id, waiting) = (flow.id(), flow.data.waiting);
    [End::Local, End::Remote]
        .into_iter()
        .filter(move |end| waiting[*end as usize])
        .map(move |end| pack(id, end))
}

/// Packet time as wall-clock time.
fn wall_clock(time: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests;

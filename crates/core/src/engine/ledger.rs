//! The ledger: every captured byte in one flow or one named counter, owners on the
//! flows, totals derived from them. Pure: packets, answers and time come in; what
//! is to be done comes out as [`Effect`]s.

mod accepted;
mod acceptors;
mod again;
mod closed;
mod confirm;
mod devices;
mod doubt;
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

/// Programs that are remembered as seen. Past that, none counts as new.
const MAX_KNOWN_PROGRAMS: usize = 65_536;

/// The owners of a flow's ends, kept on the flow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owners {
    /// Apart, as the other one: of a file nobody is known, and a flow without is small.
    pub(crate) local: Option<Box<Owner>>,
    /// For loopback flows, and those between containers or with one.
    pub(crate) remote: Option<Box<Owner>>,
    /// The name of the device on which it was opened.
    device: Option<Arc<str>>,
    waiting: [bool; 2],
    /// Its first packet, sent by this end, may be a frame that somebody made up.
    is_in_doubt: [bool; 2],
    /// This end is asked about when it has sent something.
    asks_when_sent: [bool; 2],
    credit: Credit,
    /// While it is live and its owners can be confirmed.
    confirmation: Option<Box<Confirmation>>,
    /// While it is live and its owners cannot be confirmed so, or may turn out to be such.
    again: Option<Box<Again>>,
    /// While nobody knows whose it is, as they have changed.
    uncertain: Option<Box<Uncertain>>,
    /// While it is live and a recording tells whose it was.
    recorded: Option<Box<recorded::Recorded>>,
    /// What tells whether an answer is about this connection or the next one.
    reopened: reopened::Reopened,
    /// Where its packets from that number on belong, of a flow that was cut off.
    next: Option<Box<(u64, FlowId)>>,
    /// Of a connection that is over, whether nobody is known to have kept it who accepted it.
    is_unconfirmed: bool,
    /// Whether those who listen know that it is over.
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

    /// Who was named for an end, or why nobody was.
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

/// What is to be done after the ledger was written, without holding it.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Ask who owns one end of a new flow.
    Ask(Token, LookupRequest),
    /// Ask whether the owner of one end of a flow is the same still.
    AskAgain(Token, LookupRequest),
    /// Tell that a packet of a flow arrived whose owner is not settled; and whether it
    /// carries data or ends the flow, so that somebody may have the connection by now: the
    /// kernel greets and acknowledges by itself.
    PacketSeen(Token, bool),
    /// Tell that the flow is over.
    End(Token),
    /// Find out whether the owners of a flow are the same still.
    Confirm(Box<Claim>),
    /// Send an event.
    Tell(Box<Event>),
}

/// Whose owners are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerScope {
    Nobody,
    /// Those of ends on this host.
    Own,
    /// Those of all ends: containers of this host may have them.
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
    /// Packet time of the packet before the newest one of its flow.
    previous: Duration,
    devices: Devices,
    /// The devices that are captured, where a packet may be captured on several.
    counted_once: Option<CapturedDevices>,
    /// Of flows whose question is of no use any more: to be ended by the thread that counts packets.
    to_end: Vec<Token>,
    /// What DNS said of the names of addresses.
    name_table: NameTable,
    /// Where addresses are, and flows without a name, where reverse lookups may name them.
    places: Places,
    unnamed: Option<Unnamed>,
}

impl Ledger {
    /// An empty ledger. `asked`: whose owners new flows ask for; `is_watched`: whether events have a reader.
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

    /// The same, where only flows that are chosen are listed once they have ended, and the
    /// others are added up in so many groups.
    pub(crate) fn listing(self, selection: Selection, groups: usize) -> Self {
        Self {
            retired: Retired::new(selection, groups),
            ..self
        }
    }

    /// Counts a packet that was decoded. Returns where it belongs; `None` of one that is counted when
    /// the device above shows it.
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
        // What ended made room for this flow, and may have had its five-tuple.
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

    /// A flow, live or listed, and why it is over.
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
        // It was asked about packets that are another flow's by now, or nobody's.
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
        // Whose it was when its owner changed is not found out any more.
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

    /// Writes down that nobody will be asked for one end of a flow.
    pub(crate) fn refused(&mut self, waiter: Token, effects: &mut Vec<Effect>) {
        let nobody = Ownership::unknown(Reason::Failed, wall_clock(self.table.now()), Source::None);
        self.answer(waiter, Owner::nobody(nobody), true, effects);
    }

    /// Flows opened from now on are this host's if one of these is their end.
    pub(crate) fn set_local_addresses(&mut self, local: LocalAddresses) {
        self.set_own_names(&local);
        self.table.set_local_addresses(Some(local));
    }

    /// Whether a packet belongs to a flow that is there.
    pub(crate) fn has_flow(&self, packet: &Packet) -> bool {
        self.table.has_flow(packet)
    }

    /// The packet time that it is.
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

    /// Credits a packet, and tells those who look for the owners of its flow, if they still do.
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

/// To whom the packets of a flow are credited.
fn credit(flow: &Flow<Owners>, chronicle: &mut TrafficHistory) -> Credit {
    let Owners { local, remote, .. } = &flow.data;
    let ownership = |owner| Option::map(owner, |owner: &Owner| &owner.ownership);
    let (local, remote) = (local.as_deref(), remote.as_deref());
    let credited = Credited::of(flow.direction(), ownership(local), ownership(remote));
    let principal =
        |owner: Option<&Owner>| owner.map_or(Principal::Unattributed, |it| it.principal.clone());
    chronicle.credit(credited, principal(local), principal(remote))
}

/// Whether the owners of a flow stay as they are: no end is asked about or will be, and nothing
/// takes back who was named. Once a flow is over, no packet of it does any of that.
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

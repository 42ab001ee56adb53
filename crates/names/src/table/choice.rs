//! Which of the answers that gave an address a name is the one that a flow is about.

use std::net::IpAddr;
use std::time::Duration;

use super::answers::Answer;
use super::{AskedBy, FlowFacts, FlowOwner, HostName, NameTable, Names};
use crate::Source;

/// What answers say, all together.
pub(super) enum Choice<'a> {
    /// Nothing.
    None,
    /// One name.
    One(&'a Answer, AskedBy),
    /// Several names, and nothing tells which.
    Several,
}

/// Who asked for an answer, seen from the owner of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// The same process.
    Process,
    /// Another process of the same program.
    Program,
    /// A process of the same program, perhaps the same one.
    PerhapsProcess,
    /// Another program.
    Another,
    /// Anybody of this host, perhaps the owner itself.
    Unknown,
}

impl NameTable {
    /// The names of an address that has one, as most have, if the answer that came last is of the flow's
    /// owner. The same as all answers say together; `None` where they have to be asked.
    pub(super) fn only_name(&self, address: IpAddr, flow: &FlowFacts<'_>) -> Option<Names> {
        let answer = self.answers.only(address, flow.began)?;
        let is_of_host = answer.source == Source::Dns && !self.is_elsewhere(answer, flow);
        let is_recorded = self.recorded.names(address).next().is_some();
        if flow.server.is_some() || !is_of_host || is_recorded {
            return None;
        }
        let asked_by = match flow.owner {
            None => AskedBy::Host,
            Some(_) if self.answers.is_thinned(address, flow.began) => AskedBy::Host,
            Some(owner) => match self.asker(answer, owner) {
                Asker::Process => AskedBy::Program,
                _ => return None,
            },
        };
        Some(Names {
            name: Some(answer.named(asked_by, flow.began)),
            others: Vec::new(),
        })
    }

    /// What this host asked for, and what its neighbours told.
    pub(super) fn of_answers<'a>(
        &self,
        address: IpAddr,
        answers: &[&'a Answer],
        flow: &FlowFacts<'_>,
    ) -> Choice<'a> {
        let own: Vec<&Answer> = answers
            .iter()
            .copied()
            .filter(|answer| !self.is_elsewhere(answer, flow))
            .collect();
        let of_dns = |answer: &&&'a Answer| answer.source == Source::Dns;
        // What found no place here may be what the owner asked for.
        if let Some(owner) = flow.owner
            && !self.answers.is_thinned(address, flow.began)
        {
            let of_owner = self.of_owner(own.iter().filter(of_dns).copied(), owner);
            if !matches!(of_owner, Choice::None) {
                return of_owner;
            }
        }
        match single(own.iter().filter(of_dns).copied(), AskedBy::Host) {
            Choice::One(..) if self.answers.is_crowded(address, flow.began) => Choice::Several,
            Choice::None => {
                let of_neighbours = own.iter().filter(|answer| !of_dns(answer)).copied();
                match single(of_neighbours, AskedBy::Host) {
                    // All of them are names that a neighbour has, and the hosts file may say which
                    // one its administrator uses.
                    Choice::Several => Choice::None,
                    choice => choice,
                }
            }
            choice => choice,
        }
    }

    /// What the owner of a flow asked for, its process before its program. An answer counts as
    /// possible if it is unknown who asked for it.
    fn of_owner<'a>(
        &self,
        answers: impl Iterator<Item = &'a Answer> + Clone,
        owner: FlowOwner,
    ) -> Choice<'a> {
        let all = answers.clone();
        let dns_flows = answers
            .filter(|answer| !self.is_of_stub(answer, all.clone()))
            .map(|answer| (answer, self.asker(answer, owner)));
        let is_of = |asker: Asker| dns_flows.clone().any(|(_, other)| other == asker);
        let not: &[Asker] = if is_of(Asker::Process) {
            &[Asker::Program, Asker::Another]
        } else if is_of(Asker::Program) || is_of(Asker::PerhapsProcess) {
            &[Asker::Another]
        } else {
            return Choice::None;
        };
        let possible = dns_flows.filter(|(_, asker)| !not.contains(asker));
        single(possible.map(|(answer, _)| answer), AskedBy::Program)
    }

    /// Whether a stub resolver of this host asked, though its owner is unknown: somebody known got the
    /// same name from a loopback address soon after that. A stub seldom stays long in one socket.
    fn is_of_stub<'a>(
        &self,
        answer: &Answer,
        mut answers: impl Iterator<Item = &'a Answer>,
    ) -> bool {
        /// Beyond that, clients ask again.
        const SOON: Duration = Duration::from_secs(5);
        let is_loopback =
            |answer: &Answer| answer.client.is_some_and(|client| client.is_loopback());
        !self.dns_flows.contains_key(&answer.flow)
            && !is_loopback(answer)
            && answers.any(|passed_on| {
                let after = passed_on.first_at.checked_sub(answer.first_at);
                is_loopback(passed_on)
                    && passed_on.name == answer.name
                    && after.is_some_and(|after| after <= SOON)
                    && self.dns_flows.contains_key(&passed_on.flow)
            })
    }

    fn asker(&self, answer: &Answer, owner: FlowOwner) -> Asker {
        let Some(asker) = self.dns_flows.get(&answer.flow) else {
            return Asker::Unknown;
        };
        if asker.program != owner.program {
            return Asker::Another;
        }
        match (asker.process, owner.process) {
            (Some(asker), Some(owner)) if asker == owner => Asker::Process,
            (Some(_), Some(_)) => Asker::Program,
            _ => Asker::PerhapsProcess,
        }
    }

    /// What another host asked for, if it is one name.
    pub(super) fn of_other_hosts(
        &self,
        address: IpAddr,
        answers: &[&Answer],
        flow: &FlowFacts<'_>,
    ) -> Option<HostName> {
        let is_own = |answer: &&&Answer| !self.is_elsewhere(answer, flow);
        // Where this host itself knows several, another one does not tell which. And what found no
        // place may be what this host asked for.
        if answers.iter().any(|answer| is_own(&answer))
            || self.answers.is_crowded(address, flow.began)
        {
            return None;
        }
        match single(answers.iter().copied(), AskedBy::AnotherHost) {
            Choice::One(answer, asked_by) => Some(answer.named(asked_by, flow.began)),
            Choice::None | Choice::Several => None,
        }
    }
}

/// The latest answer, if all of them have the same name.
fn single<'a>(mut answers: impl Iterator<Item = &'a Answer>, asked_by: AskedBy) -> Choice<'a> {
    let Some(first) = answers.next() else {
        return Choice::None;
    };
    if answers.all(|answer| answer.name == first.name) {
        Choice::One(first, asked_by)
    } else {
        Choice::Several
    }
}

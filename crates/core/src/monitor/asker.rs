//! Who asks for owners: the thread that captures, or nobody.

use flowner_attribution::capture::{CaptureResolver, Confirmed};
use flowner_attribution::{Lookup, LookupRequest, Ownership, Token};

use crate::engine::ledger::Claim;

/// What of the service a thread can use.
pub(super) enum Asker<'a> {
    /// Nothing: no owners are looked up, or an answer is written down.
    Nobody,
    /// The thread that captures.
    CaptureResolver(&'a mut CaptureResolver),
}

impl<'a> Asker<'a> {
    pub(super) fn of_resolver(resolver: Option<&'a mut CaptureResolver>) -> Self {
        resolver.map_or(Self::Nobody, Self::CaptureResolver)
    }

    pub(super) fn opened(&mut self, waiter: Token, question: LookupRequest) -> Option<Lookup> {
        match self {
            Self::Nobody => None,
            Self::CaptureResolver(resolver) => Some(resolver.flow_opened(waiter, question)),
        }
    }

    /// Asks whether an owner that was named is the same still.
    pub(super) fn opened_before(
        &mut self,
        waiter: Token,
        question: LookupRequest,
    ) -> Option<Lookup> {
        match self {
            Self::Nobody => None,
            Self::CaptureResolver(resolver) => {
                Some(resolver.resolver().lookup_again(waiter, question))
            }
        }
    }

    pub(super) fn packet_seen(&mut self, waiter: Token, tells: bool) -> Option<Ownership> {
        match self {
            Self::Nobody => None,
            Self::CaptureResolver(resolver) => resolver.packet(waiter, tells),
        }
    }

    /// Whether the owners that a claim names are the same still, by end.
    pub(super) fn confirm(&mut self, claim: &Claim) -> [Confirmed; 2] {
        let Self::CaptureResolver(resolver) = self else {
            return [Confirmed::Unknown; 2];
        };
        claim.ends.each_ref().map(|end| match end {
            Some((query, known)) => resolver.confirm(query, known, claim.since),
            None => Confirmed::Unknown,
        })
    }

    pub(super) fn ended(&mut self, waiter: Token) {
        match self {
            Self::Nobody => {}
            Self::CaptureResolver(resolver) => resolver.flow_ended(waiter),
        }
    }

    /// The answers that came, or are found now, for flows of earlier packets.
    pub(super) fn poll_pending(&mut self) -> Vec<(Token, Ownership)> {
        match self {
            Self::Nobody => Vec::new(),
            Self::CaptureResolver(resolver) => resolver.poll_pending(),
        }
    }
}

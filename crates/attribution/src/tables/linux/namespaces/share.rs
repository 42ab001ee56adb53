//! Chooses the namespaces to open, if there are more than descriptors for them. Pure.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The priority of a namespace among those of the same user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// It is open, and was opened or queried recently.
    InUse,
    /// It is not open.
    Waiting,
    /// It is open, and no query has needed it for a while.
    Idle,
}

/// A namespace that may be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<I> {
    pub(super) id: I,
    /// The user who made it, if known.
    pub(super) user: Option<u32>,
    pub(super) claim: Claim,
}

/// Chooses at most `most` of them: an equal number for each user, as far as they have that many, so
/// that one user's namespaces do not displace another's. Of each user's, it takes those with the
/// highest priority; among equals, those that come first.
pub(super) fn choose<I: Copy + Eq + Hash>(mut all: Vec<Candidate<I>>, most: usize) -> HashSet<I> {
    all.sort_by_key(|candidate| candidate.claim);
    let mut of_user: HashMap<Option<u32>, usize> = HashMap::new();
    let mut ranked: Vec<(usize, Candidate<I>)> = Vec::with_capacity(all.len());
    for candidate in all {
        let before = of_user.entry(candidate.user).or_default();
        ranked.push((*before, candidate));
        *before += 1;
    }
    ranked.sort_by_key(|(rank, candidate)| (*rank, candidate.claim));
    let chosen = ranked.into_iter().take(most);
    chosen.map(|(_, candidate)| candidate.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(id: u32, user: u32, claim: Claim) -> Candidate<u32> {
        Candidate {
            id,
            user: Some(user),
            claim,
        }
    }

    #[test]
    fn a_user_with_many_does_not_displace_others() {
        let flood = (0..400).map(|id| candidate(id, 1_000, Claim::InUse));
        let others = (400..408).map(|id| candidate(id, 0, Claim::Waiting));
        let chosen = choose(flood.chain(others).collect(), 16);
        assert_eq!(chosen.len(), 16);
        assert!((400..408).all(|id| chosen.contains(&id)), "{chosen:?}");
    }

    #[test]
    fn idle_namespaces_give_way_to_waiting_ones_and_used_ones_do_not() {
        let all = vec![
            candidate(1, 0, Claim::Idle),
            candidate(2, 0, Claim::InUse),
            candidate(3, 0, Claim::Waiting),
        ];
        assert_eq!(choose(all, 2), HashSet::from([2, 3]));
    }

    proptest! {
        #[test]
        fn shares_are_fair_and_whole(
            users in prop::collection::vec(0_u32..5, 0..60),
            most in 0_usize..40,
        ) {
            let all: Vec<_> = (0..).zip(&users).map(|(id, user)| {
                let claim = [Claim::InUse, Claim::Waiting, Claim::Idle][id as usize % 3];
                candidate(id, *user, claim)
            }).collect();
            let chosen = choose(all.clone(), most);
            prop_assert_eq!(chosen.len(), most.min(all.len()));
            // A user with a skipped namespace has no fewer open ones than any other, minus one.
            for user in 0..5 {
                let of = |user: u32| all.iter().filter(move |one| one.user == Some(user));
                let has = |user| of(user).filter(|one| chosen.contains(&one.id)).count();
                if has(user) < of(user).count() {
                    let richest = (0..5).map(has).max().unwrap_or_default();
                    prop_assert!(has(user) + 1 >= richest);
                }
            }
        }
    }
}

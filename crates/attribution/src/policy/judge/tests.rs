use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::policy::fuzzing::contests;

/// Requests; whether each one leaves again; and whether it gets its answer at once.
fn questions() -> impl Strategy<Value = Vec<(LookupRequest, bool, bool)>> {
    let initiator = prop_oneof![
        Just(Initiator::Local),
        Just(Initiator::Remote),
        Just(Initiator::Unknown)
    ];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    let question = (
        protocol,
        1..3_u8,
        1..3_u16,
        1..4_u16,
        initiator,
        any::<(bool, bool)>(),
    )
        .prop_map(
            |(protocol, ip, port, remote, initiator, (leaves, is_known))| {
                let local = ([10, 0, 0, ip], port).into();
                let remote = ([192, 0, 2, 1], remote).into();
                let question = LookupRequest {
                    query: SocketQuery::new(protocol, local, Some(remote)),
                    packet_time: SystemTime::UNIX_EPOCH,
                    initiator,
                };
                (question, leaves, is_known)
            },
        );
    proptest::collection::vec(question, 1..40)
}

proptest! {
    /// The result equals a comparison with every waiting request.
    #[test]
    fn nothing_else_than_one_by_one(questions in questions(), tells in any::<bool>()) {
        let mut rivals = Rivals::default();
        let mut waiting: Vec<(LookupRequest, Number, Option<Match>)> = Vec::new();
        for (question, leaves, is_known) in questions {
            let same = waiting.iter().map(|(older, ..)| older);
            let same: Vec<LookupRequest> =
                same.filter(|older| older.query == question.query).copied().collect();
            let earlier = rivals.contested_by_earlier(&question, same.iter(), tells);
            let one_by_one = waiting.iter();
            let one_by_one = one_by_one.map(|(older, ..)| contests(&question, older, tells));
            let one_by_one = one_by_one.max().flatten();
            let expected = one_by_one.filter(|_| question.query.protocol() == Protocol::Tcp);
            prop_assert_eq!(earlier, expected);
            for (older, _, contested) in &mut waiting {
                *contested = (*contested).max(contests(&question, older, tells));
            }
            if is_known {
                // The request gets its answer at once.
                rivals.note(&question);
            } else {
                let number = rivals.add(&question);
                waiting.push((question, number, None));
            }
            for (question, number, expected) in &waiting {
                let contested = rivals.contested_by_later(question, *number, tells);
                prop_assert_eq!(contested, *expected);
            }
            if leaves && !waiting.is_empty() {
                let (gone, ..) = waiting.swap_remove(waiting.len() / 2);
                rivals.remove(&gone);
            }
            rivals.check(waiting.iter().map(|(question, ..)| question));
        }
    }
}

//! What is true of messages, and what an observer made of them: each message counts, so that
//! the bytes of a flow that changes hands are judged one by one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;

use super::truth::{Answer, Outcome, Worth};

/// Bytes of each message's payload.
pub(crate) const MESSAGE: usize = 1_000;
const MESSAGE_BYTES: u64 = MESSAGE as u64;

/// Who sends from one end to another: protocol, sender, receiver.
pub(crate) type Way = (String, SocketAddr, SocketAddr);

/// Messages that one process sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) way: Way,
    /// `None` for frames that no process of the observed host sent.
    pub(crate) pid: Option<u32>,
    pub(crate) messages: u64,
}

/// What an observer said of the bytes that went one way in one flow.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) way: Way,
    pub(crate) answer: Answer,
    /// Payload bytes.
    pub(crate) bytes: u64,
}

/// Judges every message; `uid` is the user of the processes.
pub(crate) fn judge(sent: &[Sent], seen: &[Seen], uid: u32) -> Vec<Outcome> {
    let mut ways: BTreeMap<&Way, Vec<&Sent>> = BTreeMap::new();
    for one in sent {
        ways.entry(&one.way).or_default().push(one);
    }
    let mut outcomes = Vec::new();
    for (way, sent) in ways {
        // What arrives is received, wherever it claims to come from.
        let claimed = (way.0.clone(), way.2, way.1);
        let is_claimed = sent.iter().any(|one| one.pid.is_none());
        let is_it = |seen: &&Seen| seen.way == *way || (is_claimed && seen.way == claimed);
        let seen: Vec<&Seen> = seen.iter().filter(is_it).collect();
        let words = format!("{way:?}: sent {sent:?}, seen {seen:?}");
        let expected: u64 = sent.iter().map(|one| one.messages).sum();
        let mut counted = 0;
        for (worth, bytes) in worths(&sent, &seen, uid) {
            // A single byte too many is a wrong message.
            let messages = bytes.div_ceil(MESSAGE_BYTES);
            counted += messages;
            let outcome = || Outcome {
                is_server: false,
                worth: worth.clone(),
                words: words.clone(),
            };
            outcomes.extend((0..messages).map(|_| outcome()));
        }
        let missing = (counted..expected).map(|_| Outcome {
            is_server: false,
            worth: Worth::Missing,
            words: words.clone(),
        });
        outcomes.extend(missing);
    }
    outcomes
}

/// What the bytes of one way are worth.
fn worths(sent: &[&Sent], seen: &[&Seen], uid: u32) -> Vec<(Worth, u64)> {
    let mut truth: HashMap<u32, u64> = HashMap::new();
    for one in sent {
        if let Some(pid) = one.pid {
            *truth.entry(pid).or_default() += one.messages * MESSAGE_BYTES;
        }
    }
    let senders: HashSet<u32> = truth.keys().copied().collect();
    let mut credited: HashMap<u32, u64> = HashMap::new();
    let mut worths = Vec::new();
    for seen in seen.iter().filter(|seen| seen.bytes > 0) {
        let worth = match &seen.answer {
            Answer::Named(pids) => {
                if let [pid] = pids[..] {
                    *credited.entry(pid).or_default() += seen.bytes;
                    continue;
                }
                if pids.iter().any(|pid| senders.contains(pid)) {
                    Worth::Shared
                } else {
                    Worth::Wrong
                }
            }
            Answer::Partial(Some(user)) if *user != uid => Worth::Wrong,
            Answer::Partial(_) => Worth::Partial,
            Answer::Unknown(reason) => Worth::Unknown(reason.clone()),
        };
        worths.push((worth, seen.bytes));
    }
    for (pid, bytes) in credited {
        let right = bytes.min(truth.get(&pid).copied().unwrap_or(0));
        worths.push((Worth::Named, right));
        worths.push((Worth::Wrong, bytes - right));
    }
    worths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way {
        let ends = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().unwrap());
        ("udp".to_owned(), ends[0], ends[1])
    }

    #[track_caller]
    fn check(sent: &[(Option<u32>, u64)], seen: &[(&str, u64)], expected: &[(Worth, usize)]) {
        let sent: Vec<Sent> = sent
            .iter()
            .map(|(pid, messages)| Sent {
                way: way(),
                pid: *pid,
                messages: *messages,
            })
            .collect();
        let seen: Vec<Seen> = seen
            .iter()
            .map(|(answer, bytes)| Seen {
                way: way(),
                answer: answer.parse().unwrap(),
                bytes: *bytes,
            })
            .collect();
        let mut counts: BTreeMap<Worth, usize> = BTreeMap::new();
        for outcome in judge(&sent, &seen, 0) {
            *counts.entry(outcome.worth).or_default() += 1;
        }
        assert_eq!(counts, expected.iter().cloned().collect());
    }

    #[test]
    fn each_message_is_judged() {
        let alice_and_mallory = [(Some(1), 3), (Some(2), 5)];
        check(
            &alice_and_mallory,
            &[("named:1", 3_000), ("named:2", 5_000)],
            &[(Worth::Named, 8)],
        );
        // All bytes with whom it began.
        check(
            &alice_and_mallory,
            &[("named:1", 8_000)],
            &[(Worth::Named, 3), (Worth::Wrong, 5)],
        );
        check(
            &alice_and_mallory,
            &[
                ("named:1", 3_000),
                ("named:1,2", 1_000),
                ("unknown:gone", 4_000),
            ],
            &[
                (Worth::Named, 3),
                (Worth::Shared, 1),
                (Worth::Unknown("gone".to_owned()), 4),
            ],
        );
        check(
            &[(Some(1), 2)],
            &[("named:1", 1_000)],
            &[(Worth::Named, 1), (Worth::Missing, 1)],
        );
    }

    #[test]
    fn what_no_process_sent_is_nobodys() {
        check(&[(None, 2)], &[("named:1", 2_000)], &[(Worth::Wrong, 2)]);
        check(
            &[(None, 2), (Some(1), 1)],
            &[("named:1", 1_000), ("unknown:not-sent-here", 2_000)],
            &[
                (Worth::Named, 1),
                (Worth::Unknown("not-sent-here".to_owned()), 2),
            ],
        );
    }
}

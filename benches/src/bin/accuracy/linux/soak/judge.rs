//! What is true beside what the lines say: names, message by message, and sums.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::watched::{Counted, Line};
use crate::platform::bytes::{self, MESSAGE, Seen, Sent, Way};
use crate::platform::told::Told;
use crate::platform::truth::{Answer, HeldBy, Truth, Worth, judge};

/// The user of all processes.
const ROOT: u32 = 0;
/// Lines of a header without options, and the options of TCP on Linux (time stamps).
const UDP_HEADER: u64 = 8;
const TCP_HEADER: u64 = 32;
/// So many wrong answers are described in words.
const MOST_WORDS: usize = 50;

/// What one or several processes of one kind of load wrote down.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) told: Vec<Told>,
    /// Whether the capture must have each message: no device was down.
    pub(super) is_exact: bool,
}

/// What all was worth.
#[derive(Debug, Default)]
pub(super) struct Score {
    counts: BTreeMap<Worth, u64>,
    /// One of several processes was named that held a socket together. What an answer promises
    /// leaves that open, for what is sent through a socket that was just passed on.
    pub(super) one_of_several: u64,
    /// Messages that left and were not captured, or were counted more often than they were sent.
    pub(super) unfit: u64,
    /// What was wrong, in words.
    pub(super) words: Vec<String>,
}

impl Score {
    pub(super) fn count(&self, worth: &Worth) -> u64 {
        self.counts.get(worth).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(super) fn unknown(&self) -> String {
        let unknown = self.counts.iter().filter_map(|(worth, count)| match worth {
            Worth::Unknown(reason) => Some(format!("{count} {reason}")),
            _ => None,
        });
        unknown.collect::<Vec<_>>().join(", ")
    }

    fn add(&mut self, worth: Worth, words: impl FnOnce() -> String) {
        if worth == Worth::Wrong && self.words.len() < MOST_WORDS {
            let words = words();
            // Messages of one flow have the same.
            if self.words.last() != Some(&words) {
                self.words.push(words);
            }
        }
        *self.counts.entry(worth).or_default() += 1;
    }
}

/// What is not judged yet.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Ends that exist all the time, with their owners: no process of the watched host holds those of
    /// others.
    servers: HashMap<(String, SocketAddr), Vec<u32>>,
    ends: HashMap<Way, Vec<HeldBy>>,
    sent: HashMap<Way, (Vec<Sent>, bool)>,
    seen: HashMap<Way, Vec<Seen>>,
    /// The judged ways, of which more packets may be captured.
    judged: HashMap<Way, Vec<HeldBy>>,
    pub(super) score: Score,
    pub(super) lines: u64,
    pub(super) counted: Counted,
}

impl Judge {
    pub(super) fn serves(&mut self, protocol: &str, at: SocketAddr, pids: Vec<u32>) {
        self.servers.insert((protocol.to_owned(), at), pids);
    }

    /// Takes down what is true.
    pub(super) fn told(&mut self, batch: Batch) {
        for told in batch.told {
            match told {
                // Servers are known.
                Told::End(Truth {
                    protocol,
                    local,
                    remote,
                    is_server: false,
                    held_by,
                }) => {
                    let way = (protocol, local, remote);
                    self.ends.entry(way).or_default().push(held_by);
                }
                Told::Sent(sent) => {
                    let entry = self.sent.entry(sent.way.clone());
                    let (all, is_exact) = entry.or_insert_with(|| (Vec::new(), true));
                    all.push(sent);
                    *is_exact &= batch.is_exact;
                }
                Told::End(_) | Told::Other => {}
            }
        }
    }

    /// Takes down what a line says; `header` is what each frame begins with.
    pub(super) fn line(&mut self, line: Line, header: u64) {
        self.lines += 1;
        self.counted += line.sent;
        self.counted += line.received;
        let Line {
            protocol,
            local,
            remote,
            owner,
            remote_owner,
            sent,
            received,
        } = line;
        let mut end = |from, to, answer: Answer, counted: Counted| {
            if let Some(pids) = self.servers.get(&(protocol.clone(), from)) {
                if let Answer::Named(named) = answer {
                    let is_right = named.iter().all(|pid| pids.contains(pid));
                    let worth = if is_right { Worth::Named } else { Worth::Wrong };
                    self.score.add(worth, || {
                        format!("{protocol} {from} is of {pids:?}, named: {named:?}")
                    });
                }
                return;
            }
            let way = (protocol.clone(), from, to);
            self.seen.entry(way.clone()).or_default().push(Seen {
                bytes: payload(&way, counted, header),
                way,
                answer,
            });
        };
        end(local, remote, owner, sent);
        end(remote, local, remote_owner, received);
    }

    /// Judges what is complete.
    pub(super) fn settle(&mut self) {
        let is_seen = |way: &Way| self.seen.contains_key(way);
        let ends: Vec<Way> = self
            .ends
            .keys()
            .filter(|way| is_seen(way))
            .cloned()
            .collect();
        for way in ends {
            self.settle_end(&way);
        }
        let complete = |(way, (sent, _)): &(&Way, &(Vec<Sent>, bool))| {
            let seen = self.seen.get(*way).map_or(&[][..], Vec::as_slice);
            let seen: u64 = seen.iter().map(|seen| seen.bytes).sum();
            seen >= messages(sent) * MESSAGE as u64
        };
        let ways: Vec<Way> = self
            .sent
            .iter()
            .filter(complete)
            .map(|(way, _)| way.clone())
            .collect();
        for way in ways {
            self.settle_sent(&way);
        }
    }

    fn settle_end(&mut self, way: &Way) {
        let (Some(ends), Some(seen)) = (self.ends.remove(way), self.seen.remove(way)) else {
            return;
        };
        let judged = self.judged.entry(way.clone()).or_default();
        judged.extend(ends);
        for seen in seen {
            if is_one_of_several(judged, &seen.answer) {
                self.score.one_of_several += 1;
                continue;
            }
            let worth = best(judged, &seen.answer);
            self.score.add(worth, || {
                format!("{way:?} is of {judged:?}: {:?}", seen.answer)
            });
        }
    }

    fn settle_sent(&mut self, way: &Way) {
        let Some((sent, is_exact)) = self.sent.remove(way) else {
            return;
        };
        let seen = self.seen.remove(way).unwrap_or_default();
        let bytes: u64 = seen.iter().map(|seen| seen.bytes).sum();
        let is_fit = bytes == messages(&sent) * MESSAGE as u64;
        if (is_exact || bytes > messages(&sent) * MESSAGE as u64) && !is_fit {
            self.score.unfit += 1;
            if self.score.words.len() < MOST_WORDS {
                let words = format!("{way:?}: does not fit: sent {sent:?}, seen {seen:?}");
                self.score.words.push(words);
            }
        }
        for outcome in bytes::judge(&sent, &seen, ROOT) {
            if outcome.worth == Worth::Missing && !is_exact {
                continue;
            }
            self.score.add(outcome.worth, || outcome.words);
        }
        self.judged.entry(way.clone()).or_default();
    }

    /// Judges the rest, of which nothing more comes.
    pub(super) fn finish(&mut self) {
        self.settle();
        let ways: Vec<Way> = self.sent.keys().cloned().collect();
        for way in ways {
            self.settle_sent(&way);
        }
        for way in std::mem::take(&mut self.ends).into_keys() {
            self.score.unfit += 1;
            self.score.add(Worth::Missing, String::new);
            self.score.words.push(format!("{way:?}: no line"));
        }
        for (way, seen) in std::mem::take(&mut self.seen) {
            for seen in seen {
                let worth = match (self.judged.get(&way), &seen.answer) {
                    (Some(held_by), answer) if !held_by.is_empty() => best(held_by, answer),
                    (Some(_), _) if seen.bytes == 0 => continue,
                    // More than the process sent, or a process that recorded nothing.
                    (_, Answer::Named(_)) => Worth::Wrong,
                    _ => continue,
                };
                self.score
                    .add(worth, || format!("{way:?}, of which nobody told: {seen:?}"));
            }
        }
    }
}

fn is_one_of_several(held_by: &[HeldBy], answer: &Answer) -> bool {
    let is_it = |pid| {
        held_by
            .iter()
            .any(|it| it.always.len() > 1 && it.always.contains(pid))
    };
    matches!(answer, Answer::Named(pids) if matches!(&pids[..], [pid] if is_it(pid)))
}

/// What an answer is worth where the port was picked by several, one after the other.
fn best(held_by: &[HeldBy], answer: &Answer) -> Worth {
    let worths = held_by.iter().map(|one| judge(one, answer, ROOT));
    worths.min().unwrap_or(Worth::Wrong)
}

fn messages(sent: &[Sent]) -> u64 {
    sent.iter().map(|sent| sent.messages).sum()
}

/// The payload of frames, where that of TCP is whole messages.
fn payload(way: &Way, counted: Counted, header: u64) -> u64 {
    let ip = if way.1.is_ipv4() { 20 } else { 40 };
    let is_tcp = way.0 == "tcp";
    let transport = if is_tcp { TCP_HEADER } else { UDP_HEADER };
    let headers = counted.packets * (header + ip + transport);
    let payload = counted.bytes.saturating_sub(headers);
    if !is_tcp {
        return payload;
    }
    // The first segment has more options, and a reset has none.
    let message = MESSAGE as u64;
    (payload + message / 2) / message * message
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: u64 = 20;

    fn line(owner: &str, messages: u64) -> Line {
        Line {
            protocol: "udp".to_owned(),
            local: "10.0.0.1:1".parse().unwrap(),
            remote: "10.0.0.2:2".parse().unwrap(),
            owner: owner.parse().unwrap(),
            remote_owner: "unknown:nobody-asked".parse().unwrap(),
            sent: Counted {
                packets: messages,
                bytes: messages * (HEADER + 28 + MESSAGE as u64),
            },
            received: Counted::default(),
        }
    }

    fn judged(told: &[&str], lines: Vec<Line>) -> (u64, u64, u64) {
        let mut judge = Judge::default();
        judge.serves("udp", "10.0.0.2:2".parse().unwrap(), vec![9]);
        judge.told(Batch {
            told: told.iter().map(|line| line.parse().unwrap()).collect(),
            is_exact: true,
        });
        for line in lines {
            judge.line(line, HEADER);
            judge.settle();
        }
        judge.finish();
        let score = judge.score;
        let [named, wrong] = [Worth::Named, Worth::Wrong].map(|worth| score.count(&worth));
        (named, wrong, score.unfit)
    }

    #[test]
    fn each_message_is_judged_and_counted() {
        let two = [
            "sent udp 10.0.0.1:1 10.0.0.2:2 7 3",
            "sent udp 10.0.0.1:1 10.0.0.2:2 8 5",
        ];
        let lines = || vec![line("named:7", 3), line("named:8", 5)];
        assert_eq!(judged(&two, lines()), (8, 0, 0));
        assert_eq!(judged(&two, vec![line("named:7", 8)]), (3, 5, 0));
        assert_eq!(judged(&two, vec![line("named:7", 3)]), (3, 0, 1));
        let mut more = lines();
        more.push(line("named:8", 1));
        assert_eq!(judged(&two, more), (8, 1, 0));
    }

    #[test]
    fn a_name_needs_a_truth() {
        assert_eq!(judged(&[], vec![line("named:7", 1)]), (0, 1, 0));
        assert_eq!(judged(&[], vec![line("unknown:gone", 1)]), (0, 0, 0));
    }

    #[test]
    fn servers_are_known() {
        let mut one = line("unknown:gone", 1);
        one.remote_owner = "named:9".parse().unwrap();
        assert_eq!(judged(&[], vec![one]), (1, 0, 0));
        let mut one = line("unknown:gone", 1);
        one.remote_owner = "named:8".parse().unwrap();
        assert_eq!(judged(&[], vec![one]), (0, 1, 0));
    }

    #[test]
    fn one_of_several_is_told_apart() {
        let told = ["end client udp 10.0.0.1:1 10.0.0.2:2 7,8"];
        assert_eq!(judged(&told, vec![line("named:7", 1)]), (0, 0, 0));
        assert_eq!(judged(&told, vec![line("named:6", 1)]), (0, 1, 0));
    }

    #[test]
    fn an_exchange_is_of_those_who_held_it() {
        let told = ["end client udp 10.0.0.1:1 10.0.0.2:2 7;8"];
        assert_eq!(judged(&told, vec![line("named:7", 1)]), (1, 0, 0));
        assert_eq!(judged(&told, vec![line("named:6", 1)]), (0, 1, 0));
        assert_eq!(judged(&told, vec![]), (0, 0, 1));
    }
}

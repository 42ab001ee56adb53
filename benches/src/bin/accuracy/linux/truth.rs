//! What is true of one end of a flow, and what an answer is worth beside it.

use std::net::SocketAddr;
use std::str::FromStr;

/// One end of a flow, as the processes wrote it down.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) protocol: String,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) is_server: bool,
    pub(crate) held_by: HeldBy,
}

/// Who held a socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldBy {
    /// For the flow's whole life.
    pub(crate) always: Vec<u32>,
    /// For a part of it.
    pub(crate) sometimes: Vec<u32>,
    /// Not at all, but a socket that fits as well: right where all are named.
    pub(crate) alike: Vec<u32>,
}

impl FromStr for HeldBy {
    type Err = String;

    /// `1,2;3;4`: always, sometimes, alike.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut lists = text.split(';').map(|list| {
            let pids = list.split(',').filter(|pid| !pid.is_empty());
            pids.map(str::parse).collect::<Result<Vec<u32>, _>>()
        });
        let mut next = || lists.next().unwrap_or(Ok(Vec::new()));
        let bad = |_| format!("not a list of holders: {text}");
        Ok(Self {
            always: next().map_err(bad)?,
            sometimes: next().map_err(bad)?,
            alike: next().map_err(bad)?,
        })
    }
}

/// What an observer said of one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Named(Vec<u32>),
    Partial(Option<u32>),
    Unknown(String),
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').ok_or("no answer")?;
        let bad = |_| format!("not an answer: {text}");
        Ok(match kind {
            "named" => {
                let pids = rest.split(',').map(str::parse);
                Self::Named(pids.collect::<Result<_, _>>().map_err(bad)?)
            }
            "partial" => Self::Partial(rest.parse().ok()),
            _ => Self::Unknown(rest.to_owned()),
        })
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    Named,
    Shared,
    Partial,
    Unknown(String),
    /// The flow was not captured.
    Missing,
    Wrong,
}

impl Worth {
    /// Of a connection that was cut in two: one wrong part makes all of it wrong, one that names somebody is
    /// enough else.
    pub(crate) fn with_rest(self, rest: Self) -> Self {
        match (&self, &rest) {
            (Self::Wrong, _) | (Self::Named | Self::Shared | Self::Partial, Self::Unknown(_)) => {
                self
            }
            (_, Self::Wrong) | (Self::Unknown(_) | Self::Missing, _) => rest,
            _ => self,
        }
    }
}

/// Judges an answer; `uid` is the user of the processes.
pub(crate) fn judge(held_by: &HeldBy, answer: &Answer, uid: u32) -> Worth {
    let held = |pid: &u32| held_by.always.contains(pid) || held_by.sometimes.contains(pid);
    match answer {
        Answer::Named(pids) => match &pids[..] {
            // One of several who had it together is not the owner.
            [pid] if held(pid) && held_by.always.len() < 2 => Worth::Named,
            [_] => Worth::Wrong,
            _ => {
                let is_known = |pid: &u32| held(pid) || held_by.alike.contains(pid);
                let all_named = held_by.always.iter().all(|pid| pids.contains(pid));
                if pids.iter().all(is_known) && all_named {
                    Worth::Shared
                } else {
                    Worth::Wrong
                }
            }
        },
        Answer::Partial(Some(user)) if *user == uid => Worth::Partial,
        Answer::Partial(None) => Worth::Partial,
        Answer::Partial(Some(_)) => Worth::Wrong,
        Answer::Unknown(reason) => Worth::Unknown(reason.clone()),
    }
}

/// What came out for one end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) is_server: bool,
    pub(crate) worth: Worth,
    /// Truth and answer, in words.
    pub(crate) words: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(held_by: &str, answer: &str, expected: &Worth) {
        let held_by = held_by.parse().unwrap();
        assert_eq!(&judge(&held_by, &answer.parse().unwrap(), 7), expected);
    }

    #[test]
    fn answers_are_judged() {
        check("1", "named:1", &Worth::Named);
        check("1", "named:2", &Worth::Wrong);
        check("1;2", "named:2", &Worth::Named);
        check("1,2", "named:1", &Worth::Wrong);
        check("1,2", "named:1,2", &Worth::Shared);
        check("1", "named:1,2", &Worth::Wrong);
        check("1;;2", "named:1,2", &Worth::Shared);
        check("1;;2", "named:2", &Worth::Wrong);
        check("1;2", "named:1,2", &Worth::Shared);
        check("1,2;3", "named:2,3", &Worth::Wrong);
        check("1", "partial:7", &Worth::Partial);
        check("1", "partial:0", &Worth::Wrong);
        check("1", "unknown:gone", &Worth::Unknown("gone".to_owned()));
    }
}

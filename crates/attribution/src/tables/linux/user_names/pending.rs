//! The answers of the name service, and the pending requests. Pure: the caller passes in the time.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::policy::freshness::{NO_USER_NAME, USER_NAME};

/// The number of users whose names are kept, and of users that may wait.
const MAX_KEPT: usize = 4_096;
const MAX_PENDING: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Answers {
    kept: HashMap<u32, Answer>,
    /// Users that wait, and the one whose request is under way.
    queue: VecDeque<u32>,
    current: Option<u32>,
}

#[derive(Debug)]
struct Answer {
    name: Option<String>,
    at: Instant,
}

impl Answer {
    fn is_fresh(&self, now: Instant) -> bool {
        let limit = match self.name {
            Some(_) => USER_NAME,
            None => NO_USER_NAME,
        };
        now.saturating_duration_since(self.at) < limit
    }
}

impl Answers {
    /// The name of a user, if the name service has given it recently.
    pub(super) fn name(&self, uid: u32, now: Instant) -> Option<&str> {
        let answer = self.kept.get(&uid).filter(|answer| answer.is_fresh(now))?;
        answer.name.as_deref()
    }

    /// Puts a user on the list, unless there is a fresh answer or no room.
    pub(super) fn ask(&mut self, uid: u32, now: Instant) {
        let is_known = self.kept.get(&uid).is_some_and(|it| it.is_fresh(now));
        if !is_known && !self.is_pending(uid) && self.queue.len() < MAX_PENDING {
            self.queue.push_back(uid);
        }
    }

    pub(super) fn is_any_pending(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty()
    }

    pub(super) fn is_pending(&self, uid: u32) -> bool {
        self.current == Some(uid) || self.queue.contains(&uid)
    }

    /// The next user to request.
    pub(super) fn next(&mut self) -> Option<u32> {
        self.current = self.queue.pop_front();
        self.current
    }

    /// Keeps an answer.
    pub(super) fn answer(&mut self, uid: u32, name: Option<String>, now: Instant) {
        self.current = None;
        if self.kept.len() >= MAX_KEPT {
            self.kept.retain(|_, answer| answer.is_fresh(now));
        }
        // A user who makes so many users in such a short time causes repeated requests.
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        self.kept.insert(uid, Answer { name, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(answers: &mut Answers, now: Instant) -> bool {
        answers.ask(7, now);
        answers.is_pending(7)
    }

    #[test]
    fn answers_are_kept_for_a_while_those_without_a_name_too() {
        for (name, limit) in [(Some("ada".to_owned()), USER_NAME), (None, NO_USER_NAME)] {
            let mut answers = Answers::default();
            let start = Instant::now();
            assert!(request(&mut answers, start));
            assert_eq!(answers.next(), Some(7));
            assert!(answers.is_pending(7), "its request is pending");
            answers.answer(7, name.clone(), start);
            assert!(!request(&mut answers, start + limit / 2));
            assert_eq!(answers.name(7, start + limit / 2), name.as_deref());
            assert_eq!(
                answers.name(7, start + limit),
                None,
                "it may be another user"
            );
            assert!(request(&mut answers, start + limit));
        }
    }

    #[test]
    fn waiting_and_kept_users_are_bounded() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        for uid in 0..10_000 {
            answers.ask(uid, now);
            answers.answer(uid, None, now);
            answers.ask(uid + 1_000_000, now);
            assert!(answers.kept.len() <= MAX_KEPT && answers.queue.len() <= MAX_PENDING);
        }
    }
}

//! Looks at the sockets of new flows, from the capturing thread.

use std::time::Duration;

use flowner_attribution::{Glance, Glanced, Ownership, Question, SocketQuery, Waiter};

/// How long what was put off waits for a packet.
const SOON: Duration = Duration::from_millis(1);
/// Questions that are put off at a time; each of them is asked again with each packet.
const MAX: usize = 64;

/// The way to look, where there is one, and what is put off because somebody is looking.
#[derive(Debug)]
pub(super) struct Glances {
    glance: Option<Box<dyn Glance>>,
    put_off: Vec<PutOff>,
}

/// A question that was not asked yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutOff {
    pub(super) waiter: Waiter,
    pub(super) question: Question,
    /// The flow is over.
    pub(super) is_over: bool,
}

impl Glances {
    pub(super) const fn new(glance: Option<Box<dyn Glance>>) -> Self {
        Self {
            glance,
            put_off: Vec::new(),
        }
    }

    /// Who cannot look.
    pub(super) const fn none() -> Self {
        Self::new(None)
    }

    pub(super) fn prepare(&mut self) {
        if let Some(glance) = &mut self.glance {
            glance.prepare();
        }
    }

    /// What a look tells, with which the question is to be asked; [`Glanced::Later`] if that
    /// is put off.
    pub(super) fn ask(&mut self, waiter: Waiter, question: Question) -> Glanced {
        let Some(glance) = &mut self.glance else {
            return Glanced::Nothing;
        };
        let glanced = glance.glance(&question);
        if glanced != Glanced::Later {
            return glanced;
        }
        if self.put_off.len() >= MAX {
            return Glanced::Nothing;
        }
        self.put_off.push(PutOff {
            waiter,
            question,
            is_over: false,
        });
        Glanced::Later
    }

    /// Who has accepted a connection.
    pub(super) fn closer(&mut self, query: &SocketQuery) -> Option<Ownership> {
        self.glance.as_mut()?.glance_closer(query)
    }

    /// Takes note that a flow is over. False if its question is not put off.
    pub(super) fn end(&mut self, waiter: Waiter) -> bool {
        let mut put_off = self.put_off.iter_mut();
        match put_off.find(|put_off| put_off.waiter == waiter) {
            Some(put_off) => {
                put_off.is_over = true;
                true
            }
            None => false,
        }
    }

    /// What was put off and is to be asked now, with what a look tells; or all of it.
    pub(super) fn settled(&mut self, all: bool) -> Vec<(PutOff, Option<Ownership>)> {
        let Some(glance) = &mut self.glance else {
            return Vec::new();
        };
        let mut settled = Vec::new();
        self.put_off.retain(|put_off| {
            let glanced = glance.glance(&put_off.question);
            if glanced == Glanced::Later && !all {
                return true;
            }
            settled.push((*put_off, glanced.told()));
            false
        });
        settled
    }

    pub(super) const fn has_any_put_off(&self) -> bool {
        !self.put_off.is_empty()
    }

    /// How long a packet may be waited for.
    pub(super) const fn patience(&self) -> Duration {
        if self.has_any_put_off() {
            SOON
        } else {
            Duration::MAX
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::SystemTime;

    use flowner_attribution::{Opened, Protocol, Reason, Source};

    use super::*;

    /// Tells one after the other.
    #[derive(Debug)]
    struct Scripted(VecDeque<Glanced>);

    impl Glance for Scripted {
        fn glance(&mut self, _question: &Question) -> Glanced {
            self.0.pop_front().unwrap_or(Glanced::Later)
        }

        fn glance_closer(&mut self, _query: &SocketQuery) -> Option<Ownership> {
            None
        }
    }

    fn glances(told: impl Into<VecDeque<Glanced>>) -> Glances {
        Glances::new(Some(Box::new(Scripted(told.into()))))
    }

    fn question() -> Question {
        let end = ([127, 0, 0, 1], 1).into();
        Question {
            query: SocketQuery::new(Protocol::Tcp, end, Some(end)),
            seen_at: SystemTime::UNIX_EPOCH,
            opened: Opened::ByUs,
        }
    }

    fn seen() -> Ownership {
        Ownership::unknown(Reason::Kernel, SystemTime::UNIX_EPOCH, Source::Scripted)
    }

    #[test]
    fn what_is_put_off_is_asked_when_it_is_told() {
        let mut glances = glances([Glanced::Later, Glanced::Later, Glanced::Told(seen())]);
        assert_eq!(glances.patience(), Duration::MAX);
        assert_eq!(glances.ask(Waiter(7), question()), Glanced::Later);
        assert_eq!(glances.patience(), SOON);
        assert!(glances.settled(false).is_empty());
        assert!(!glances.end(Waiter(8)));
        assert!(glances.end(Waiter(7)));
        let settled = glances.settled(false);
        let [(put_off, told)] = &settled[..] else {
            panic!("{settled:?}");
        };
        assert_eq!((put_off.waiter, put_off.is_over), (Waiter(7), true));
        assert_eq!(told.as_ref(), Some(&seen()));
        assert_eq!(glances.patience(), Duration::MAX);
        assert!(!glances.end(Waiter(7)));
    }

    #[test]
    fn all_is_asked_at_the_end() {
        let mut glances = glances([]);
        assert_eq!(glances.ask(Waiter(1), question()), Glanced::Later);
        assert_eq!(glances.settled(true).len(), 1);
        assert!(!glances.has_any_put_off());
    }

    #[test]
    fn only_so_many_are_put_off() {
        let mut glances = glances([]);
        for waiter in 0..MAX as u64 {
            assert_eq!(glances.ask(Waiter(waiter), question()), Glanced::Later);
        }
        let more = glances.ask(Waiter(MAX as u64), question());
        assert_eq!(more, Glanced::Nothing);
    }

    #[test]
    fn who_cannot_look_puts_nothing_off() {
        let mut glances = Glances::none();
        assert_eq!(glances.ask(Waiter(1), question()), Glanced::Nothing);
        assert!(glances.settled(true).is_empty());
    }
}

//! Signals with another action than the default one. A platform owes `tell_limits()`, which turns
//! the limit of a file's size into a write error with a message, and `watch()`, which calls a
//! function when the program should end.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod platform;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(unix)]
pub(crate) use platform::end;
pub(crate) use platform::tell_limits;

use crate::error::Failure;

/// A signal this soon after the first one is the same request: `timeout` sends its signal to the
/// process and then to its group.
const AT_ONCE: Duration = Duration::from_millis(250);

/// The request to end the program. The first signal is passed on, and the program ends when it is
/// ready; the second one ends it at once.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
enum State {
    /// None came, and no receiver is set.
    #[default]
    Quiet,
    Awaited(Box<dyn FnOnce() + Send>),
    Came,
}

impl Interrupt {
    /// Catches signals from now on: before any work begins that needs an orderly end.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let interrupt = Self {
            state: Arc::default(),
        };
        let to_tell = interrupt.clone();
        platform::watch(move || to_tell.came()).map_err(|error| {
            Failure::Message(format!(
                "Ctrl-C could not be caught: {error}; allow more processes or files (`ulimit -u`, \
                 `ulimit -n`)"
            ))
        })?;
        Ok(interrupt)
    }

    /// Calls `call` at the first signal; at once, if that came already.
    pub(crate) fn then(&self, call: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Came) {
            drop(state);
            call();
        } else {
            *state = State::Awaited(Box::new(call));
        }
    }

    fn came(&self) {
        let state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Came)
        };
        if let State::Awaited(call) = state {
            call();
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quiet => "Quiet",
            Self::Awaited(_) => "Awaited",
            Self::Came => "Came",
        })
    }
}

/// The time of the first signal that requested the end.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    first: Option<Instant>,
}

/// The meaning of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// End when ready.
    Ask,
    /// The same signal once more.
    Again,
    /// End at once.
    Now,
}

impl Wish {
    /// The meaning of a signal that comes now.
    pub(crate) fn signal(&mut self, now: Instant) -> Meaning {
        match self.first {
            None => {
                self.first = Some(now);
                Meaning::Ask
            }
            Some(first) if now.duration_since(first) < AT_ONCE => Meaning::Again,
            Some(_) => Meaning::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_second_signal_ends_unless_it_is_the_first_one_again() {
        let mut wish = Wish::default();
        let now = Instant::now();
        assert_eq!(wish.signal(now), Meaning::Ask);
        assert_eq!(wish.signal(now), Meaning::Again);
        assert_eq!(wish.signal(now + AT_ONCE), Meaning::Now);
    }

    #[test]
    fn a_signal_that_came_early_is_not_lost() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = |calls: &Arc<AtomicUsize>| {
            let calls = Arc::clone(calls);
            move || {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        let interrupt = Interrupt {
            state: Arc::default(),
        };
        interrupt.came();
        interrupt.then(count(&calls));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        let interrupt = Interrupt {
            state: Arc::default(),
        };
        interrupt.then(count(&calls));
        interrupt.came();
        interrupt.came();
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }
}

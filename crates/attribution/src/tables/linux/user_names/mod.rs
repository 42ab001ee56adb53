//! The names of users: from `/etc/passwd` (passwd(5)) at once, or else from the name service of the
//! system (nsswitch.conf(5)), which also knows the users of LDAP, SSSD and systemd's dynamic users.
//!
//! A module of the name service may send requests over the network, and may hang. So only a
//! dedicated thread calls the name service, and no lookup waits longer for it than [`PATIENCE`].
//! The capture thread never calls it and never waits: it takes the known names. Until a name is
//! known, an owner has only the uid; later answers have the name.
//!
//! A program that contains the C library (`crt-static`, as in most builds for musl) has no name
//! service, because it cannot load the modules. It uses only `/etc/passwd`.

mod passwd;
mod pending;

#[cfg_attr(not(target_feature = "crt-static"), path = "nss.rs")]
#[cfg_attr(target_feature = "crt-static", path = "none.rs")]
mod service;

use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::answer::{Process, User, Verdict};
use passwd::Passwd;
use pending::Answers;

/// How long a lookup waits for the names of users.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2);
/// How long a list of all sockets waits for them.
pub(crate) const LIST_PATIENCE: Duration = Duration::from_millis(50);

/// How long no lookup waits for names after the name service was slower than that.
const REST: Duration = Duration::from_secs(5);

/// The call to the name service: the name of a user, if there is one. It may block.
type Service = fn(u32) -> Option<String>;

/// The names of this system, for all tables of this process.
static OF_SYSTEM: LazyLock<Arc<UserNames>> = LazyLock::new(|| {
    let names = UserNames::new(service::name);
    names.refresh(Instant::now());
    names
});

/// The known names of users.
#[derive(Debug)]
pub(crate) struct UserNames {
    service: Service,
    state: Mutex<State>,
    /// The name service has answered.
    answered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    passwd: Passwd,
    answers: Answers,
    /// Whether a thread is calling the name service.
    is_asking: bool,
    /// Until then no lookup waits.
    rests_until: Option<Instant>,
}

impl UserNames {
    /// The names of this system.
    pub(crate) fn of_system() -> Arc<Self> {
        OF_SYSTEM.refresh(Instant::now());
        Arc::clone(&OF_SYSTEM)
    }

    fn new(service: Service) -> Arc<Self> {
        Arc::new(Self {
            service,
            state: Mutex::default(),
            answered: Condvar::new(),
        })
    }

    /// The name of a user if it is known: this neither reads a file nor waits.
    pub(crate) fn known(&self, uid: u32) -> Option<String> {
        let state = self.state();
        state.name(uid, Instant::now())
    }

    /// The name of a user. Waits for it as a list does.
    pub(crate) fn name(self: &Arc<Self>, uid: u32) -> Option<String> {
        self.known(uid).or_else(|| {
            self.ask(&[uid], LIST_PATIENCE);
            self.known(uid)
        })
    }

    /// Adds the missing names of users to these answers. Waits for unknown ones, at most for
    /// `patience`.
    pub(crate) fn complete<'a>(
        self: &Arc<Self>,
        verdicts: impl IntoIterator<Item = &'a mut Verdict>,
        patience: Duration,
    ) {
        let mut nameless: Vec<_> = verdicts.into_iter().filter(|it| has_nameless(it)).collect();
        if nameless.is_empty() {
            return;
        }
        let mut uids = Vec::new();
        for verdict in &mut nameless {
            each_nameless(verdict, |user| {
                uids.extend(user.uid());
                false
            });
        }
        uids.sort_unstable();
        uids.dedup();
        self.ask(&uids, patience);
        let state = self.state();
        let now = Instant::now();
        for verdict in nameless {
            each_nameless(verdict, |user| {
                user.name = user.uid().and_then(|uid| state.name(uid, now));
                user.name.is_some()
            });
        }
    }

    /// The same for one process.
    pub(crate) fn complete_process(
        self: &Arc<Self>,
        process: Process,
        patience: Duration,
    ) -> Process {
        let mut verdict = Verdict::Process(Arc::new(process.clone()));
        self.complete([&mut verdict], patience);
        match verdict {
            Verdict::Process(named) => Arc::unwrap_or_clone(named),
            _ => process,
        }
    }

    /// Requests the names of unknown users from the name service, and waits for them.
    fn ask(self: &Arc<Self>, uids: &[u32], patience: Duration) {
        let began = Instant::now();
        self.refresh(began);
        let mut state = self.state();
        for uid in uids {
            if state.passwd.name(*uid).is_none() {
                state.answers.ask(*uid, began);
            }
        }
        if !state.answers.is_any_pending() {
            return;
        }
        if !state.is_asking {
            let names = Arc::clone(self);
            let thread = std::thread::Builder::new().name("flowner-users".to_owned());
            match thread.spawn(move || names.work()) {
                Ok(_) => state.is_asking = true,
                Err(error) => {
                    tracing::debug!(%error, "users have no names: no thread can be started");
                    return;
                }
            }
        }
        let is_resting = state.rests_until.is_some_and(|until| began < until);
        if patience.is_zero() || is_resting {
            return;
        }
        let is_pending = |state: &mut State| uids.iter().any(|uid| state.answers.is_pending(*uid));
        let waited = self
            .answered
            .wait_timeout_while(state, patience, is_pending);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            state.rests_until = Some(Instant::now() + REST);
        }
    }

    /// Requests the names of all waiting users from the name service, then ends.
    fn work(&self) {
        let ends = OnEnd(self);
        let mut state = self.state();
        while let Some(uid) = state.answers.next() {
            drop(state);
            let name = (self.service)(uid);
            state = self.state();
            state.answers.answer(uid, name, Instant::now());
            self.answered.notify_all();
        }
        // The next caller starts another thread.
        state.is_asking = false;
        drop(state);
        drop(ends);
    }

    /// Reads `/etc/passwd` again if it has changed. Checks this once a second at most.
    fn refresh(&self, now: Instant) {
        let known = {
            let passwd = &mut self.state().passwd;
            if !passwd.take_due(now) {
                return;
            }
            passwd.changed()
        };
        if let Some(read) = Passwd::read(known, now) {
            self.state().passwd = read;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(&self, uid: u32, now: Instant) -> Option<String> {
        let name = self.passwd.name(uid);
        name.or_else(|| self.answers.name(uid, now))
            .map(str::to_owned)
    }
}

/// If the thread panics, the next request starts another one.
struct OnEnd<'a>(&'a UserNames);

impl Drop for OnEnd<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().is_asking = false;
            self.0.answered.notify_all();
        }
    }
}

const fn is_nameless(user: Option<&User>) -> bool {
    matches!(user, Some(user) if user.name.is_none())
}

fn has_nameless(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Process(process) => is_nameless(process.user.as_ref()),
        Verdict::Shared(processes) => {
            let mut users = processes.iter().map(|process| process.user.as_ref());
            users.any(is_nameless)
        }
        Verdict::Partial { user, .. } => is_nameless(user.as_ref()),
        Verdict::Unknown(_) => false,
    }
}

/// Calls `change` with each user without a name, in a copy of its process. The copy replaces the
/// process if `change` returns true.
fn each_nameless(verdict: &mut Verdict, mut change: impl FnMut(&mut User) -> bool) {
    let mut in_process = |process: &mut Arc<Process>| {
        let mut user = process.user.clone();
        if let Some(user) = user.as_mut().filter(|user| user.name.is_none())
            && change(user)
        {
            Arc::make_mut(process).user = Some(user.clone());
        }
    };
    match verdict {
        Verdict::Process(process) => in_process(process),
        Verdict::Shared(processes) => processes.iter_mut().for_each(in_process),
        Verdict::Partial { user, .. } => {
            if let Some(user) = user.as_mut().filter(|user| user.name.is_none()) {
                change(user);
            }
        }
        Verdict::Unknown(_) => {}
    }
}

#[cfg(test)]
mod tests;

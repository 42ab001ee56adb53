//! Reverse lookups: a server's name for an address, if the user wants that.
//!
//! A lookup makes traffic, and shows a server the addresses on the user's screen. Nothing here runs
//! unless a program starts it.

mod queue;
mod system;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use queue::Queue;
pub use queue::{Answer, Options, Statistics};

/// Asks for the name of an address. It may wait for as long as the system's resolver does.
type Ask = dyn Fn(IpAddr) -> Option<String> + Send + Sync;

/// A bounded pool of threads that ask the system's resolver (`getnameinfo`: hosts file, mDNS, DNS,
/// as the system is set up).
///
/// [`wanted`](Self::wanted) sets the addresses on the screen, and [`answer`](Self::answer) reads the
/// known names; neither waits. An address that leaves the screen before its lookup is not looked up. The
/// pool keeps answers for a while, also those without a name.
///
/// A drop does not wait for lookups under way, because a program cannot interrupt the system's resolver.
pub struct ReverseLookups {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something was asked for, or it ends.
    news: Condvar,
}

impl fmt::Debug for ReverseLookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReverseLookups")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

impl ReverseLookups {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(options: Options) -> std::io::Result<Self> {
        Self::with(options, &(Arc::new(system::name_of) as Arc<Ask>))
    }

    fn with(options: Options, ask: &Arc<Ask>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::new(options)),
            news: Condvar::new(),
        });
        let mut lookups = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        for _ in 0..options.threads.max(1) {
            let (shared, ask) = (Arc::clone(&shared), Arc::clone(ask));
            let thread = std::thread::Builder::new()
                .name("flowner-reverse".to_owned())
                .spawn(move || work(&shared, &*ask))?;
            lookups.threads.push(thread);
        }
        Ok(lookups)
    }

    /// Sets the addresses on the screen, the most important one first. Earlier ones that are not among
    /// them leave the queue. Addresses that belong to no public or local network, such as multicast, are
    /// never looked up.
    pub fn wanted(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        lock(&self.shared.queue).want(addresses, Instant::now());
        self.shared.news.notify_all();
    }

    /// The known answer for an address.
    #[must_use]
    pub fn answer(&self, address: IpAddr) -> Answer {
        lock(&self.shared.queue).answer(address, Instant::now())
    }

    /// The numbers of lookups, answers and dropped addresses so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        lock(&self.shared.queue).statistics()
    }
}

impl Drop for ReverseLookups {
    fn drop(&mut self) {
        lock(&self.shared.queue).end();
        self.shared.news.notify_all();
    }
}

/// Looks up one address after the other, until the pool ends.
fn work(shared: &Shared, ask: &Ask) {
    let mut queue = lock(&shared.queue);
    while !queue.is_over() {
        match queue.take(Instant::now()) {
            queue::Next::Ask(address) => {
                drop(queue);
                let name = ask(address);
                queue = lock(&shared.queue);
                queue.answered(address, name, Instant::now());
            }
            queue::Next::Later(pause) => queue = wait(shared, queue, pause),
            queue::Next::Nothing => {
                queue = shared
                    .news
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

fn wait<'a>(
    shared: &'a Shared,
    queue: MutexGuard<'a, Queue>,
    pause: Duration,
) -> MutexGuard<'a, Queue> {
    let waited = shared.news.wait_timeout(queue, pause);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// A thread that panicked left the queue whole: each change of it is one call.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Until it is so, or a deadline passes.
    fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn names_come_from_other_threads() {
        let ask = |address: IpAddr| (address == ip("192.0.2.1")).then(|| "one.example".to_owned());
        let ask: Arc<Ask> = Arc::new(ask);
        let lookups = ReverseLookups::with(Options::default(), &ask).unwrap();
        assert_eq!(lookups.answer(ip("192.0.2.1")), Answer::Unknown);
        lookups.wanted([ip("192.0.2.1"), ip("192.0.2.2")]);
        wait_for("a name", || {
            lookups.answer(ip("192.0.2.1")) == Answer::Name("one.example".to_owned())
        });
        wait_for("no name", || {
            lookups.answer(ip("192.0.2.2")) == Answer::NoName
        });
        assert_eq!(lookups.statistics().asked, 2);
    }

    #[test]
    fn a_resolver_that_hangs_keeps_nobody_waiting() {
        let (began, begins) = channel();
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let ask = move |_: IpAddr| {
            began.send(()).unwrap();
            let _over = released.lock().unwrap().recv();
            None
        };
        let options = Options {
            threads: 1,
            ..Options::default()
        };
        let ask: Arc<Ask> = Arc::new(ask);
        let lookups = ReverseLookups::with(options, &ask).unwrap();
        lookups.wanted([ip("192.0.2.1")]);
        begins.recv_timeout(Duration::from_secs(20)).unwrap();
        // Another one waits behind it, and is shown no more.
        lookups.wanted([ip("192.0.2.2")]);
        lookups.wanted([]);
        assert_eq!(lookups.answer(ip("192.0.2.2")), Answer::Unknown);
        assert_eq!(lookups.statistics().cancelled, 1);
        let before = Instant::now();
        drop(lookups);
        assert!(before.elapsed() < Duration::from_secs(10));
        drop(release);
    }

    /// The hosts file has it on every system.
    #[test]
    fn the_system_knows_this_host() {
        let name = system::name_of(ip("127.0.0.1"));
        assert!(name.is_some_and(|name| name.starts_with("localhost")));
        assert_eq!(system::name_of(ip("fe80::1234:5678")), None);
    }
}

//! Signals of Unix (signal(7)).

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use super::{Meaning, Wish};

/// By default, SIGXFSZ ends who writes past `ulimit -f` without a word; caught, the write fails
/// with EFBIG (setrlimit(2)).
pub(crate) fn tell_limits() {
    let nobody_asks = Arc::new(AtomicBool::new(false));
    // Where it cannot be caught, the program ends as any other would.
    let _best_effort = signal_hook::flag::register(SIGXFSZ, nobody_asks);
}

/// Calls `ask` when the program is to end. Asked again, it ends, though another thread may wait
/// for ever, such as for somebody who reads what it writes.
pub(super) fn watch(ask: impl Fn() + Send + 'static) -> io::Result<()> {
    // The thread is there before a signal is caught.
    let (begin, begins) = std::sync::mpsc::sync_channel::<Signals>(1);
    std::thread::Builder::new()
        .name("flowner-signals".to_owned())
        .spawn(move || {
            let mut wish = Wish::default();
            let mut signals = begins.into_iter();
            for signal in signals.next().iter_mut().flat_map(Signals::forever) {
                match wish.signal(Instant::now()) {
                    Meaning::Ask => ask(),
                    Meaning::Again => {}
                    Meaning::Now => end(signal),
                }
            }
        })?;
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    // It waits for this.
    let _sent = begin.send(signals);
    Ok(())
}

/// Ends the program as a signal does that is not caught.
pub(crate) fn end(signal: i32) {
    let _ended = low_level::emulate_default_handler(signal);
    low_level::exit(128 + signal);
}

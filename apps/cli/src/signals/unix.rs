//! Signals of Unix (signal(7)).

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use super::{Meaning, Wish};

/// By default, SIGXFSZ ends a program that writes past `ulimit -f` without a message. If it is
/// caught, the write fails with EFBIG (setrlimit(2)).
pub(crate) fn tell_limits() {
    let unused = Arc::new(AtomicBool::new(false));
    // If it cannot be caught, the program ends as any other would.
    let _best_effort = signal_hook::flag::register(SIGXFSZ, unused);
}

/// Calls `ask` when the program should end. At the second request, it ends, though another thread
/// may wait for ever, such as for a reader of its output.
pub(super) fn watch(ask: impl Fn() + Send + 'static) -> io::Result<()> {
    // The thread exists before a signal is caught.
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
    // The thread waits for this.
    let _sent = begin.send(signals);
    Ok(())
}

/// Ends the program as an uncaught signal does.
pub(crate) fn end(signal: i32) {
    let _ended = low_level::emulate_default_handler(signal);
    low_level::exit(128 + signal);
}

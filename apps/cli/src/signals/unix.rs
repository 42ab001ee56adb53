//! Signals of Unix (signal(7)).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;

/// By default, SIGXFSZ ends who writes past `ulimit -f` without a word; caught, the write fails
/// with EFBIG (setrlimit(2)).
pub(crate) fn tell_limits() {
    let nobody_asks = Arc::new(AtomicBool::new(false));
    // Where it cannot be caught, the program ends as any other would.
    let _best_effort = signal_hook::flag::register(SIGXFSZ, nobody_asks);
}

//! Systems without signals except Ctrl-C and its like.

use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use super::{Meaning, Wish};

/// Files have no such limit.
pub(crate) const fn tell_limits() {}

/// Calls `ask` when the program should end. At the second request, it ends at once.
pub(super) fn watch(ask: impl Fn() + Send + 'static) -> io::Result<()> {
    let wish = Mutex::new(Wish::default());
    ctrlc::set_handler(move || {
        let meaning = {
            let mut wish = wish.lock().unwrap_or_else(PoisonError::into_inner);
            wish.signal(Instant::now())
        };
        match meaning {
            Meaning::Ask => ask(),
            Meaning::Again => {}
            Meaning::Now => std::process::exit(130),
        }
    })
    .map_err(io::Error::other)
}

//! Signals of Unix (signal(7)).
#![allow(
    unsafe_code,
    reason = "a signal's default action has no safe interface"
)]

use std::sync::mpsc::SyncSender;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::Signal;
use crate::error::Failure;
use crate::live::driver::{Wake, spawn};

/// Sends what comes.
pub(crate) fn watch(sender: &SyncSender<Wake>) -> Result<(), Failure> {
    let signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP]);
    let mut signals = signals
        .map_err(|error| Failure::Message(format!("signals could not be caught: {error}")))?;
    let sender = sender.clone();
    spawn("flowner-signals", move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGTSTP => Signal::Suspend,
                SIGCONT => Signal::Continued,
                // As from the keyboard.
                SIGINT => Signal::End(0),
                // What a shell says of those that were ended by a signal.
                other => Signal::End(u8::try_from(128 + other).unwrap_or(u8::MAX)),
            };
            if sender.send(Wake::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

/// Stops this program as Ctrl-Z does others, until it is continued. Where nobody could
/// continue it, as in a terminal without job control, the system does not stop it
/// (POSIX, 2.4.3, orphaned process groups); SIGSTOP would.
pub(crate) fn suspend() {
    // SAFETY: an all-zero sigaction is valid: SIG_DFL is 0, without flags and mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    let mut ours = default;
    // SAFETY: both point to sigactions that live through the call.
    let result = unsafe { libc::sigaction(SIGTSTP, &raw const default, &raw mut ours) };
    if result != 0 {
        return;
    }
    // SAFETY: raise has no preconditions. It returns after the program was continued.
    unsafe { libc::raise(SIGTSTP) };
    // SAFETY: `ours` is what the first call stored.
    unsafe { libc::sigaction(SIGTSTP, &raw const ours, std::ptr::null_mut()) };
}

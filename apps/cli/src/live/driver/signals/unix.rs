//! Signals of Unix (signal(7)).
#![allow(
    unsafe_code,
    reason = "a signal's default action has no safe interface"
)]

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::terminal::disable_raw_mode;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::{EndRequest, Signal};
use crate::error::Failure;
use crate::live::driver::{Wake, screen, spawn};
use crate::signals::{self, Meaning, Wish};

/// How long the end waits for the terminal.
const PATIENCE: Duration = Duration::from_millis(100);

/// Passes signals on. The second signal that requests the end ends the program at once, because the
/// drawing thread may wait for a terminal that accepts nothing.
pub(crate) fn watch(sender: &SyncSender<Wake>, end_request: &EndRequest) -> Result<(), Failure> {
    let signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP]);
    let mut signals = signals
        .map_err(|error| Failure::Message(format!("signals could not be caught: {error}")))?;
    let (sender, end_request) = (sender.clone(), end_request.clone());
    spawn("flowner-signals", move || {
        let mut wish = Wish::default();
        for signal in signals.forever() {
            let signal = match signal {
                SIGTSTP => Signal::Suspend,
                SIGCONT => Signal::Continued,
                _ if wish.signal(Instant::now()) == Meaning::Now => {
                    give_back_within(PATIENCE);
                    signals::end(signal);
                    return;
                }
                // As from the keyboard.
                SIGINT => Signal::End(0),
                // The exit code of a shell for programs that a signal ended.
                other => Signal::End(u8::try_from(128 + other).unwrap_or(u8::MAX)),
            };
            if let Signal::End(code) = signal {
                end_request.end(code);
            }
            // If there is no room, the drawing thread is busy, or waits for the terminal.
            let _is_woken_anyway = sender.try_send(Wake::Signal(signal));
        }
    })
}

/// Restores the terminal, but waits no longer than this time: it may accept nothing, and the thread
/// that waits for it has standard output.
fn give_back_within(time: Duration) {
    let (sender, done) = sync_channel(1);
    // Not the handle of this program, which has a lock.
    if let Ok(output) = io::stdout().as_fd().try_clone_to_owned() {
        let thread = spawn("flowner-leave", move || {
            screen::leave(&mut File::from(output));
            let _gave_up = sender.send(());
        });
        if thread.is_ok() {
            let _in_time = done.recv_timeout(time);
        }
    }
    let _terminal_gone = disable_raw_mode();
}

/// Stops this program as Ctrl-Z does others, until it is continued. If no shell could continue it,
/// as in a terminal without job control, the system does not stop it (POSIX, 2.4.3, orphaned
/// process groups); SIGSTOP would.
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

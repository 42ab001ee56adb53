//! Pipes and terminals of Unix (poll(2)).
#![allow(unsafe_code, reason = "poll has no safe interface in the library")]

/// A pipe without reader has an error, and a terminal that is gone was hung up. Files have neither,
/// so the wait lasts until the program ends.
pub(crate) fn when_gone(call: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name("flowner-reader".to_owned());
    // Without a thread, the next written line notices.
    let _best_effort = thread.spawn(move || {
        let mut output = libc::pollfd {
            fd: libc::STDOUT_FILENO,
            events: 0,
            revents: 0,
        };
        loop {
            // SAFETY: `output` is one pollfd that lives through the call.
            let ready = unsafe { libc::poll(&raw mut output, 1, -1) };
            if ready > 0 {
                return call();
            }
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return;
            }
        }
    });
}

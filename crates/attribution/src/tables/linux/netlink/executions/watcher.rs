//! A thread that takes reports of executed programs, so that the kernel does not run out of room for
//! them, and a reader has them soon.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Executions, News};
use crate::observers::linux::sched;
use crate::observers::linux::wake_fd::WakeFd;

/// How long the thread rests after each report, so that one wake-up serves many.
const REST: Duration = Duration::from_millis(2);

/// Keeps the reports for a reader. The thread ends with it.
#[derive(Debug)]
pub(crate) struct ExecutionWatcher {
    executions: Arc<Executions>,
    wake_fd: WakeFd,
    thread: Option<JoinHandle<()>>,
}

impl ExecutionWatcher {
    /// Starts the thread.
    pub(crate) fn start(executions: Arc<Executions>) -> io::Result<Self> {
        let wake_fd = WakeFd::new()?;
        let socket = executions.lock().link.try_clone()?;
        executions.begin_news();
        let (shared, woken) = (Arc::clone(&executions), wake_fd.clone());
        let thread = std::thread::Builder::new()
            .name("flowner-exec".to_owned())
            .spawn(move || run(&shared, &socket, &woken))?;
        Ok(Self {
            executions,
            wake_fd,
            thread: Some(thread),
        })
    }

    /// See [`Executions::take_news`].
    pub(crate) fn take(&self, now: bool) -> News {
        self.executions.take_news(now)
    }
}

fn run(executions: &Executions, socket: &OwnedFd, wake_fd: &WakeFd) {
    sched::raise_priority();
    while wake_fd.waits_for(socket) {
        executions.take_reports(&mut executions.lock());
        if wake_fd.is_woken_within(REST) {
            return;
        }
    }
}

impl Drop for ExecutionWatcher {
    fn drop(&mut self) {
        self.wake_fd.wake();
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that takes reports of executed programs has panicked");
        }
    }
}

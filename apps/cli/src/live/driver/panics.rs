//! A panic must not cost the terminal: this restores it before the message appears.

#[cfg_attr(debug_assertions, path = "panics/demand.rs")]
#[cfg_attr(not(debug_assertions), path = "panics/no_demand.rs")]
mod demand;

use std::panic::{self, PanicHookInfo};
use std::sync::mpsc::SyncSender;
use std::thread;

pub(super) use demand::on_demand;

use super::Wake;
use super::screen::give_back;

/// In place as long as this exists.
pub(super) struct Hook;

impl Hook {
    /// A panic of this thread restores the terminal at once. A panic of another thread ends the
    /// view, which restores it.
    pub(super) fn install(sender: SyncSender<Wake>) -> Self {
        let drawing = thread::current().id();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if thread::current().id() == drawing {
                give_back();
                before(info);
                return;
            }
            let message = format!("a thread failed; this is a defect of flowner: {info}");
            let _ended = sender.try_send(Wake::Failed(message));
        }));
        Self
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // A panicking thread may not change hooks.
        if !thread::panicking() {
            let _ours = panic::take_hook();
        }
    }
}

//! Recording as a sink: how to attach it to a monitor, and its account.

use std::sync::{Arc, Mutex, PoisonError};

use super::config::RecordingConfig;
use super::recorder::{Recorder, RecordingStats};
use crate::model::error::Error;

/// A sink that writes the packets into pcapng files, with their owners.
///
/// [`Builder::open`](crate::Builder::open) begins the first file after the input is open, and fails
/// if it cannot: with [`Error::Exists`], [`Error::NoFolder`] or [`Error::Unwritable`]. When the
/// recording can write no more, it stops the monitor; [`Account::failure`] says why.
///
/// [`Monitor::wait`](crate::Monitor::wait) returns after all packets are written and the file is
/// closed, however long that takes. A dropped monitor does not wait for that.
///
/// ```no_run
/// use flowner_core::recording::{Output, Recording, RecordingConfig, Rotation};
/// use flowner_core::{Config, Filter, Monitor};
///
/// let recording = Recording::new(&RecordingConfig {
///     output: Output::File("curl.pcapng".into()),
///     overwrite: false,
///     rotation: Rotation::default(),
///     filter: "program:curl".parse::<Filter>()?,
/// });
/// let account = recording.account();
/// let monitor = Monitor::builder(&Config::default()).sink(recording).start()?;
/// monitor.wait();
/// println!("{} packets", account.stats().written);
/// if let Some(error) = account.failure() {
///     eprintln!("the recording is not complete: {error}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    pub(crate) config: RecordingConfig,
    pub(crate) account: Account,
}

/// The account of a [`Recording`].
#[derive(Debug, Clone)]
pub struct Account {
    pub(crate) recorder: Arc<Recorder>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Recording {
    /// A recording with these settings.
    pub fn new(config: &RecordingConfig) -> Self {
        Self {
            config: config.clone(),
            account: Account {
                recorder: Arc::new(Recorder::new()),
                failure: Arc::default(),
            },
        }
    }

    /// The account of the packets: keep it, and read it while the monitor runs or after it has
    /// ended.
    pub fn account(&self) -> Account {
        self.account.clone()
    }
}

impl Account {
    /// The results for the packets so far.
    pub fn stats(&self) -> RecordingStats {
        self.recorder.stats()
    }

    /// Why it can write no more, once: the next call returns `None`. It is [`Error::Unwritable`] or
    /// [`Error::Removed`], or the error of a later file. The content up to the last whole packet is
    /// readable.
    pub fn failure(&self) -> Option<Error> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Stores how the writing ended.
    pub(crate) fn ended(&self, result: Result<(), Error>) {
        let failure = result.err();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

//! Names and places that no packet tells: the hosts file, and databases of countries and networks. They
//! are read before the first packet; a thread reads them again when they have changed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use flowner_names::HostsFile;
use flowner_names::geo::{GeoDatabases, usual_databases};

use super::Shared;
use super::config::Config;
use super::input::Opened;
use crate::model::config::GeoFiles;
use crate::model::event::Event;
use crate::system::privileges::without_capabilities;

/// How often the thread looks whether files have changed: nothing tells that of files which are
/// replaced, on all systems.
const LOOK: Duration = Duration::from_secs(30);

/// The files.
#[derive(Debug)]
pub(super) struct NameFiles {
    hosts: Option<HostsFile>,
    databases: GeoDatabases,
    /// Whether there are files of the databases, broken ones too.
    has_databases: bool,
    /// What is wrong with files, to be told.
    warnings: Vec<String>,
    /// What was told.
    told: HashSet<String>,
}

impl NameFiles {
    /// Reads the files, with the rights of the user who named them.
    pub(super) fn open(config: &Config, opened: &Opened) -> Self {
        // A host that is made up is nowhere.
        let is_made_up = opened.clock.is_some();
        let paths = match &config.geo {
            _ if is_made_up => Vec::new(),
            GeoFiles::Usual => without_capabilities(usual_databases),
            GeoFiles::Files(paths) => paths.clone(),
            GeoFiles::Off => Vec::new(),
        };
        // The names of this host's file are not those of the host that captured a file.
        let has_hosts = config.names && opened.info.is_live && !is_made_up;
        let mut files = Self {
            hosts: has_hosts.then(HostsFile::of_system),
            databases: GeoDatabases::default(),
            has_databases: !paths.is_empty(),
            warnings: Vec::new(),
            told: HashSet::new(),
        };
        files.open_databases(paths);
        files.refresh_hosts();
        files
    }

    fn open_databases(&mut self, paths: Vec<PathBuf>) {
        let (databases, errors) = without_capabilities(|| GeoDatabases::open(paths));
        self.databases = databases;
        self.warn(errors);
    }

    /// Each problem is told once, however often the thread looks.
    fn warn(&mut self, errors: impl IntoIterator<Item = impl ToString>) {
        for error in errors {
            let warning = format!("no countries and networks from {}", error.to_string());
            if self.told.insert(warning.clone()) {
                self.warnings.push(warning);
            }
        }
    }

    /// Whether the names of the hosts file are others now.
    fn refresh_hosts(&mut self) -> bool {
        let Some(file) = &mut self.hosts else {
            return false;
        };
        let refreshed = without_capabilities(|| file.refresh());
        refreshed.unwrap_or_else(|error| {
            tracing::debug!(%error, path = %file.path().display(), "no names of the hosts file");
            false
        })
    }

    /// Hands over what was read. What the ledger had goes outside of its lock.
    fn hand_over(&mut self, shared: &Shared) {
        let before = shared.ledger().set_places(self.databases.clone());
        drop(before);
        self.tell(shared);
    }

    fn hand_over_hosts(&self, shared: &Shared) {
        if let Some(file) = &self.hosts {
            let hosts = file.hosts().clone();
            let _before = shared.ledger().set_hosts(hosts);
        }
    }

    fn tell(&mut self, shared: &Shared) {
        for warning in self.warnings.drain(..) {
            shared.status().warning = Some(warning.clone());
            shared.tell(Event::Warning(warning));
        }
    }

    /// Reads again what has changed.
    fn refresh(&mut self, shared: &Shared) {
        if self.refresh_hosts() {
            self.hand_over_hosts(shared);
        }
        if self.has_databases {
            let before = self.databases.readings();
            let errors = without_capabilities(|| self.databases.refresh());
            self.warn(errors);
            if self.databases.readings() > before {
                self.hand_over(shared);
            }
            self.tell(shared);
        }
    }
}

/// Tells an end.
type Ended = (Mutex<bool>, Condvar);

/// The thread that keeps them true.
#[derive(Debug)]
pub(super) struct NamesThread {
    ended: Arc<Ended>,
    thread: Option<JoinHandle<()>>,
}

impl NamesThread {
    /// Hands over what was read. The thread is there for devices: a file is read in moments.
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        mut files: NameFiles,
        is_device: bool,
    ) -> Option<Self> {
        files.hand_over(shared);
        files.hand_over_hosts(shared);
        if !is_device || files.hosts.is_none() && !files.has_databases {
            return None;
        }
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let (shared, end) = (Arc::downgrade(shared), Arc::clone(&ended));
        let thread = std::thread::Builder::new()
            .name("flowner-names".to_owned())
            .spawn(move || run(&mut files, &shared, &end))
            .inspect_err(|error| tracing::warn!(%error, "changed files of names are not read"))
            .ok()?;
        Some(Self {
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for NamesThread {
    fn drop(&mut self) {
        *self.ended.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.1.notify_all();
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that reads files of names failed");
        }
    }
}

fn run(files: &mut NameFiles, shared: &Weak<Shared>, end: &Ended) {
    while !has_ended_within(end, LOOK) {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        files.refresh(&shared);
    }
}

fn has_ended_within(end: &Ended, time: Duration) -> bool {
    let ended = end.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = end.1.wait_timeout_while(ended, time, |ended| !*ended);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

//! Names and places that no packet tells: the hosts file, and databases of countries and networks. They
//! are read before the first packet; a thread reads them again when they have changed. If the user wants
//! reverse lookups, it says what they ask for, and hands over their answers.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowner_names::geo::{GeoDatabases, usual_databases};
use flowner_names::reverse::{Answer, Options, ReverseLookups};
use flowner_names::{HostsFile, Name};

use super::config::Config;
use super::{Shared, now};
use crate::model::config::{GeoFiles, Input};
use crate::model::error::Error;
use crate::model::event::Event;
use crate::system::privileges::without_capabilities;

/// How often the thread looks whether files have changed: nothing tells that of files which are
/// replaced, on all systems.
const LOOK: Duration = Duration::from_secs(30);

/// How often the thread looks which addresses have no name, and whether answers came, where it asks
/// for names.
const ASK: Duration = Duration::from_millis(250);
/// Addresses without a name that it looks at.
const UNNAMED: usize = 1_024;
/// Addresses that somebody looks at.
const SHOWN: usize = 4_096;

/// The files.
#[derive(Debug)]
pub(super) struct NameFiles {
    hosts: Option<HostsFile>,
    databases: GeoDatabases,
    /// Whether there are files of the databases, broken ones too.
    has_databases: bool,
    /// Problems with files, to report.
    warnings: Vec<String>,
    /// Whether to ask the system's resolver.
    resolves: bool,
    /// The reported problems.
    told: HashSet<String>,
}

impl NameFiles {
    /// Reads the files, with the rights of the user who named them.
    pub(super) fn open(config: &Config) -> Self {
        // A host that is made up is nowhere.
        let is_made_up = matches!(config.input, Input::Demo(_));
        let is_file = matches!(config.input, Input::File(_) | Input::StandardInput);
        let paths = match &config.geo {
            _ if is_made_up => Vec::new(),
            GeoFiles::Usual => without_capabilities(usual_databases),
            GeoFiles::Files(paths) => paths.clone(),
            GeoFiles::Off => Vec::new(),
        };
        // The names of this host's file are not those of the host that captured a file.
        let has_hosts = config.names && !is_file && !is_made_up;
        let mut files = Self {
            hosts: has_hosts.then(HostsFile::of_system),
            databases: GeoDatabases::default(),
            has_databases: !paths.is_empty(),
            warnings: Vec::new(),
            resolves: config.resolve && !is_file && !is_made_up,
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

    /// Reports each problem once, however often the thread finds it.
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
            let before = self.databases.files_read();
            let errors = without_capabilities(|| self.databases.refresh());
            self.warn(errors);
            if self.databases.files_read() > before {
                self.hand_over(shared);
            }
            self.tell(shared);
        }
    }
}

/// What others tell the thread.
#[derive(Debug, Default)]
struct Told {
    has_ended: bool,
    /// The addresses on the screen, if they are known.
    shown: Option<Vec<IpAddr>>,
}

type Line = (Mutex<Told>, Condvar);

/// The thread that keeps them true.
#[derive(Debug)]
pub(super) struct NamesThread {
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

impl NamesThread {
    /// Hands over what was read. The thread is there for devices: a file is read in moments.
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        mut files: NameFiles,
        is_device: bool,
    ) -> Result<Option<Self>, Error> {
        files.hand_over(shared);
        files.hand_over_hosts(shared);
        let is_idle = files.hosts.is_none() && !files.has_databases && !files.resolves;
        if !is_device || is_idle {
            return Ok(None);
        }
        let lookups = if files.resolves {
            shared.ledger().keep_unnamed();
            let started = ReverseLookups::start(Options::default());
            Some(started.map_err(Error::Thread)?)
        } else {
            None
        };
        let line = Arc::new(Line::default());
        let (shared, told) = (Arc::downgrade(shared), Arc::clone(&line));
        let thread = std::thread::Builder::new()
            .name("flowner-names".to_owned())
            .spawn(move || run(&mut files, lookups.as_ref(), &shared, &told))
            .map_err(Error::Thread)?;
        Ok(Some(Self {
            line,
            thread: Some(thread),
        }))
    }

    /// Somebody looks at these addresses.
    pub(super) fn show(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().take(SHOWN).collect();
        lock(&self.line.0).shown = Some(addresses);
    }
}

impl Drop for NamesThread {
    fn drop(&mut self) {
        lock(&self.line.0).has_ended = true;
        self.line.1.notify_all();
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that reads files of names failed");
        }
    }
}

fn run(
    files: &mut NameFiles,
    lookups: Option<&ReverseLookups>,
    shared: &Weak<Shared>,
    line: &Line,
) {
    let pause = if lookups.is_some() { ASK } else { LOOK };
    let mut looked = Instant::now();
    while !has_ended_within(line, pause) {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Some(lookups) = lookups {
            look_up(lookups, line, &shared);
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            files.refresh(&shared);
        }
    }
}

/// Gives the answers to the ledger, and sets the next lookups.
fn look_up(lookups: &ReverseLookups, line: &Line, shared: &Shared) {
    let unnamed = shared.ledger().unnamed(UNNAMED);
    // Read after the flows: flows that began since then are not on the screen and get no lookup.
    let shown = lock(&line.0).shown.clone();
    let is_shown = shown.map(|all| all.into_iter().collect::<HashSet<_>>());
    let mut open = Vec::new();
    for address in unnamed {
        match lookups.answer(address) {
            Answer::Name(text) => {
                // The answer of a server is untrusted text.
                if let Some(name) = Name::from_text(text.as_bytes()) {
                    shared.ledger().reverse_answered(address, name, now());
                }
            }
            Answer::Unknown => open.push(address),
            _ => {}
        }
    }
    open.retain(|address| {
        is_shown
            .as_ref()
            .is_none_or(|shown| shown.contains(address))
    });
    lookups.wanted(open);
}

fn has_ended_within(line: &Line, time: Duration) -> bool {
    let waited = line
        .1
        .wait_timeout_while(lock(&line.0), time, |told| !told.has_ended);
    waited.unwrap_or_else(PoisonError::into_inner).0.has_ended
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

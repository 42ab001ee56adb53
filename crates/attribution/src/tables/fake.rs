//! A scripted table: it has the sockets that a test gives it, and counts the snapshots.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::SocketTable;
use crate::answer::{Capabilities, Error, Snapshot, Socket, Source};

/// The table for the code under test.
#[derive(Debug)]
pub struct FakeTable {
    script: Script,
}

/// Changes the sockets of the table. A clone changes the same table.
#[derive(Debug, Clone, Default)]
pub struct Script {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    sockets: Vec<Socket>,
    failure: Option<String>,
    has_point_lookup: bool,
    snapshots: usize,
}

impl FakeTable {
    /// A table without sockets, and the script that changes it.
    pub fn new() -> (Self, Script) {
        let script = Script::default();
        let table = Self {
            script: script.clone(),
        };
        (table, script)
    }
}

impl Script {
    /// From now on the table has these sockets.
    pub fn set_sockets(&self, sockets: Vec<Socket>) {
        self.change(|state| state.sockets = sockets);
    }

    /// From now on every snapshot fails with this message; `None` ends that.
    pub fn set_failure(&self, message: Option<&str>) {
        self.change(|state| state.failure = message.map(str::to_owned));
    }

    /// From now on the table claims [`point_lookup`](Capabilities::point_lookup), or does not.
    pub fn set_point_lookup(&self, can: bool) {
        self.change(|state| state.has_point_lookup = can);
    }

    /// How many snapshots the code under test has taken.
    pub fn snapshots(&self) -> usize {
        self.change(|state| state.snapshots)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SocketTable for FakeTable {
    fn source(&self) -> Source {
        Source::Scripted
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let started_at = SystemTime::now();
        let result = self.script.change(|state| {
            state.snapshots += 1;
            match &state.failure {
                Some(message) => Err(message.clone()),
                None => Ok(state.sockets.clone()),
            }
        });
        let sockets = result.map_err(|message| Error::Sockets {
            request: "the script".to_owned(),
            source: io::Error::other(message),
        })?;
        Ok(Snapshot::new(
            Source::Scripted,
            started_at,
            SystemTime::now(),
            sockets,
        ))
    }

    fn capabilities(&self) -> Capabilities {
        let has_point_lookup = self.script.change(|state| state.has_point_lookup);
        Capabilities::new()
            .with_remote_addresses(true)
            .with_point_lookup(has_point_lookup)
    }
}

//! The current state for callers and, once a tick, for all sinks.

use std::sync::{Arc, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use flowner_attribution::{PolicyStatistics, Resolver};

use super::player::Clock;
use super::{Shared, Status, now};
use crate::model::error::Error;
use crate::model::report::{EndState, InputInfo, Report};

/// Makes reports.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    pub(super) shared: Arc<Shared>,
    pub(super) input: InputInfo,
    /// For the demo's host, which has its own time.
    pub(super) clock: Option<Clock>,
    /// Only the monitor ends it, so this does not keep it alive.
    pub(super) service: Option<Weak<Resolver>>,
}

impl Reports {
    /// The current state.
    pub(super) fn now(&self) -> Arc<Report> {
        let is_running = || self.shared.status().ending == EndState::Running;
        let at = (self.input.is_live && is_running())
            .then(|| self.clock.as_ref().map_or_else(now, Clock::now));
        let service = self.service.as_ref().and_then(Weak::upgrade);
        self.make(at, service.map(|service| service.statistics()))
    }

    /// The final state.
    pub(super) fn last(&self, owners: Option<PolicyStatistics>) -> Arc<Report> {
        self.make(None, owners)
    }

    fn make(&self, at: Option<Duration>, owners: Option<PolicyStatistics>) -> Arc<Report> {
        let parts = self.shared.parts(at);
        let status = self.shared.status();
        Arc::new(Report::new(
            parts,
            self.input.clone(),
            status.ending.clone(),
            status.capture,
            owners,
        ))
    }

    /// Starts the thread that gives all sinks one report each `tick`, until the input ends.
    pub(super) fn spawn_ticker(self, tick: Duration) -> Result<JoinHandle<()>, Error> {
        let run = move || {
            while !self.has_ended_within(tick) {
                let report = self.now();
                // The monitor sends the last report itself, when owners are settled.
                if report.ending == EndState::Running {
                    self.shared.queues.report(&report);
                }
            }
        };
        let thread = std::thread::Builder::new().name("flowner-reports".to_owned());
        thread.spawn(run).map_err(Error::Thread)
    }

    fn has_ended_within(&self, tick: Duration) -> bool {
        let is_running = |status: &mut Status| status.ending == EndState::Running;
        let ended = &self.shared.ended;
        let waited = ended.wait_timeout_while(self.shared.status(), tick, is_running);
        let (status, _) = waited.unwrap_or_else(PoisonError::into_inner);
        status.ending != EndState::Running
    }
}

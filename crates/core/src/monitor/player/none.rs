//! No demo: nothing constructs one, so nothing calls these functions.

use std::sync::Arc;
use std::time::Duration;

use flowner_attribution::Attributor;
use flowner_capture::Next;
use flowner_flows::LocalAddresses;

use crate::model::demo::Demo;
use crate::monitor::stop::Stop;

#[derive(Debug, Clone)]
pub(in crate::monitor) struct Clock(Demo);

impl Clock {
    pub(in crate::monitor) fn now(&self) -> Duration {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(in crate::monitor) struct Player(Demo);

impl Player {
    pub(in crate::monitor) fn stopper(&self) -> Arc<Stop> {
        match self.0 {}
    }

    pub(in crate::monitor) fn next(&mut self) -> Next<'_> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(in crate::monitor) struct Made {
    pub(in crate::monitor) player: Player,
    pub(in crate::monitor) clock: Clock,
    pub(in crate::monitor) attributor: Attributor,
    pub(in crate::monitor) local: LocalAddresses,
    pub(in crate::monitor) is_live: bool,
}

impl Made {
    pub(in crate::monitor) fn new(pace: Demo) -> Self {
        match pace {}
    }
}

//! Plays the demo.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_attribution::Attributor;
use flowner_capture::pcapng::Comments;
use flowner_capture::{LinkType, Next, PacketOrigin, RawPacket};
use flowner_flows::LocalAddresses;

use crate::demo::{self, DemoTable, Frame, Traffic};
use crate::model::demo::Demo;
use crate::monitor::stop::Stop;

pub(in crate::monitor) use crate::demo::Clock;

/// The facts about the demo's host.
#[derive(Debug)]
pub(in crate::monitor) struct Made {
    pub(in crate::monitor) player: Player,
    pub(in crate::monitor) clock: Clock,
    /// The source of the owners there.
    pub(in crate::monitor) attributor: Attributor,
    pub(in crate::monitor) local: LocalAddresses,
    pub(in crate::monitor) is_live: bool,
}

impl Made {
    pub(in crate::monitor) fn new(pace: Demo) -> Self {
        let clock = Clock::default();
        Self {
            player: Player::new(pace, clock.clone()),
            attributor: Attributor::with_table(DemoTable::new(clock.clone())),
            clock,
            local: demo::addresses().collect(),
            is_live: pace.is_live(),
        }
    }
}

/// Returns the frames of the demo when they are due.
#[derive(Debug)]
pub(in crate::monitor) struct Player {
    traffic: std::iter::Peekable<Traffic>,
    /// When the traffic began, since the Unix epoch.
    began: Duration,
    pace: Demo,
    clock: Clock,
    stop: Arc<Stop>,
    current: Option<Frame>,
}

impl Player {
    fn new(pace: Demo, clock: Clock) -> Self {
        let began = match pace {
            Demo::Live => now().saturating_sub(demo::PAST),
            Demo::Recorded => demo::RECORDED_AT,
        };
        Self {
            traffic: Traffic::new().peekable(),
            began,
            pace,
            clock,
            stop: Arc::default(),
            current: None,
        }
    }

    /// A handle that stops it.
    pub(in crate::monitor) fn stopper(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// The next frame that is due.
    pub(in crate::monitor) fn next(&mut self) -> Next<'_> {
        let Some(frame) = self.traffic.peek() else {
            return Next::End;
        };
        if self.pace == Demo::Recorded && frame.at >= demo::PAST {
            return Next::End;
        }
        let due = self.began + frame.at;
        let wait = match self.pace {
            Demo::Live => due.saturating_sub(now()).min(IDLE),
            Demo::Recorded => Duration::ZERO,
        };
        if self.stop.is_requested_within(wait) {
            return Next::Stopped;
        }
        if self.pace == Demo::Live && due > now() {
            self.clock.set(now());
            return Next::Idle;
        }
        self.clock.set(due);
        self.current = self.traffic.next();
        self.current.as_ref().map_or(Next::End, |frame| {
            Next::Packet(RawPacket {
                time: due,
                wire_len: frame.wire_len,
                link_type: Ok(LinkType::Ethernet),
                data: frame.data(),
                comments: Comments::default(),
                origin: PacketOrigin::Unknown,
                device: None,
            })
        })
    }
}

/// How long a device waits before it reports silence.
const IDLE: Duration = Duration::from_millis(250);

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

//! TCP connections in lines.

use flowner_flows::Retransmissions;
use serde::Serialize;

use crate::model::flow::TcpFacts;

/// How a TCP connection fares: what each end sent again (`segments`, `bytes`), and round-trip times
/// in microseconds; `connect_failed` if no process accepted it.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TcpMeasures {
    sent_again: Again,
    received_again: Again,
    rtt_us: Option<u64>,
    rtt_min_us: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    connect_failed: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Again {
    segments: u64,
    bytes: u64,
}

impl From<Retransmissions> for Again {
    fn from(again: Retransmissions) -> Self {
        Self {
            segments: again.segments,
            bytes: again.bytes,
        }
    }
}

impl TcpMeasures {
    pub(super) fn new(tcp: TcpFacts) -> Self {
        let microseconds = |time: std::time::Duration| u64::try_from(time.as_micros()).ok();
        let round_trip = tcp.round_trip;
        Self {
            sent_again: tcp.sent_again.into(),
            received_again: tcp.received_again.into(),
            rtt_us: round_trip.and_then(|it| microseconds(it.smoothed)),
            rtt_min_us: round_trip.and_then(|it| microseconds(it.min)),
            connect_failed: tcp.is_failed,
        }
    }
}

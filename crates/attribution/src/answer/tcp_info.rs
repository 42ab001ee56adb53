//! What the system says of a TCP connection besides its ends.

use std::time::Duration;

/// The state of a TCP connection, as `ss -i` shows it (`struct tcp_info` of `linux/tcp.h`, tcp(7)).
///
/// Bytes are those of the data, without headers. What the kernel does not say is `None`: an older
/// kernel has fewer of these fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TcpInfo {
    /// Bytes that were sent, each time that they were (`tcpi_bytes_sent`, since Linux 4.19).
    pub bytes_sent: Option<u64>,
    /// Bytes that the remote end has acknowledged, with the SYN as one (`tcpi_bytes_acked`, since
    /// Linux 4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes that were received, once each (`tcpi_bytes_received`, since Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Bytes that were sent again (`tcpi_bytes_retrans`, since Linux 4.19).
    pub bytes_retransmitted: Option<u64>,
    /// Segments that were sent again (`tcpi_total_retrans`).
    pub retransmits: Option<u32>,
    /// Segments that count as lost by now (`tcpi_lost`).
    pub lost: Option<u32>,
    /// Bytes that the remote end has not acknowledged yet, sent or not (`idiag_wqueue`).
    pub send_queue: u32,
    /// Bytes that the process has not read yet (`idiag_rqueue`).
    pub receive_queue: u32,
    /// The smoothed round-trip time and its mean deviation (`tcpi_rtt`, `tcpi_rttvar`). `None` before
    /// the first one was measured.
    pub rtt: Option<Duration>,
    /// See [`rtt`](Self::rtt).
    pub rtt_deviation: Option<Duration>,
    /// The shortest one (`tcpi_min_rtt`, since Linux 4.6); `None` as for [`rtt`](Self::rtt).
    pub rtt_min: Option<Duration>,
    /// The congestion window, in segments (`tcpi_snd_cwnd`).
    pub congestion_window: Option<u32>,
    /// Bytes of the largest segment that is sent (`tcpi_snd_mss`).
    pub segment_size: Option<u32>,
}

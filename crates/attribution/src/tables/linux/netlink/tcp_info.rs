//! What the kernel says of TCP connections besides their ends (`struct tcp_info` of
//! `include/uapi/linux/tcp.h`; `inet_sk_diag_fill` in `net/ipv4/inet_diag.c`). Pure: any bytes whatsoever
//! are read as a connection or as malformed.

use std::time::Duration;

use super::frame::{Malformed, array_at, attributes, u32_at};
use super::message::{self, SOCKET_LEN};
use crate::answer::TcpInfo;

/// `INET_DIAG_INFO`.
const INFO: u16 = 2;

/// The bit that asks for it (`idiag_ext`).
pub(crate) const EXTENSION: u8 = 1 << (INFO - 1);

/// The cookie and the state of the connection in a message of this type; `None` if it is about something
/// else, or the kernel says nothing of the state.
pub(crate) fn of(kind: u16, body: &[u8]) -> Result<Option<(u64, TcpInfo)>, Malformed> {
    let Some(socket) = message::of(kind, body)? else {
        return Ok(None);
    };
    let queues = (u32_at(body, 56)?, u32_at(body, 60)?);
    for attribute in attributes(body.get(SOCKET_LEN..).ok_or(Malformed)?) {
        if let (INFO, value) = attribute? {
            return Ok(Some((socket.cookie, info(value, queues))));
        }
    }
    Ok(None)
}

/// A kernel writes as much as it knows of.
fn info(bytes: &[u8], (receive_queue, send_queue): (u32, u32)) -> TcpInfo {
    let number = |at| u32_at(bytes, at).ok();
    let long = |at| array_at(bytes, at).ok().map(u64::from_ne_bytes);
    let micros = |at| number(at).map(|micros| Duration::from_micros(micros.into()));
    // 0 before it was measured, and all bits of the shortest one.
    let rtt = micros(68).filter(|rtt| !rtt.is_zero());
    TcpInfo {
        bytes_sent: long(200),
        bytes_acked: long(120),
        bytes_received: long(128),
        bytes_retransmitted: long(208),
        retransmits: number(100),
        lost: number(32),
        send_queue,
        receive_queue,
        rtt,
        rtt_deviation: rtt.and(micros(72)),
        rtt_min: rtt
            .and(number(148))
            .filter(|min| *min != u32::MAX)
            .and(micros(148)),
        congestion_window: number(80),
        segment_size: number(16),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `SOCK_DIAG_BY_FAMILY`.
    const BY_FAMILY: u16 = 20;

    fn answer(info_len: usize) -> Vec<u8> {
        let mut body = vec![0; SOCKET_LEN];
        (body[0], body[1]) = (2, 1);
        body[44..48].copy_from_slice(&7_u32.to_ne_bytes());
        body[56..60].copy_from_slice(&11_u32.to_ne_bytes());
        body[60..64].copy_from_slice(&12_u32.to_ne_bytes());
        let mut info = vec![0; 232];
        let mut put =
            |at: usize, value: u32| info[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        put(16, 1_448);
        put(32, 3);
        put(68, 25_000);
        put(72, 500);
        put(80, 10);
        put(100, 4);
        put(148, 20_000);
        for (at, value) in [(120, 1_001), (128, 2_000), (200, 1_500), (208, 500)] {
            let value: u64 = value;
            info[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let length = u16::try_from(4 + info_len).unwrap();
        body.extend([length.to_ne_bytes(), INFO.to_ne_bytes()].concat());
        body.extend(&info[..info_len]);
        body
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        let (cookie, found) = of(BY_FAMILY, &answer(232)).unwrap().unwrap();
        assert_eq!(cookie, 7);
        let micros = |micros| Some(Duration::from_micros(micros));
        let expected = TcpInfo {
            bytes_sent: Some(1_500),
            bytes_acked: Some(1_001),
            bytes_received: Some(2_000),
            bytes_retransmitted: Some(500),
            retransmits: Some(4),
            lost: Some(3),
            send_queue: 12,
            receive_queue: 11,
            rtt: micros(25_000),
            rtt_deviation: micros(500),
            rtt_min: micros(20_000),
            congestion_window: Some(10),
            segment_size: Some(1_448),
        };
        assert_eq!(found, expected);
    }

    /// Linux 3.10 ends with what was sent again.
    #[test]
    fn an_older_kernel_says_less() {
        let (_, found) = of(BY_FAMILY, &answer(104)).unwrap().unwrap();
        assert_eq!((found.retransmits, found.lost), (Some(4), Some(3)));
        assert_eq!(
            (found.bytes_acked, found.bytes_sent, found.rtt_min),
            (None, None, None)
        );
        assert_eq!(of(BY_FAMILY, &answer(232)[..SOCKET_LEN]), Ok(None));
        assert_eq!(
            of(BY_FAMILY, &answer(232)[..SOCKET_LEN - 1]),
            Err(Malformed)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 1..400)) {
            bytes[0] = 2;
            let _ = of(BY_FAMILY, &bytes);
        }
    }
}

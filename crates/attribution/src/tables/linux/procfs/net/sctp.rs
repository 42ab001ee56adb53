//! `/proc/net/sctp/eps` and `assocs` (`net/sctp/proc.c`). Pure.
//!
//! Each has several addresses; a `*` marks the primary one. The headings of both lists name their
//! columns.

use std::net::{IpAddr, SocketAddr};

use crate::answer::SocketState;
use crate::tables::linux::netlink::message::{DiagSocket, state};
use crate::tables::linux::netlink::sctp::{MAX_ADDRESSES, association_state, pairs};

/// Adds the sockets of a list: one for each pair of addresses.
pub(super) fn parse(text: &[u8], sockets: &mut Vec<DiagSocket>) {
    let mut lines = text.split(|byte| *byte == b'\n');
    let heading = lines.next().unwrap_or_default();
    let heading = std::str::from_utf8(heading).unwrap_or_default();
    let columns: Vec<&str> = heading.split_ascii_whitespace().collect();
    for line in lines {
        sockets.extend(one(&columns, line).into_iter().flatten());
    }
}

fn one(columns: &[&str], line: &[u8]) -> Option<Vec<DiagSocket>> {
    let fields: Vec<&str> = std::str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    let place = |name: &str| columns.iter().position(|column| *column == name);
    let field = |name: &str| fields.get(place(name)?).copied();
    let port = field("LPORT")?.parse().ok()?;
    let uid = field("UID")?.parse().ok()?;
    let inode = u32::try_from(field("INODE")?.parse::<u64>().ok()?).ok()?;
    let mut rest = fields.get(place("LADDRS")?..)?.iter();
    let locals = addresses(rest.by_ref().take_while(|field| **field != "<->"));
    let local = SocketAddr::new(*locals.first()?, port);
    let bare = DiagSocket::bare(local, inode, uid);
    let (first, peers) = match field("RPORT") {
        None => {
            // The state of the socket (`sctp_sstate`), by the numbers of TCP.
            let number = field("SST")?.parse().ok()?;
            let state = if number == LISTENING {
                Some(SocketState::Listen)
            } else {
                state(number)
            };
            (DiagSocket { state, ..bare }, Vec::new())
        }
        Some(remote) => {
            let peers = addresses(rest);
            let remote = SocketAddr::new(*peers.first()?, remote.parse().ok()?);
            let first = DiagSocket {
                state: association_state(field("ST")?.parse().ok()?),
                remote: Some(remote),
                ..bare
            };
            (first, peers)
        }
    };
    Some(pairs(first, &locals, &peers))
}

/// `SCTP_SS_LISTENING`, which is `TCP_LISTEN`.
const LISTENING: u8 = 10;

/// The first ones, at most [`MAX_ADDRESSES`].
fn addresses<'a>(fields: impl Iterator<Item = &'a &'a str>) -> Vec<IpAddr> {
    let parsed = fields.map_while(|field| field.trim_start_matches('*').parse::<IpAddr>().ok());
    parsed
        .map(|ip| ip.to_canonical())
        .take(MAX_ADDRESSES)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<DiagSocket> {
        let mut sockets = Vec::new();
        parse(text.as_bytes(), &mut sockets);
        sockets
    }

    #[test]
    fn endpoints_are_read() {
        let all = read(
            " ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS\n\
             ffff880034a1c000 ffff88003464a700 2   10  45   9000      0 23231 10.0.0.1 10.1.0.1 \n\
             ffff880034a1c001 ffff88003464a701 2   7   29   60000  1000 23232 :: \n",
        );
        let seen = all
            .iter()
            .map(|one| (one.local.to_string(), one.state, one.uid, one.inode));
        let expected = [
            (
                "10.0.0.1:9000".to_owned(),
                Some(SocketState::Listen),
                0,
                23_231,
            ),
            (
                "10.1.0.1:9000".to_owned(),
                Some(SocketState::Listen),
                0,
                23_231,
            ),
            (
                "[::]:60000".to_owned(),
                Some(SocketState::Closed),
                1_000,
                23_232,
            ),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert!(all.iter().all(|one| one.remote.is_none()));
    }

    #[test]
    fn associations_are_read() {
        let all = read(
            " ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT \
             LADDRS <-> RADDRS HBINT INS OUTS MAXRT T1X T2X RTXC wmema wmemq sndbuf rcvbuf\n\
             ffff880034aaa000 ffff88003464c000 2   1   3  0       9        0        0       0 23232 \
             9000  60000  *127.0.0.1 10.0.0.1 <-> *127.0.0.1 10.0.0.2 \t    7500    10    10   10    \
             0    0        0        1        0   212992   212992\n",
        );
        let seen = all
            .iter()
            .map(|one| format!("{} {}", one.local, one.remote.unwrap()));
        let expected = [
            "127.0.0.1:9000 127.0.0.1:60000",
            "127.0.0.1:9000 10.0.0.2:60000",
            "10.0.0.1:9000 127.0.0.1:60000",
            "10.0.0.1:9000 10.0.0.2:60000",
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        let is_right =
            |one: &DiagSocket| (one.state, one.inode) == (Some(SocketState::Established), 23_232);
        assert!(all.iter().all(is_right));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(
            text in any::<Vec<u8>>(),
            lines in "[ .:*<>0-9a-f\n-]{0,300}",
            is_association in any::<bool>(),
        ) {
            let mut sockets = Vec::new();
            parse(&text, &mut sockets);
            let heading = if is_association {
                "UID INODE LPORT RPORT ST LADDRS"
            } else {
                "SST LPORT UID INODE LADDRS"
            };
            parse(format!("{heading}\n{lines}").as_bytes(), &mut sockets);
        }
    }
}

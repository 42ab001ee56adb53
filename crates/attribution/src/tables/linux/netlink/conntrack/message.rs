//! Requests to conntrack and its answers (`nfnetlink_conntrack.h`), and its list in `/proc`. Pure:
//! any input parses as connections or as malformed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::answer::{Protocol, TranslatedFrom};
use crate::tables::linux::netlink::frame;
#[cfg(any(test, feature = "fuzzing"))]
use crate::tables::linux::netlink::frame::Frame;
use crate::tables::linux::netlink::frame::{Malformed, array_at, attributes};

/// `NFNL_SUBSYS_CTNETLINK` with `IPCTNL_MSG_CT_GET`, and with `IPCTNL_MSG_CT_NEW`.
const GET: u16 = 1 << 8 | 1;
pub(super) const NEW: u16 = 1 << 8;
/// `struct nfgenmsg`.
const BODY_LEN: usize = 4;
/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
/// `CTA_TUPLE_IP`: addresses of IPv4, of IPv6.
const IP: u16 = 1;
const FROM_V4: u16 = 1;
const TO_V4: u16 = 2;
const FROM_V6: u16 = 3;
const TO_V6: u16 = 4;
/// `CTA_TUPLE_PROTO`: the protocol and its ports.
const TRANSPORT: u16 = 2;
const NUMBER: u16 = 1;
const FROM_PORT: u16 = 2;
const TO_PORT: u16 = 3;
/// The same for echo requests and replies: id, type and code, over IPv4 and IPv6.
const ECHO_V4: [u16; 3] = [4, 5, 6];
const ECHO_V6: [u16; 3] = [7, 8, 9];
/// Types of messages (RFC 792, RFC 4443).
const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;
/// `CTA_ZONE`, of both directions, and `CTA_TUPLE_ZONE`, of one.
const ZONE: u16 = 18;
const TUPLE_ZONE: u16 = 3;
/// `NLA_F_NESTED`, and all flags.
const NESTED: u16 = 1 << 15;
const FLAGS: u16 = 3 << 14;

/// The packets of one direction, as they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) protocol: Protocol,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// Both directions. Without translation, one is the reverse of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) original: Tuple,
    pub(crate) reply: Tuple,
}

impl Connection {
    /// Whether packets with these ends belong to it.
    pub(super) fn has(&self, tuple: &Tuple) -> bool {
        self.original == *tuple || self.reply == *tuple
    }

    /// The local and remote ends of arriving packets in both directions, with the original ends of
    /// the socket if they differ.
    pub(super) fn received(&self) -> [((SocketAddr, SocketAddr), Option<TranslatedFrom>); 2] {
        [self.original, self.reply].map(|seen| {
            let (local, remote) = (seen.to, seen.from);
            ((local, remote), self.translated_from(local, remote))
        })
    }

    /// The original ends of the socket that receives what the remote end sends to this local one,
    /// if they differ. (Packets in the other direction show their ends before translation, which
    /// are those of the sender's own socket.)
    pub(super) fn translated_from(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<TranslatedFrom> {
        let directions = [(self.original, self.reply), (self.reply, self.original)];
        // For packets from an end to itself, either direction matches.
        directions.into_iter().find_map(|(packet_ends, other)| {
            let is_received = (packet_ends.from, packet_ends.to) == (remote, local);
            let is_other = (other.from, other.to) != (local, remote);
            (is_received && is_other).then(|| TranslatedFrom::new(other.from, other.to))
        })
    }
}

/// A message of an answer.
#[cfg(any(test, feature = "fuzzing"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    Connection(Connection),
    /// A number, negative as the kernel writes it.
    Error(i32),
    /// A protocol without ports, or one that was not requested.
    Other,
}

const fn protocol(number: u8) -> Option<Protocol> {
    match number {
        1 | 58 => Some(Protocol::Icmp),
        6 => Some(Protocol::Tcp),
        17 => Some(Protocol::Udp),
        33 => Some(Protocol::Dccp),
        132 => Some(Protocol::Sctp),
        136 => Some(Protocol::UdpLite),
        _ => None,
    }
}

/// A request for the connection that has this tuple in either direction, in a zone of conntrack.
pub(super) fn request(tuple: &Tuple, zone: u16, sequence: u32) -> Vec<u8> {
    let family = if tuple.from.is_ipv4() { 2 } else { 10 };
    // Version 0, resource 0.
    let mut body = vec![family, 0, 0, 0];
    body.extend(nested(ORIGINAL, &encoded(tuple)));
    if zone != 0 {
        body.extend(attribute(ZONE, &zone.to_be_bytes()));
    }
    let mut bytes = frame::header(body.len(), GET, 0, sequence).to_vec();
    bytes.extend(body);
    bytes
}

/// A request for all connections of all zones.
pub(super) fn request_all(sequence: u32) -> Vec<u8> {
    let mut bytes = frame::header(BODY_LEN, GET, frame::DUMP, sequence).to_vec();
    bytes.extend([0; BODY_LEN]);
    bytes
}

fn encoded(tuple: &Tuple) -> Vec<u8> {
    let address = |v4, v6, ip: IpAddr| match ip {
        IpAddr::V4(ip) => attribute(v4, &ip.octets()),
        IpAddr::V6(ip) => attribute(v6, &ip.octets()),
    };
    let from = address(FROM_V4, FROM_V6, tuple.from.ip());
    let to = address(TO_V4, TO_V6, tuple.to.ip());
    let is_v4 = tuple.from.is_ipv4();
    let number = tuple.protocol.ip_number(is_v4).unwrap_or(u8::MAX);
    let (sent, taken) = (tuple.from.port(), tuple.to.port());
    let transport = if tuple.protocol == Protocol::Icmp {
        let [id, kind, code] = if is_v4 { ECHO_V4 } else { ECHO_V6 };
        let (request, reply) = if is_v4 {
            (REQUEST_V4, REPLY_V4)
        } else {
            (REQUEST_V6, REPLY_V6)
        };
        // The side of the request has the id in place of a port.
        let is_request = taken == 0;
        vec![
            attribute(NUMBER, &[number]),
            attribute(id, &sent.max(taken).to_be_bytes()),
            attribute(kind, &[if is_request { request } else { reply }]),
            attribute(code, &[0]),
        ]
    } else {
        vec![
            attribute(NUMBER, &[number]),
            attribute(FROM_PORT, &sent.to_be_bytes()),
            attribute(TO_PORT, &taken.to_be_bytes()),
        ]
    };
    let ip = nested(IP, &[from, to].concat());
    [ip, nested(TRANSPORT, &transport.concat())].concat()
}

fn nested(kind: u16, value: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, value)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The messages in one datagram.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn answers(bytes: &[u8]) -> impl Iterator<Item = Result<Answered, Malformed>> {
    frame::frames(bytes).map(|frame| {
        Ok(match frame? {
            Frame::Error(number) => Answered::Error(number),
            Frame::Other(NEW, body) => {
                connection(body)?.map_or(Answered::Other, Answered::Connection)
            }
            _ => Answered::Other,
        })
    })
}

/// `None` for a protocol without ports.
pub(super) fn connection(body: &[u8]) -> Result<Option<Connection>, Malformed> {
    let (mut original, mut reply) = (None, None);
    for attribute in attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        let (kind, value) = attribute?;
        match kind & !FLAGS {
            ORIGINAL => original = tuple(value)?,
            REPLY => reply = tuple(value)?,
            _ => {}
        }
    }
    let both = original.zip(reply);
    Ok(both.map(|(original, reply)| Connection { original, reply }))
}

/// Calls `take` with each zone of a connection except the default zone: of both directions, or of
/// one.
pub(super) fn zones(body: &[u8], mut take: impl FnMut(u16)) -> Result<(), Malformed> {
    let mut tell = |value: &[u8]| {
        let zone = u16::from_be_bytes(array_at(value, 0)?);
        if zone != 0 {
            take(zone);
        }
        Ok(())
    };
    for attribute in attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        let (kind, value) = attribute?;
        match kind & !FLAGS {
            ZONE => tell(value)?,
            ORIGINAL | REPLY => {
                for attribute in attributes(value) {
                    let (kind, value) = attribute?;
                    if kind & !FLAGS == TUPLE_ZONE {
                        tell(value)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `None` for a protocol without ports.
fn tuple(value: &[u8]) -> Result<Option<Tuple>, Malformed> {
    let (mut from, mut to) = (None, None);
    let (mut known, mut ports) = (None, (0, 0));
    let (mut echo, mut kind_of_echo) = (0, None);
    for attribute in attributes(value) {
        let (kind, value) = attribute?;
        // A zone attribute has no nested attributes.
        if kind & !FLAGS == TUPLE_ZONE {
            continue;
        }
        for attribute in attributes(value) {
            let (inner, value) = attribute?;
            let v4 = || array_at::<4>(value, 0).map(IpAddr::from);
            let v6 = || array_at::<16>(value, 0).map(IpAddr::from);
            let port = || array_at(value, 0).map(u16::from_be_bytes);
            match (kind & !FLAGS, inner & !FLAGS) {
                (IP, FROM_V4) => from = Some(v4()?),
                (IP, TO_V4) => to = Some(v4()?),
                (IP, FROM_V6) => from = Some(v6()?),
                (IP, TO_V6) => to = Some(v6()?),
                (TRANSPORT, NUMBER) => known = protocol(*value.first().ok_or(Malformed)?),
                (TRANSPORT, FROM_PORT) => ports.0 = port()?,
                (TRANSPORT, TO_PORT) => ports.1 = port()?,
                (TRANSPORT, inner) if inner == ECHO_V4[0] || inner == ECHO_V6[0] => echo = port()?,
                (TRANSPORT, inner) if inner == ECHO_V4[1] || inner == ECHO_V6[1] => {
                    kind_of_echo = Some(*value.first().ok_or(Malformed)?);
                }
                _ => {}
            }
        }
    }
    let (from, to) = from.zip(to).ok_or(Malformed)?;
    if known == Some(Protocol::Icmp) {
        let of_echo = kind_of_echo.and_then(|kind| ends_of_echo(kind, echo));
        let Some(of_echo) = of_echo else {
            return Ok(None);
        };
        ports = of_echo;
    }
    Ok(known.map(|protocol| Tuple {
        protocol,
        from: SocketAddr::new(from, ports.0),
        to: SocketAddr::new(to, ports.1),
    }))
}

/// The values in place of ports: the id, at the end that sends the request. `None` for other
/// messages.
const fn ends_of_echo(kind: u8, id: u16) -> Option<(u16, u16)> {
    match kind {
        REQUEST_V4 | REQUEST_V6 => Some((id, 0)),
        REPLY_V4 | REPLY_V6 => Some((0, id)),
        _ => None,
    }
}

/// The connections of the list in `/proc`; lines without one are skipped.
pub(crate) fn listed(text: &[u8]) -> impl Iterator<Item = Connection> {
    text.split(|byte| *byte == b'\n').filter_map(line)
}

/// `ipv4 2 udp 17 29 src=10.0.0.2 dst=… sport=… dport=… src=… dst=… sport=… dport=… use=1`
fn line(line: &[u8]) -> Option<Connection> {
    let text = std::str::from_utf8(line).ok()?;
    let protocol = protocol(text.split_ascii_whitespace().nth(3)?.parse().ok()?)?;
    let values = |key: &'static str| {
        let words = text.split_ascii_whitespace();
        words.filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
    };
    let (mut from, mut to) = (values("src"), values("dst"));
    let (mut from_port, mut to_port) = (values("sport"), values("dport"));
    let (mut kinds, mut ids) = (values("type"), values("id"));
    let mut tuple = || {
        let ip = |text: &str| -> Option<IpAddr> {
            let v4 = text.parse().map(|ip: Ipv4Addr| ip.into());
            v4.or_else(|_| text.parse().map(|ip: Ipv6Addr| ip.into()))
                .ok()
        };
        let (from, to) = (ip(from.next()?)?, ip(to.next()?)?);
        let (sent, taken) = if protocol == Protocol::Icmp {
            ends_of_echo(kinds.next()?.parse().ok()?, ids.next()?.parse().ok()?)?
        } else {
            (
                from_port.next()?.parse().ok()?,
                to_port.next()?.parse().ok()?,
            )
        };
        Some(Tuple {
            protocol,
            from: SocketAddr::new(from, sent),
            to: SocketAddr::new(to, taken),
        })
    };
    let (original, reply) = (tuple()?, tuple()?);
    Some(Connection { original, reply })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn udp(from: &str, to: &str) -> Tuple {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Tuple {
            protocol: Protocol::Udp,
            from,
            to,
        }
    }

    fn end(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn from(connection: &Connection, local: &str, remote: &str) -> Option<TranslatedFrom> {
        connection.translated_from(end(local), end(remote))
    }

    fn ends(local: &str, remote: &str) -> TranslatedFrom {
        TranslatedFrom::new(end(local), end(remote))
    }

    #[test]
    fn original_ends_behind_an_address_are_found() {
        let (host, far) = ("10.97.0.1:5000", "10.97.0.2:9000");
        let local = Connection {
            original: udp(host, far),
            reply: udp(far, host),
        };
        assert_eq!(from(&local, host, far), None);
        let itself = Connection {
            original: udp(host, host),
            reply: udp(host, host),
        };
        assert_eq!(from(&itself, host, host), None);
        // A container behind the host.
        let inner = "10.98.0.2:5000";
        let masqueraded = Connection {
            original: udp(inner, far),
            reply: udp(far, host),
        };
        assert_eq!(from(&masqueraded, host, far), Some(ends(inner, far)));
        // As the device that leads to the container shows it.
        assert_eq!(from(&masqueraded, inner, far), None);
        // A port of the host that leads to a container, or to another port of the host.
        for behind in ["10.98.0.2:80", "10.97.0.1:81"] {
            let forwarded = Connection {
                original: udp(far, host),
                reply: udp(behind, far),
            };
            assert_eq!(from(&forwarded, host, far), Some(ends(behind, far)));
        }
        // The remote end is translated: the socket has the address that the program requested.
        let service = "192.0.2.1:9";
        let sent = Connection {
            original: udp(host, service),
            reply: udp(far, host),
        };
        assert_eq!(from(&sent, host, far), Some(ends(host, service)));
        // Both are: a container sends to a port of the host that leads to another container.
        let (gateway, other) = ("10.98.0.1:6000", "10.98.0.3:80");
        let hairpin = Connection {
            original: udp(inner, host),
            reply: udp(other, gateway),
        };
        assert_eq!(from(&hairpin, host, inner), Some(ends(other, gateway)));
        assert_eq!(from(&hairpin, gateway, other), Some(ends(inner, host)));
    }

    #[test]
    fn ends_with_different_original_ends_are_listed() {
        let (host, far, inner) = ("10.97.0.1:5000", "10.97.0.2:9000", "10.98.0.2:5000");
        let connection = |original, reply| Connection { original, reply };
        let hidden = |connection: Connection| {
            let all = connection.received().into_iter();
            let hidden = all.filter_map(|(shown, from)| Some((shown, from?)));
            hidden.collect::<Vec<_>>()
        };
        assert_eq!(hidden(connection(udp(host, far), udp(far, host))), []);
        let shown = (end(host), end(far));
        let expected = (shown, ends(inner, far));
        // As packets show it on the way to the far end, and on the way back before translation.
        let masqueraded = connection(udp(inner, far), udp(far, host));
        let before = ((end(far), end(inner)), ends(far, host));
        assert_eq!(hidden(masqueraded), [before, expected]);
        let forwarded = connection(udp(far, host), udp(inner, far));
        let behind = ((end(far), end(inner)), ends(far, host));
        assert_eq!(hidden(forwarded), [expected, behind]);
        // A socket of this host, whose packets get another port on their way.
        let other = "10.97.0.1:25177";
        let moved = connection(udp(host, far), udp(far, other));
        let shown = (end(other), end(far));
        let before = ((end(far), end(host)), ends(far, other));
        assert_eq!(hidden(moved), [before, (shown, ends(host, far))]);
        assert_eq!(from(&moved, host, far), None);
        // A socket to which this host redirects packets for another port.
        let redirected = connection(udp(far, other), udp(host, far));
        assert_eq!(from(&redirected, host, far), None);
        assert_eq!(from(&redirected, other, far), Some(ends(host, far)));
    }

    #[test]
    fn zones_are_read() {
        let zones_of = |attributes: &[Vec<u8>]| {
            let mut body = vec![2, 0, 0, 0];
            body.extend(attributes.concat());
            let mut found = Vec::new();
            zones(&body, |zone| found.push(zone)).unwrap();
            found
        };
        let zone = |kind, zone: u16| attribute(kind, &zone.to_be_bytes());
        assert!(zones_of(&[]).is_empty());
        assert_eq!(zones_of(&[zone(ZONE, 5)]), [5]);
        let of_one = [nested(ORIGINAL, &zone(TUPLE_ZONE, 7)), nested(REPLY, &[])];
        assert_eq!(zones_of(&of_one), [7]);
        // Attributes beside those of a tuple.
        let expected = udp("10.98.0.2:1", "10.97.0.2:2");
        let in_zone = [encoded(&expected), zone(TUPLE_ZONE, 7)].concat();
        assert_eq!(tuple(&in_zone), Ok(Some(expected)));
    }

    /// As `conntrack -L` and the kernel's list show it.
    #[test]
    fn lists_are_read() {
        let text = b"ipv4     2 tcp      6 431999 ESTABLISHED src=10.98.0.2 dst=10.97.0.2 \
            sport=55116 dport=9000 src=10.97.0.2 dst=10.97.0.1 sport=9000 dport=55116 [ASSURED] \
            mark=0 zone=0 use=2\nipv4     2 icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 \
            code=0 id=1 src=10.0.0.2 dst=10.0.0.9 type=0 code=0 id=7 mark=0 use=1\n";
        let expected = Connection {
            original: Tuple {
                protocol: Protocol::Tcp,
                ..udp("10.98.0.2:55116", "10.97.0.2:9000")
            },
            reply: Tuple {
                protocol: Protocol::Tcp,
                ..udp("10.97.0.2:9000", "10.97.0.1:55116")
            },
        };
        // An echo request whose id the host changed.
        let end = |text: &str| text.parse().unwrap();
        let icmp = |from: &str, to: &str| Tuple {
            protocol: Protocol::Icmp,
            from: end(from),
            to: end(to),
        };
        let echo = Connection {
            original: icmp("10.0.0.1:1", "10.0.0.2:0"),
            reply: icmp("10.0.0.2:0", "10.0.0.9:7"),
        };
        assert_eq!(listed(text).collect::<Vec<_>>(), [expected, echo]);
        assert_eq!(
            from(&echo, "10.0.0.9:7", "10.0.0.2:0"),
            Some(ends("10.0.0.1:1", "10.0.0.2:0"))
        );
    }

    prop_compose! {
        fn any_tuple(is_v4: bool)(
            ips in any::<([u8; 16], [u8; 16])>(),
            ports: (u16, u16),
            place in 0..4_usize,
        ) -> Tuple {
            let ip = |bytes: [u8; 16]| {
                let v4 = [bytes[0], bytes[1], bytes[2], bytes[3]];
                if is_v4 { IpAddr::from(v4) } else { IpAddr::from(bytes) }
            };
            let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::UdpLite, Protocol::Icmp];
            let protocol = protocols[place];
            // Only one end of an echo request has the id.
            let taken = if protocol == Protocol::Icmp { 0 } else { ports.1 };
            Tuple {
                protocol,
                from: SocketAddr::new(ip(ips.0), ports.0),
                to: SocketAddr::new(ip(ips.1), taken),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (original, reply) in any::<bool>().prop_flat_map(|v4| (any_tuple(v4), any_tuple(v4))),
        ) {
            let connection = Connection { original, reply };
            let mut body = vec![2, 0, 0, 0];
            body.extend(nested(ORIGINAL, &encoded(&original)));
            // Such as its status.
            body.extend(attribute(3, &[0; 4]));
            body.extend(nested(REPLY, &encoded(&reply)));
            let mut bytes = frame::header(body.len(), NEW, 0, 1).to_vec();
            bytes.extend(body);
            let read: Vec<_> = answers(&bytes).collect();
            prop_assert_eq!(read, [Ok(Answered::Connection(connection))]);
            prop_assert!(connection.has(&original) && connection.has(&reply));
            // A request is a message of the same form.
            let mut sent = request(&original, 0, 1);
            sent[4..6].copy_from_slice(&NEW.to_ne_bytes());
            prop_assert_eq!(answers(&sent).collect::<Vec<_>>(), [Ok(Answered::Other)]);
        }

        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), text in "[a-z0-9 =.:\n]{0,200}") {
            answers(&bytes).for_each(drop);
            let _ = zones(&bytes, |_| {});
            let mut framed = frame::header(bytes.len(), NEW, 0, 1).to_vec();
            framed.extend(&bytes);
            answers(&framed).for_each(drop);
            listed(&bytes).for_each(drop);
            listed(text.as_bytes()).for_each(drop);
        }
    }
}

//! What people say of sockets, where the system has one word for two things.

use flowner_attribution::{Protocol, Socket, SocketState};

/// Whether a socket takes what comes from anybody: it listens for connections, or it takes
/// datagrams and is not connected.
pub fn is_listening(socket: &Socket) -> bool {
    match (socket.protocol, socket.state) {
        (Protocol::Tcp | Protocol::Sctp | Protocol::Dccp, Some(state)) => {
            state == SocketState::Listen
        }
        // They take answers alone, or copies of frames.
        (Protocol::Icmp | Protocol::Packet, _) => false,
        _ => socket.remote.is_none(),
    }
}

/// The name of the device that a socket is bound to, where it has one that is known here.
pub fn device_of(socket: &Socket) -> Option<String> {
    let device = socket.device.filter(|_| socket.namespace.is_none())?;
    flowner_attribution::device_name(device)
}

/// Whether a socket is what the system keeps of a TCP connection that is over, for a minute
/// (TIME-WAIT, RFC 9293, 3.6.1). Nobody holds it, and a busy server has thousands.
pub fn is_over(socket: &Socket) -> bool {
    socket.protocol == Protocol::Tcp && socket.state == Some(SocketState::TimeWait)
}

/// The name of a socket's state, as JSON writes it. A datagram socket that is not connected
/// is `unconnected` on every system: to Linux it is as closed as one that nobody uses any more,
/// and Windows and macOS have no word for it. These two do not tell the other end of one that is
/// connected either, which so has the same state.
pub fn socket_state_name(socket: &Socket) -> Option<&'static str> {
    match (socket.protocol, socket.state) {
        (Protocol::Tcp | Protocol::Sctp | Protocol::Dccp | Protocol::Packet, state) => {
            state.map(SocketState::name)
        }
        (_, Some(SocketState::Closed)) => Some(UNCONNECTED),
        (_, None) if socket.remote.is_none() => Some(UNCONNECTED),
        (_, state) => state.map(SocketState::name),
    }
}

/// As filters take it, too.
pub(crate) const UNCONNECTED: &str = "unconnected";

#[cfg(test)]
mod tests {
    use flowner_attribution::{Reason, Verdict};

    use super::*;

    #[track_caller]
    fn check(
        protocol: Protocol,
        state: Option<SocketState>,
        remote: Option<&str>,
        expected: (bool, Option<&str>),
    ) {
        let socket = {
            let mut socket = Socket::new(
                protocol,
                "10.0.0.1:80".parse().unwrap(),
                Verdict::Unknown(Reason::Gone),
            );
            socket.remote = remote.map(|remote| remote.parse().unwrap());
            socket.state = state;
            socket
        };
        assert_eq!(
            (is_listening(&socket), socket_state_name(&socket)),
            expected
        );
    }

    #[test]
    fn what_is_left_of_connections_is_over() {
        let mut socket = {
            let mut socket = Socket::new(
                Protocol::Tcp,
                "10.0.0.1:80".parse().unwrap(),
                Verdict::Unknown(Reason::Gone),
            );
            socket.remote = Some("10.0.0.2:9".parse().unwrap());
            socket.state = Some(SocketState::TimeWait);
            socket
        };
        assert!(is_over(&socket));
        socket.state = Some(SocketState::CloseWait);
        assert!(!is_over(&socket));
        socket.state = None;
        assert!(!is_over(&socket));
    }

    #[test]
    fn who_takes_what_comes() {
        use SocketState::{Closed, Established, Listen};

        let far = Some("10.0.0.2:9");
        check(Protocol::Tcp, Some(Listen), None, (true, Some("listen")));
        check(
            Protocol::Tcp,
            Some(Established),
            far,
            (false, Some("established")),
        );
        check(Protocol::Tcp, Some(Closed), None, (false, Some("closed")));
        check(
            Protocol::Udp,
            Some(Closed),
            None,
            (true, Some("unconnected")),
        );
        check(
            Protocol::Udp,
            Some(Established),
            far,
            (false, Some("established")),
        );
        check(
            Protocol::Raw,
            Some(Closed),
            None,
            (true, Some("unconnected")),
        );
        // The portable table.
        check(Protocol::Udp, None, None, (true, Some("unconnected")));
        check(Protocol::Udp, None, far, (false, None));
        check(Protocol::Tcp, None, None, (true, None));
    }
}

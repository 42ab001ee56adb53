//! Words for sockets where the system has one word for two things.

use flowner_attribution::{Protocol, Socket, SocketState};

/// Whether a socket receives from any remote end: it listens for connections, or it receives
/// datagrams and is unconnected.
pub fn is_listening(socket: &Socket) -> bool {
    match (socket.protocol, socket.state) {
        (Protocol::Tcp | Protocol::Sctp | Protocol::Dccp, Some(state)) => {
            state == SocketState::Listen
        }
        // They only receive answers, or copies of frames.
        (Protocol::Icmp | Protocol::Packet, _) => false,
        _ => socket.remote.is_none(),
    }
}

/// The name of the device to which a socket is bound, if the device has a name here.
pub fn device_of(socket: &Socket) -> Option<String> {
    let device = socket.device.filter(|_| socket.namespace.is_none())?;
    flowner_attribution::device_name(device)
}

/// Whether a socket is the rest of an ended TCP connection, which the system keeps for a minute
/// (TIME-WAIT, RFC 9293, 3.6.1). It has no owner, and a busy server has thousands.
pub fn is_time_wait(socket: &Socket) -> bool {
    socket.protocol == Protocol::Tcp && socket.state == Some(SocketState::TimeWait)
}

/// The name of a socket's state, as JSON writes it. An unconnected datagram socket is `unconnected`
/// on every system: Linux reports it as closed, and Windows and macOS have no word for it. These
/// two do not report the remote end of a connected one either, which therefore has the same state.
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

/// Filters use it, too.
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
    fn the_rest_of_a_connection_is_over() {
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
        assert!(is_time_wait(&socket));
        socket.state = Some(SocketState::CloseWait);
        assert!(!is_time_wait(&socket));
        socket.state = None;
        assert!(!is_time_wait(&socket));
    }

    #[test]
    fn sockets_that_receive_from_any_remote_end() {
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

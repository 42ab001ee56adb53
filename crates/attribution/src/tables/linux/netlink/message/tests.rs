use proptest::prelude::*;

use super::*;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn framed(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(body.len(), kind, 0, 1).to_vec();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// As `inet_sk_diag_fill` in `net/ipv4/inet_diag.c` writes it, with known and unknown attributes
/// mixed.
fn written(socket: &DiagSocket, state: u8) -> Vec<u8> {
    let (low, high) = (socket.cookie & 0xffff_ffff, socket.cookie >> 32);
    let word = |half: u64| u32::try_from(half).unwrap().to_ne_bytes();
    let any: IpAddr = match socket.local {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let remote = socket.remote.unwrap_or_else(|| SocketAddr::new(any, 0));
    let mut body = vec![Family::of(socket.local).number(), state, 0, 0];
    body.extend(socket.local.port().to_be_bytes());
    body.extend(remote.port().to_be_bytes());
    body.extend(address_bytes(socket.local.ip()));
    body.extend(address_bytes(remote.ip()));
    // The interface.
    body.extend([0; 4]);
    body.extend(word(low));
    body.extend(word(high));
    // The time at which a timer expires, and two queues.
    body.extend([7; 12]);
    body.extend(socket.uid.to_ne_bytes());
    body.extend(socket.inode.to_ne_bytes());
    // `INET_DIAG_SHUTDOWN` of one byte, and `INET_DIAG_CONG`.
    body.extend(attribute(8, &[3]));
    body.extend(attribute(SKV6ONLY, &[socket.v6_only.into()]));
    body.extend(attribute(4, b"cubic\0"));
    if let Some(id) = socket.cgroup {
        body.extend(attribute(CGROUP_ID, &id.to_ne_bytes()));
    }
    framed(BY_FAMILY, &body)
}

fn ends() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    let v4 = any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into()));
    let v6 = any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.into(), b.into()));
    prop_oneof![v4, v6]
}

prop_compose! {
    fn sockets()(
        (ours, theirs) in ends(),
        (local, remote) in any::<(u16, Option<u16>)>(),
        number in 0..=13_u8,
        (inode, uid, cookie) in any::<(u32, u32, u64)>(),
        (cgroup, v6_only) in any::<(Option<u64>, bool)>(),
    ) -> (DiagSocket, u8) {
        let remote = remote.filter(|port| *port != 0);
        let socket = DiagSocket {
            state: state(number),
            local: SocketAddr::new(ours, local),
            remote: remote.map(|port| SocketAddr::new(theirs, port)),
            inode,
            uid,
            cookie,
            cgroup,
            unaccepted: (state(number) == Some(SocketState::Listen)).then_some(0x0707_0707),
            v6_only,
            device: None,
            packet: None,
        };
        (socket, number)
    }
}

#[test]
fn ends_and_errors() {
    let done = framed(3, &0_i32.to_ne_bytes());
    let absent = framed(2, &(-2_i32).to_ne_bytes());
    // A dump that the kernel does not know ends with an error number.
    let refused = framed(3, &(-2_i32).to_ne_bytes());
    let bytes = [framed(17, &[]), done, absent, refused].concat();
    let expected = [
        Ok(Message::Other),
        Ok(Message::Done),
        Ok(Message::Error(-2)),
        Ok(Message::Error(-2)),
    ];
    assert_eq!(messages(&bytes).collect::<Vec<_>>(), expected);
    // Sockets of a family that was not requested, and of none.
    let unix = framed(BY_FAMILY, &[1; 16]);
    assert_eq!(messages(&unix).collect::<Vec<_>>(), [Ok(Message::Other)]);
    let empty = framed(BY_FAMILY, &[]);
    assert_eq!(messages(&empty).collect::<Vec<_>>(), [Err(Malformed)]);
}

proptest! {
    #[test]
    fn what_the_kernel_writes_is_read(sockets in prop::collection::vec(sockets(), 0..5)) {
        let bytes: Vec<u8> = sockets.iter().flat_map(|(socket, number)| written(socket, *number)).collect();
        let expected: Vec<_> = sockets.iter().map(|(socket, _)| Ok(Message::Socket(*socket))).collect();
        prop_assert_eq!(messages(&bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_cut_is_malformed_and_ends_it((socket, number) in sockets(), cut in any::<prop::sample::Index>()) {
        let whole = written(&socket, number);
        let cut = 1 + cut.index(whole.len() - 1);
        let bytes = [&whole, &whole[..cut]].concat();
        let expected = [Ok(Message::Socket(socket)), Err(Malformed)];
        prop_assert_eq!(messages(&bytes).collect::<Vec<_>>(), expected);
    }

    /// A request has its ends in the form of an answer, 4 bytes later.
    #[test]
    fn requests_name_the_ends(
        (ours, theirs) in ends(),
        (local, remote) in any::<(u16, u16)>(),
        (interface, sequence) in any::<(u32, u32)>(),
        protocol in prop::sample::select(&Protocol::ALL[..]),
    ) {
        let (local, remote) = (SocketAddr::new(ours, local), SocketAddr::new(theirs, remote));
        let request = exact(interface, protocol, local, remote, sequence);
        prop_assert_eq!(&request[8..12], sequence.to_ne_bytes());
        let frame = frames(&request).next();
        let Some(Ok(Frame::Other(BY_FAMILY, body))) = frame else {
            return Err(TestCaseError::fail(format!("{frame:?}")));
        };
        prop_assert_eq!(body.len(), REQUEST_LEN);
        let (source, destination) = match protocol {
            Protocol::Udp | Protocol::UdpLite => (remote, local),
            _ => (local, remote),
        };
        prop_assert_eq!(&body[8..10], source.port().to_be_bytes());
        prop_assert_eq!(&body[10..12], destination.port().to_be_bytes());
        prop_assert_eq!(&body[12..28], address_bytes(source.ip()));
        prop_assert_eq!(&body[28..44], address_bytes(destination.ip()));
        prop_assert_eq!(&body[44..48], interface.to_ne_bytes());
    }

    #[test]
    fn any_bytes_are_survived(bytes in any::<Vec<u8>>(), body in any::<Vec<u8>>(), family in 0..12_u8) {
        messages(&bytes).for_each(drop);
        messages(&framed(BY_FAMILY, &body)).for_each(drop);
        let attributes = [vec![family; SOCKET_LEN], body].concat();
        messages(&framed(BY_FAMILY, &attributes)).for_each(drop);
    }
}

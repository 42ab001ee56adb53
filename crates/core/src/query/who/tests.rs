use super::*;
use flowner_attribution::{NetworkNamespace, Reason, SocketState, Source, Verdict};
use proptest::prelude::*;

/// A target in short.
fn show(text: &str) -> String {
    let protocol = |p: Option<Protocol>| p.map_or("any", Protocol::name);
    match text.parse() {
        Ok(WhoTarget::Port { protocol: p, port }) => format!("{} port {port}", protocol(p)),
        Ok(WhoTarget::Endpoint {
            protocol: p,
            local,
            device,
        }) => match device {
            Some(device) => format!("{} {local} on {device}", protocol(p)),
            None => format!("{} {local}", protocol(p)),
        },
        Ok(WhoTarget::FiveTuple(query)) => query.to_string(),
        Ok(WhoTarget::Address(address)) => format!("at {address}"),
        Ok(WhoTarget::AddressOn { address, device }) => format!("at {address} on {device}"),
        Ok(WhoTarget::Owner(filter)) => format!("owner {filter}"),
        Ok(WhoTarget::Protocol(protocol)) => format!("all of {protocol}"),
        Err(error) => format!("{error:?}"),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(show(text), expected, "{text}");
}

#[test]
fn ports_and_endpoints() {
    check("443", "any port 443");
    check(":443", "any port 443");
    check("*:443", "any port 443");
    check("udp:53", "udp port 53");
    check(" UDP 53 ", "udp port 53");
    check("tcp::80", "tcp port 80");
    check("127.0.0.1:80", "any 127.0.0.1:80");
    check("[::1]:80", "any [::1]:80");
    check("tcp:[::1]:80", "tcp [::1]:80");
    check("[::ffff:10.0.0.1]:80", "any 10.0.0.1:80");
    check("[fe80::1%3]:80", "any [fe80::1%3]:80");
}

#[test]
fn protocols_and_what_stands_in_place_of_a_port() {
    check("icmp", "all of icmp");
    check(" SCTP ", "all of sctp");
    check("packet", "all of packet");
    check("sctp/5000", "sctp port 5000");
    check("icmp:777", "icmp port 777");
    check("raw 253", "raw port 253");
    check("icmp:", "Empty");
}

#[test]
fn numbers_of_protocols_and_ids_are_no_ports() {
    let socket = |protocol, local: &str| {
        Socket::new(
            protocol,
            local.parse().unwrap(),
            Verdict::Unknown(Reason::Gone),
        )
    };
    let sockets = vec![
        socket(Protocol::Tcp, "10.0.0.1:1"),
        socket(Protocol::Sctp, "10.0.0.1:1"),
        socket(Protocol::Icmp, "10.0.0.1:1"),
        socket(Protocol::Raw, "10.0.0.1:1"),
        socket(Protocol::Raw, "[::]:58"),
        socket(Protocol::Raw, "10.0.0.1:253"),
        socket(Protocol::Packet, "0.0.0.0:0"),
    ];
    let now = std::time::SystemTime::now();
    let snapshot = Snapshot::new(Source::Scripted, now, now, sockets);
    let found = |text: &str| {
        let target: WhoTarget = text.parse().unwrap();
        let found = target.sockets_in(&snapshot).into_iter();
        let shown = found.map(|one| format!("{} {}", one.protocol, one.local));
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(found("1"), "tcp 10.0.0.1:1, sctp 10.0.0.1:1");
    assert_eq!(found("10.0.0.1:1"), "tcp 10.0.0.1:1, sctp 10.0.0.1:1");
    assert_eq!(found("icmp:1"), "icmp 10.0.0.1:1");
    assert_eq!(found("raw 253"), "raw 10.0.0.1:253");
    assert_eq!(
        found("icmp"),
        "icmp 10.0.0.1:1, raw 10.0.0.1:1, raw [::]:58"
    );
    assert_eq!(found("packet"), "packet 0.0.0.0:0");
    assert_eq!(found("sctp/1"), "sctp 10.0.0.1:1");
}

#[cfg(target_os = "linux")]
#[test]
fn devices_have_names_and_numbers() {
    check("[fe80::1%lo]:80", "any [fe80::1%1]:80");
    check("[fe80::1]%lo:80", "any [fe80::1%1]:80");
    check("udp:0.0.0.0%lo:68", "udp 0.0.0.0:68 on 1");
    check("fe80::1%lo", "at fe80::1 on 1");
    check("[fe80::1%lo]", "at fe80::1 on 1");
    check("[fe80::1%none]:80", "Device(\"none\")");
    check("[fe80::1%]:80", "Device(\"\")");
    check("[fe80::1%0]:80", "Device(\"0\")");
    let connection = "udp [fe80::1%7]:1 -> [fe80::2%7]:2";
    check(connection, connection);
    check(
        "udp [fe80::1%7]:1 -> [fe80::2%8]:2",
        &format!(
            "{:?}",
            WhoError::Devices("udp [fe80::1%7]:1 -> [fe80::2%8]:2".to_owned())
        ),
    );
    check(
        "udp 10.0.0.1%7:1 -> 10.0.0.2:2",
        "udp 10.0.0.1:1 -> 10.0.0.2:2 on device 7",
    );
}

#[test]
fn a_scope_leaves_out_other_devices() {
    for (device, expected) in [(2, true), (3, false)] {
        let socket = {
            let mut made = socket(Protocol::Tcp, &format!("[fe80::1%{device}]:80"), None);
            made.device = Some(device);
            made
        };
        for (target, remote) in [
            ("[fe80::1%2]:80", None),
            ("fe80::1%2", None),
            ("tcp [fe80::1%2]:80 [fe80::9%2]:1", Some("[fe80::9]:1")),
        ] {
            let socket = {
                let mut made = socket.clone();
                made.remote = remote.map(|remote| remote.parse().unwrap());
                made
            };
            let target: WhoTarget = target.parse().unwrap();
            assert_eq!(has(&target, &socket), expected, "{target:?} {device}");
        }
    }
}

#[test]
fn connections() {
    let expected = "tcp 10.0.0.2:45784 -> 93.184.216.34:443";
    check("tcp 10.0.0.2:45784 93.184.216.34:443", expected);
    check("tcp 10.0.0.2:45784 -> 93.184.216.34:443", expected);
    check("tcp 10.0.0.2:45784->93.184.216.34:443", expected);
    check("tcp:10.0.0.2:45784 - 93.184.216.34:443", expected);
    check("udp [::1]:1 [::2]:2", "udp [::1]:1 -> [::2]:2");
}

#[test]
fn addresses_and_owners() {
    check("127.0.0.1", "at 127.0.0.1");
    check("::1", "at ::1");
    check("[::1]", "at ::1");
    check("::ffff:10.0.0.1", "at 10.0.0.1");
    check("pid:4242", "owner pid:4242");
    check("Program:firefox", "owner program:firefox");
    check("user:ada", "owner user:ada");
    let error = "pid:x".parse::<WhoTarget>().unwrap_err().to_string();
    assert!(
        error.contains("not a valid process id") && error.contains('^'),
        "{error}"
    );
}

#[test]
fn errors_say_what_is_wrong() {
    check("", "Empty");
    check("tcp -> ", "Empty");
    check("0", "Port(\"0\")");
    check("65536", "Port(\"65536\")");
    check("127.0.0.1:0", "Port(\"0\")");
    check("tcp 127.0.0.1", "NoPort(127.0.0.1)");
    check("*", "Address(\"*\")");
    check(":", "Address(\":\")");
    check("localhost:80", "Address(\"localhost:80\")");
    check("-5", "Address(\"-5\")");
    check("1.1.1.1:1 2.2.2.2:2", "NoProtocol");
    check("tcp 443 2.2.2.2:2", "NoAddress(\"443\")");
    check("tcp 1 2", "NoAddress(\"2\")");
    check("tcp 1.1.1.1:1 :2", "NoAddress(\":2\")");
    check("127.0.0.1:70000", "Port(\"70000\")");
    check("tcp [::1]:70000", "Port(\"70000\")");
    check("udp 1.1.1.1:1 [::1]:99999999999", "Port(\"99999999999\")");
    check("tcp [::1]", "NoPort(::1)");
    check("127.0.0.1:http", "Address(\"127.0.0.1:http\")");
    check("[127.0.0.1]", "Address(\"[127.0.0.1]\")");
    check("tcp 1.1.1.1:1 2.2.2.2:2 x", "TooMany(\"x\")");
    let message = "https".parse::<WhoTarget>().unwrap_err().to_string();
    assert!(
        message.contains("expected a port (443, udp:53, sctp/5000)"),
        "{message}"
    );
}

fn socket(protocol: Protocol, local: &str, remote: Option<&str>) -> Socket {
    {
        let mut socket = Socket::new(
            protocol,
            local.parse().unwrap(),
            Verdict::Unknown(Reason::Gone),
        );
        socket.remote = remote.map(|remote| remote.parse().unwrap());
        socket
    }
}

fn snapshot(sockets: &[Socket]) -> Snapshot {
    let now = std::time::SystemTime::UNIX_EPOCH;
    Snapshot::new(Source::Scripted, now, now, sockets.to_vec())
}

fn has(target: &WhoTarget, socket: &Socket) -> bool {
    !target
        .sockets_in(&snapshot(std::slice::from_ref(socket)))
        .is_empty()
}

#[track_caller]
fn check_matches(target: &str, local: &str, remote: Option<&str>, expected: bool) {
    let target: WhoTarget = target.parse().unwrap();
    let socket = socket(Protocol::Tcp, local, remote);
    assert_eq!(has(&target, &socket), expected, "{target:?} {socket:?}");
}

#[test]
fn sockets_are_matched() {
    check_matches("80", "10.0.0.1:80", None, true);
    check_matches("80", "10.0.0.1:81", Some("10.0.0.2:80"), false);
    check_matches("tcp:80", "10.0.0.1:80", None, true);
    check_matches("udp:80", "10.0.0.1:80", None, false);
    check_matches("10.0.0.1:80", "10.0.0.1:80", Some("10.0.0.2:9"), true);
    check_matches("10.0.0.1:80", "10.0.0.2:80", None, false);
    check_matches("10.0.0.1:80", "0.0.0.0:80", None, true);
    check_matches("10.0.0.1:80", "[::]:80", None, true);
    check_matches("[::1]:80", "[::]:80", None, true);
    check_matches("[::1]:80", "0.0.0.0:80", None, false);
    check_matches("0.0.0.0:80", "10.0.0.1:80", None, false);
    let tuple = "tcp 10.0.0.1:80 10.0.0.2:9";
    check_matches(tuple, "10.0.0.1:80", Some("10.0.0.2:9"), true);
    check_matches(tuple, "10.0.0.1:80", Some("10.0.0.2:8"), false);
    check_matches(tuple, "10.0.0.1:80", None, false);
    check_matches("udp 10.0.0.1:80 10.0.0.2:9", "10.0.0.1:80", None, false);
    check_matches("10.0.0.2", "10.0.0.1:80", Some("10.0.0.2:8"), true);
    check_matches("10.0.0.3", "10.0.0.1:80", Some("10.0.0.2:8"), false);
    let v6_only = {
        let mut made = socket(Protocol::Tcp, "[::]:80", None);
        made.v6_only = true;
        made
    };
    let target: WhoTarget = "10.0.0.1:80".parse().unwrap();
    assert!(!has(&target, &v6_only));
}

/// Some tables do not know remote ends: there, the state of a socket distinguishes a connection
/// from the listener.
#[test]
fn without_remote_ends_only_connections_count_for_a_connection() {
    let target: WhoTarget = "tcp 10.0.0.1:80 10.0.0.2:9".parse().unwrap();
    for (state, expected) in [
        (Some(SocketState::Listen), false),
        (Some(SocketState::Established), true),
        (Some(SocketState::TimeWait), false),
        (None, false),
    ] {
        let mut made = socket(Protocol::Tcp, "10.0.0.1:80", None);
        made.state = state;
        assert_eq!(has(&target, &made), expected, "{state:?}");
    }
}

#[test]
fn waiting_for_a_port_means_waiting_for_a_listener() {
    let with = |state| {
        let mut made = socket(Protocol::Tcp, "10.0.0.1:80", None);
        made.state = state;
        made
    };
    let awaits = |target: &WhoTarget, socket| target.is_satisfied_by(&snapshot(&[socket]));
    let port: WhoTarget = "80".parse().unwrap();
    assert!(awaits(&port, with(Some(SocketState::Listen))));
    assert!(!awaits(&port, with(Some(SocketState::Established))));
    assert!(awaits(&port, with(None)));
    let address: WhoTarget = "10.0.0.1".parse().unwrap();
    assert!(awaits(&address, with(Some(SocketState::Established))));
}

#[test]
fn other_namespaces_have_their_own_addresses() {
    for (target, local, expected) in [
        ("80", "127.0.0.1:80", true),
        ("127.0.0.1:80", "127.0.0.1:80", false),
        ("127.0.0.1:80", "0.0.0.0:80", false),
        ("10.0.0.2:80", "10.0.0.2:80", true),
    ] {
        let elsewhere = {
            let mut made = socket(Protocol::Tcp, local, None);
            made.namespace = Some(std::sync::Arc::new(NetworkNamespace::new(1, None)));
            made
        };
        let target: WhoTarget = target.parse().unwrap();
        assert_eq!(has(&target, &elsewhere), expected, "{target:?} {local}");
    }
}

#[test]
fn only_a_target_with_one_answer_has_a_query() {
    let query = |text: &str| text.parse::<WhoTarget>().unwrap().query();
    let shown = |text| query(text).map(|query| query.to_string());
    assert_eq!(shown("443"), None);
    assert_eq!(shown("tcp:443"), None);
    assert_eq!(shown("127.0.0.1:80"), None);
    assert_eq!(shown("tcp 127.0.0.1:80").unwrap(), "tcp 127.0.0.1:80");
    let tuple = "udp 1.1.1.1:1 -> 2.2.2.2:2";
    assert_eq!(shown(tuple).unwrap(), tuple);
}

fn any_socket() -> impl Strategy<Value = Socket> {
    const ENDS: [&str; 6] = [
        "0.0.0.0:7",
        "[::]:7",
        "10.0.0.1:7",
        "127.0.0.1:7",
        "[::1]:7",
        "10.0.0.2:8",
    ];
    let end = || proptest::sample::select(&ENDS[..]);
    let protocol = proptest::sample::select(&Protocol::ALL[..]);
    let remote = proptest::option::of(end());
    let id = proptest::option::of(0_u64..2);
    (protocol, end(), remote, proptest::option::of(1_u32..3), id).prop_map(
        |(protocol, local, remote, device, id)| {
            let mut made = socket(protocol, local, remote);
            made.device = device;
            made.namespace = id.map(|id| std::sync::Arc::new(NetworkNamespace::new(id, None)));
            made
        },
    )
}

proptest! {
    #[test]
    fn an_endpoint_is_that_of_each_protocol(
        sockets in prop::collection::vec(any_socket(), 0..12),
        end in proptest::sample::select(&["8.8.8.8:7", "10.0.0.1:7", "127.0.0.1%1:7", "[::1]:7", "0.0.0.0:7"][..]),
    ) {
        let snapshot = snapshot(&sockets);
        let found = |text: &str| -> Vec<Socket> {
            let target: WhoTarget = text.parse().unwrap();
            target.sockets_in(&snapshot).into_iter().cloned().collect()
        };
        let each = ["tcp", "udp", "udplite", "sctp", "dccp"];
        let each = each.map(|protocol| found(&format!("{protocol} {end}")));
        prop_assert_eq!(found(end), each.concat());
        for protocol in Protocol::ALL.map(Protocol::name) {
            let text = format!("{protocol} {end}");
            let target: WhoTarget = text.parse().unwrap();
            let answer = snapshot.find(&target.query().unwrap());
            prop_assert_eq!(answer.evidence.matched.is_some(), !found(&text).is_empty());
        }
    }

    #[test]
    fn nothing_panics(text in ".*") {
        let _ = text.parse::<WhoTarget>();
    }

    #[test]
    fn a_question_about_a_group_is_read_as_it_is_written(reach in 0_u16..16, device in 1_u32..4) {
        let ip = std::net::Ipv6Addr::new(0xff00 | reach, 0, 0, 0, 0, 0, 0, 1);
        let local = std::net::SocketAddrV6::new(ip, 5, 0, device).into();
        let query = SocketQuery::udp(local, "[2001:db8::1]:7".parse().unwrap());
        prop_assert_eq!(query.to_string().parse(), Ok(WhoTarget::FiveTuple(query)));
    }

    #[test]
    fn a_question_is_read_as_it_is_written(local: SocketAddr, remote: SocketAddr, tcp: bool) {
        prop_assume!(local.port() > 0 && remote.port() > 0);
        let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let query = SocketQuery::new(protocol, local, Some(remote));
        prop_assert_eq!(query.to_string().parse(), Ok(WhoTarget::FiveTuple(query)));
    }
}

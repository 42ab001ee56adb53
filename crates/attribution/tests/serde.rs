//! The feature `serde` reads the values that it writes.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use flowner_attribution::{
    Evidence, ExeFile, Match, NetworkNamespace, Ownership, Process, Protocol, Reason, Socket,
    SocketId, SocketNamespace, SocketQuery, SocketState, Source, Unit, UnitKind, User, UserId,
    Verdict,
};
use serde::de::DeserializeOwned;

/// Writes a value, and reads it again.
fn again<T: serde::Serialize + DeserializeOwned>(value: &T) -> serde_json::Result<(String, T)> {
    let text = serde_json::to_string(value)?;
    let read = serde_json::from_str(&text)?;
    Ok((text, read))
}

#[track_caller]
fn check<T: serde::Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> String {
    match again(value) {
        Ok((text, read)) => {
            assert_eq!(&read, value, "{text}");
            text
        }
        Err(error) => panic!("{value:?}: {error}"),
    }
}

fn process() -> Process {
    let mut process = Process::new(7, "nginx");
    process.started = Some(SystemTime::UNIX_EPOCH);
    process.path = Some(PathBuf::from("/usr/sbin/nginx"));
    process.exe_file = Some(ExeFile::new(1, 2, 3, 4));
    process.arguments = Some(vec!["nginx".into(), "-g".into()]);
    process.user = Some(User::new(33, Some("www-data".to_owned())));
    process.unit = Some(Unit::new(UnitKind::Service, "nginx.service"));
    process
}

#[test]
fn answers_sockets_and_questions() {
    let verdicts = [
        Verdict::Process(Arc::new(process())),
        Verdict::Shared(vec![Arc::new(process()), Arc::new(Process::new(8, "p"))]),
        Verdict::Partial {
            user: Some(User::new(0, None)),
            unit: None,
        },
        Verdict::Unknown(Reason::OtherNamespace),
    ];
    for verdict in verdicts {
        let mut socket = Socket::new(Protocol::Tcp, "[fe80::1%2]:443".parse().unwrap(), verdict);
        socket.state = Some(SocketState::Listen);
        socket.id = SocketId::own(9);
        check(&socket);
        socket.id = SocketId::new(SocketNamespace::Other(4), 9);
        check(&socket);
        socket.id = SocketId::new(SocketNamespace::AnyOther, 9);
        socket.namespace = Some(Arc::new(NetworkNamespace::new(4, None)));
        check(&socket);
        let at = SystemTime::UNIX_EPOCH;
        let evidence = Evidence::new(Some(Match::FiveTuple), at, Source::SockDiag);
        check(&Ownership::new(socket.owner, evidence));
    }
    let query = "udp [fe80::1%2]:68 -> [fe80::2%2]:67 on device 2";
    let query: SocketQuery = query.parse().unwrap();
    assert_eq!(check(&query), format!("\"{query}\""));
    check(&query.as_sender());
}

#[test]
fn owners_of_a_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut attributor = flowner_attribution::Attributor::new().unwrap();
    let owners = attributor.port_owners(Protocol::Tcp, port).unwrap();
    assert!(!owners.is_empty());
    check(&owners);
}

#[test]
fn enums_are_their_names_and_users_their_numbers() {
    assert_eq!(check(&Protocol::UdpLite), r#""udplite""#);
    assert_eq!(check(&SocketState::FinWait1), r#""fin-wait-1""#);
    assert_eq!(check(&Reason::NotFound), r#""no-such-socket""#);
    assert_eq!(check(&UserId::Uid(33)), "33");
    let sid: UserId = "S-1-5-21-1-2-3-1001".parse().unwrap();
    assert_eq!(check(&sid), r#""S-1-5-21-1-2-3-1001""#);
    for text in ["S-1-", "S-1-5-x", "-1", ""] {
        assert!(text.parse::<UserId>().is_err(), "{text}");
        assert!(
            serde_json::from_value::<UserId>(text.into()).is_err(),
            "{text}"
        );
    }
    assert!(serde_json::from_str::<Protocol>(r#""tcpp""#).is_err());
}

/// Otherwise the value could not be serialised at all.
#[cfg(unix)]
#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    use std::os::unix::ffi::OsStringExt;

    let mut process = process();
    let odd = std::ffi::OsString::from_vec(vec![b'/', 0xff]);
    process.path = Some(odd.clone().into());
    process.arguments = Some(vec![odd]);
    let text = serde_json::to_string(&process).unwrap();
    assert_eq!(text.matches("\"/\u{fffd}\"").count(), 2, "{text}");
}

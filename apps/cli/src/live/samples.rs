//! Samples for the tests of the live view.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flowner_core::attribution::{
    Evidence, Match, Ownership, Process, Reason, Socket, SocketState, Source, User, Verdict,
};
use flowner_core::flows::{Counters, Direction, FlowId, Protocol, Rate, State};
use flowner_core::{EndState, FlowRecord, InputInfo, Principal, Report};

use super::data::{Data, Notice, Sockets};

/// 2026-01-01T00:01:00Z: everything is at most a minute old.
pub(super) const NOW: Duration = Duration::from_secs(1_767_225_660);

pub(super) fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

pub(super) fn process(pid: u32, name: &str) -> Arc<Process> {
    Arc::new({
        let mut process = Process::new(pid, name);
        process.started = Some(now() - Duration::from_secs(50));
        process.parent = Some(1);
        process.path = Some(format!("/usr/bin/{name}").into());
        process.arguments = Some(vec![name.into(), "--flag".into()]);
        process.user = Some(User::new(1000, Some("ada".to_owned())));
        process
    })
}

pub(super) fn owner(verdict: Verdict) -> Ownership {
    let is_known = !matches!(verdict, Verdict::Unknown(_));
    Ownership::new(
        verdict,
        Evidence::new(
            is_known.then_some(Match::FiveTuple),
            now() - Duration::from_secs(2),
            Source::SockDiag,
        ),
    )
}

fn counters(bytes: u64) -> Counters {
    Counters {
        packets: bytes.div_ceil(1_000),
        bytes,
        payload_bytes: 0,
    }
}

/// A flow with an owner and a remote end, with bytes a second in both directions; the totals are
/// ten times that.
pub(super) fn flow(id: u64, verdict: Verdict, remote: &str, rates: (u64, u64)) -> FlowRecord {
    let (sent, received) = rates;
    let record = FlowRecord {
        names: None,
        place: None,
        id: FlowId::from_u64(id),
        protocol: Protocol::TCP,
        local: format!("10.0.0.2:{}", 40_000 + id).parse().unwrap(),
        remote: remote.parse().unwrap(),
        device: Some("eth0".into()),
        service_port: 443,
        icmp_id: None,
        direction: Direction::Outgoing,
        state: State::Established,
        sent: counters(sent * 10),
        received: counters(received * 10),
        rate: Rate { sent, received },
        first_seen: NOW.saturating_sub(Duration::from_secs(40)),
        last_seen: NOW.saturating_sub(Duration::from_secs(1)),
        owner: None,
        remote_owner: None,
        principal: Principal::Unattributed,
        remote_principal: Principal::Unattributed,
        icmp: None,
        community_seed: 0,
        error: None,
        tcp: None,
        is_waiting: false,
        ended: None,
    };
    record.with_owners(Some(owner(verdict)), None)
}

/// A browser with two processes, curl, and flows without an owner.
pub(super) fn flows() -> Vec<FlowRecord> {
    let one = |pid, name| Verdict::Process(process(pid, name));
    vec![
        flow(
            1,
            one(300, "firefox"),
            "93.184.216.34:443",
            (2_000, 1_500_000),
        ),
        flow(2, one(301, "firefox"), "[2001:db8::1:2]:443", (100, 0)),
        flow(3, one(400, "curl"), "93.184.216.34:443", (900, 45_600)),
        flow(4, Verdict::Unknown(Reason::Gone), "9.9.9.9:443", (60, 70)),
    ]
}

pub(super) fn data(flows: Vec<FlowRecord>) -> Data {
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: true,
    };
    let report = Report::of(flows, input, EndState::Running);
    Data::of_report(Arc::new(report), now(), None)
}

/// A server with a client, and a socket of another user.
pub(super) fn sockets() -> Data {
    let socket = |local: &str, remote: Option<&str>, state, owner| {
        let mut socket = Socket::new(
            flowner_core::attribution::Protocol::Tcp,
            local.parse().unwrap(),
            owner,
        );
        socket.remote = remote.map(|remote| remote.parse().unwrap());
        socket.state = Some(state);
        socket
    };
    let nginx = || Verdict::Process(process(80, "nginx"));
    let root = Verdict::Partial {
        user: Some(User::new(0, Some("root".to_owned()))),
        unit: None,
    };
    let list = vec![
        socket("0.0.0.0:22", None, SocketState::Listen, root),
        socket("0.0.0.0:80", None, SocketState::Listen, nginx()),
        socket(
            "10.0.0.2:80",
            Some("10.0.0.9:5000"),
            SocketState::Established,
            nginx(),
        ),
    ];
    let principals = list
        .iter()
        .map(|it| Principal::of(Some(&owner(it.owner.clone()))));
    let sockets = Sockets {
        principals: principals.collect(),
        list,
        source: Source::SockDiag,
    };
    let notice = Notice {
        long: "no byte counts without: sudo setcap cap_net_raw=eip /usr/bin/flowner".to_owned(),
        short: "no byte counts; see `flowner doctor`".to_owned(),
    };
    Data::of_sockets(sockets, now(), Some(notice))
}

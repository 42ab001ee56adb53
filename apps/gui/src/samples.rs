//! What the tests of the pages look at.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flowner_core::attribution::{Evidence, Match, Ownership, Process, Source, Verdict};
use flowner_core::flows::{Counters, Direction, FlowId, Protocol, Rate, State};
use flowner_core::{
    AskedBy, EndState, FlowNames, FlowRecord, HostName, InputInfo, Name, NameSource, Principal,
    Report,
};

use crate::feed::{Picture, Wish};

/// The packet time of each report.
const NOW: Duration = Duration::from_secs(1_767_225_660);

/// A flow of the program with this number: it received so many bytes, each second.
pub(crate) fn flow(id: u8, rate: u32) -> FlowRecord {
    let number = u64::from(id);
    let bytes = u64::from(rate);
    let counters = Counters {
        packets: bytes,
        bytes,
        payload_bytes: 0,
    };
    let record = FlowRecord {
        names: None,
        place: None,
        id: FlowId::from_u64(number),
        protocol: Protocol::TCP,
        local: format!("10.0.0.2:{}", 40_000 + number).parse().unwrap(),
        remote: format!("192.0.2.{id}:443").parse().unwrap(),
        device: Some("eth0".into()),
        service_port: 443,
        icmp_id: None,
        direction: Direction::Outgoing,
        state: State::Established,
        sent: Counters::default(),
        received: counters,
        rate: Rate {
            sent: 0,
            received: bytes,
        },
        first_seen: NOW.saturating_sub(Duration::from_secs(40)),
        last_seen: NOW,
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
    let process = Process::new(1_000 + u32::from(id), format!("program-{id}"));
    let owner = Ownership::new(
        Verdict::Process(Arc::new(process)),
        Evidence::new(
            Some(Match::FiveTuple),
            SystemTime::UNIX_EPOCH + NOW,
            Source::SockDiag,
        ),
    );
    record.with_owners(Some(owner), None)
}

/// The name of a remote end, that DNS gave.
pub(crate) fn named(name: &str, asked_by: AskedBy) -> Arc<FlowNames> {
    let name = Name::from_text(name.as_bytes()).unwrap();
    let mut names = FlowNames::default();
    names.remote = Some(HostName::new(name, NameSource::Dns, asked_by));
    Arc::new(names)
}

/// What is shown of these flows.
pub(crate) fn picture(flows: Vec<FlowRecord>, wish: &Wish) -> Arc<Picture> {
    let input = InputInfo {
        name: "eth0".to_owned(),
        link_type: "ethernet",
        is_live: true,
    };
    let report = Report::of(flows, input, EndState::Running);
    Arc::new(Picture::new(&Arc::new(report), wish, None))
}

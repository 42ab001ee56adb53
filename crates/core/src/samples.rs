//! What the tests of this crate look at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use flowner_names::geo::GeoDatabases;
use flowner_testing::mmdb::{Value, database};

use flowner_attribution::{Container, Pod, Unit, UnitKind};
use flowner_attribution::{
    Evidence, Match, Ownership, Process, Source, TranslatedFrom, User, Verdict,
};
use flowner_flows::{Counters, Direction, FlowId, Protocol, Rate, State};

use crate::model::flow::FlowRecord;
use crate::model::names::{AskedBy, FlowNames, HostName, Name, NameSource};
use crate::model::place::RemotePlace;
use crate::model::principal::Principal;

/// 2026-01-01T00:00:00Z.
pub(crate) const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn user(id: u32, name: &str) -> User {
    User::new(id, Some(name.to_owned()))
}

/// `/usr/bin/curl`, run by ada.
pub(crate) fn curl() -> Arc<Process> {
    Arc::new({
        let mut process = Process::new(4242, "curl");
        process.started = Some(UNIX_EPOCH + NEW_YEAR - Duration::from_secs(1));
        process.path = Some("/usr/bin/curl".into());
        process.user = Some(user(1000, "ada"));
        process
    })
}

pub(crate) fn owner(verdict: Verdict, matched: Option<Match>) -> Ownership {
    let evidence = Evidence::new(matched, UNIX_EPOCH + NEW_YEAR, Source::Scripted);
    Ownership::new(verdict, evidence)
}

pub(crate) fn counters(packets: u64, bytes: u64) -> Counters {
    Counters {
        packets,
        bytes,
        payload_bytes: 0,
    }
}

/// [`curl`] in a container of a pod.
pub(crate) fn container() -> Unit {
    let id = "9f4f8d5a3c0b1e2d4f60718293a4b5c6d7e8f90123456789abcdef0123456789";
    let mut container = Container::new();
    container.name = Some("web".to_owned());
    container.image = Some("nginx:1.27".to_owned());
    container.pod = Some(Pod::new("default", "web-0"));
    Unit::new(UnitKind::Container, id).with_container(container)
}

/// The [flow] of a process in a [container].
pub(crate) fn contained_flow(id: u64) -> FlowRecord {
    let mut process = Process::clone(&curl());
    process.unit = Some(container());
    let owner = owner(Verdict::Process(Arc::new(process)), Some(Match::FiveTuple));
    flow(id).with_owners(Some(owner), None)
}

/// The [flow] of a container behind the address of this host.
pub(crate) fn translated_flow(id: u64) -> FlowRecord {
    let mut flow = flow(id);
    let (inner, remote) = (address("172.17.0.2:40000"), flow.remote);
    let from = TranslatedFrom::new(inner, remote);
    if let Some(owner) = &mut flow.owner {
        owner.evidence.translated_from = Some(Box::new(from));
    }
    flow
}

/// A closed connection of [`curl`] to a web server.
pub(crate) fn flow(id: u64) -> FlowRecord {
    let owner = owner(Verdict::Process(curl()), Some(Match::FiveTuple));
    FlowRecord {
        names: None,
        place: None,
        principal: Principal::of(Some(&owner)),
        remote_principal: Principal::Unattributed,
        id: FlowId::from_u64(id),
        protocol: Protocol::TCP,
        local: address("10.0.0.2:45784"),
        remote: address("93.184.216.34:443"),
        service_port: 443,
        icmp_id: None,
        device: Some("eth0".into()),
        direction: Direction::Outgoing,
        state: State::Closed,
        sent: counters(5, 332),
        received: counters(4, 300),
        rate: Rate {
            sent: 100,
            received: 50,
        },
        first_seen: NEW_YEAR + Duration::from_micros(1),
        last_seen: NEW_YEAR + Duration::from_millis(1_500),
        owner: Some(owner),
        remote_owner: None,
        icmp: None,
        community_seed: 0,
        error: None,
        tcp: None,
        is_waiting: false,
        ended: None,
    }
}

/// Somewhere in Germany, in AS64496.
pub(crate) fn place(country: &str) -> Arc<RemotePlace> {
    let text = |text: &'static str| Value::Text(text);
    let country = Box::leak(country.to_owned().into_boxed_str());
    let names = Value::Map(vec![("en", text(country))]);
    let berlin = Value::Map(vec![("names", Value::Map(vec![("en", text("Berlin"))]))]);
    let record = Value::Map(vec![
        (
            "country",
            Value::Map(vec![("iso_code", text("DE")), ("names", names)]),
        ),
        ("city", berlin),
        ("autonomous_system_number", Value::Number(64_496)),
        ("autonomous_system_organization", text("Example Net")),
    ]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), database("test", &[("::/1", record)])).unwrap();
    let (databases, errors) = GeoDatabases::open([file.path().to_owned()]);
    assert!(errors.is_empty(), "{errors:?}");
    Arc::new(databases.place_of("93.184.216.34".parse().unwrap()))
}

/// The names of a flow whose client named the server.
pub(crate) fn names(name: &str) -> Arc<FlowNames> {
    let name = Name::from_text(name.as_bytes()).unwrap();
    let remote = HostName::new(name, NameSource::Tls, AskedBy::Program);
    Arc::new(FlowNames {
        remote: Some(remote),
        ..FlowNames::default()
    })
}

//! Totals by a key.

use super::*;

fn totals() -> Totals {
    Totals {
        flows: 2,
        sent: counters(5, 332),
        received: counters(4, 300),
        ..Totals::default()
    }
}

/// One group by `line`, with `expected` before the sums.
#[track_caller]
fn check_group<K>(line: impl Fn(&Group<K>) -> GroupLine, key: Option<K>, expected: &str) {
    let group = Group {
        key,
        totals: totals(),
    };
    check(&line(&group), &format!("{{{expected},{SUMS}}}"));
}

#[test]
fn programs() {
    let check = |key, expected: &str| check_group(GroupLine::program, key, expected);
    let program = |path: &str| {
        Arc::new(Program::of(&{
            let mut process = Process::new(1, "p");
            process.path = Some(path.into());
            process
        }))
    };
    check(
        Some(Principal::Program(program("/usr/bin/curl"))),
        r#""type":"program","program":"curl","path":"/usr/bin/curl",
        "program_id":"exe:/usr/bin/curl""#,
    );
    check(
        Some(Principal::Several(vec![
            program("/a"),
            Arc::new(Program::of(&Process::new(1, "b"))),
        ])),
        r#""type":"program","program":null,"path":null,"programs":[
        {"program":"a","path":"/a","program_id":"exe:/a"},
        {"program":"b","path":null,"program_id":"name:b"}]"#,
    );
    check(
        Some(Principal::Unit(sshd())),
        r#""type":"program","program":null,"path":null,
        "unit":{"kind":"service","name":"sshd.service"}"#,
    );
    check(
        Some(Principal::User(user(7, "bo"))),
        r#""type":"program","program":null,"path":null,"user":"bo""#,
    );
    check(
        Some(Principal::Unattributed),
        r#""type":"program","program":null,"path":null"#,
    );
    check(
        None,
        r#""type":"program","program":null,"path":null,"others":true"#,
    );
}

#[test]
fn processes() {
    let check = |key, expected: &str| check_group(GroupLine::process, key, expected);
    let process = curl();
    check(
        Some(ProcessPrincipal::Process {
            id: process.id(),
            name: process.name.clone(),
            user: Some("ada".to_owned()),
        }),
        r#""type":"process","pid":4242,"name":"curl","user":"ada",
        "started":"2025-12-31T23:59:59.000000Z""#,
    );
    let id = ProcessId::new(1, None);
    check(
        Some(ProcessPrincipal::Process {
            id,
            name: "a".to_owned(),
            user: None,
        }),
        r#""type":"process","pid":1,"name":"a","user":null,"started":null"#,
    );
    check(
        Some(ProcessPrincipal::Other(Principal::Program(Arc::new(
            Program::of(&process),
        )))),
        r#""type":"process","pid":null,"name":null,"user":null,"started":null,"programs":[
        {"program":"curl","path":"/usr/bin/curl","program_id":"exe:/usr/bin/curl"}]"#,
    );
    check(
        Some(ProcessPrincipal::Other(Principal::User(User::new(7, None)))),
        r#""type":"process","pid":null,"name":null,"user":"7","started":null"#,
    );
    check(
        None,
        r#""type":"process","pid":null,"name":null,"user":null,"started":null,"others":true"#,
    );
}

#[test]
fn hosts_services_and_protocols() {
    check_group(
        GroupLine::host,
        Some(address("[::1]:0").ip()),
        r#""type":"host","host":"::1""#,
    );
    check_group(
        GroupLine::host,
        None,
        r#""type":"host","host":null,"others":true"#,
    );
    let service = |protocol, port| Some(Service { protocol, port });
    let check_service = |key, expected: &str| check_group(GroupLine::service, key, expected);
    check_service(
        service(Protocol::TCP, 443),
        r#""type":"service","service":"https","protocol":"tcp","port":443"#,
    );
    check_service(
        service(Protocol::UDP, 40_000),
        r#""type":"service","service":null,"protocol":"udp","port":40000"#,
    );
    check_service(
        service(Protocol::ICMP, 0),
        r#""type":"service","service":null,"protocol":"icmp","port":null"#,
    );
    check_group(
        GroupLine::protocol,
        Some(Protocol(200)),
        r#""type":"protocol","protocol":"200""#,
    );
}

#[test]
fn traffic_from_this_host_is_reported() {
    let group = Group {
        key: Some(Protocol::TCP),
        totals: Totals {
            received: counters(5, 360),
            received_here: counters(1, 60),
            ..totals()
        },
    };
    check(
        &GroupLine::protocol(&group),
        &format!(
            r#"{{"type":"protocol","protocol":"tcp",{SUMS},
            "received_here":{{"packets":1,"bytes":60}},
            "received_total":{{"packets":5,"bytes":360}}}}"#
        ),
    );
}

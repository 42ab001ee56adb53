//! What every command writes as JSON, held against the schema that readers are given.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Instant;

use common::{Running, flowner, json_lines, run, stdout};
use flowner_core::wire::JSON_SCHEMA;
use serde_json::Value;

/// Checks lines, and says of which types they are.
#[track_caller]
fn check(lines: &[Value]) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert_eq!(
        (&lines[0]["type"], &lines[0]["schema"]),
        (&"start".into(), &1.into())
    );
    for line in lines {
        let errors: Vec<String> = validator
            .iter_errors(line)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(errors, [""; 0], "{line:#}");
    }
    let types = lines
        .iter()
        .map(|line| line["type"].as_str().unwrap().to_owned());
    types.collect()
}

#[track_caller]
fn check_command(arguments: &[&str], expected: &str) {
    let lines = json_lines(&stdout(&run(arguments)));
    let types = check(&lines);
    assert!(types.contains(expected), "{arguments:?}: {types:?}");
}

#[test]
fn the_schema_can_fail() {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for wrong in [
        "{}",
        r#"{"type":"flow"}"#,
        r#"{"type":"nonsense"}"#,
        r#"{"type":"missed","events":"many"}"#,
    ] {
        let wrong: Value = serde_json::from_str(wrong).unwrap();
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    assert!(validator.is_valid(&serde_json::json!({"type": "missed", "events": 1})));
}

#[test]
fn lists_are_of_the_schema() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let from = client.local_addr().unwrap();
    check_command(&["sockets", "--json"], "socket");
    check_command(&["who", "--json", &address.to_string()], "socket");
    let connection = format!("tcp {from} {address}");
    check_command(&["who", "--json", &connection], "ownership");
    check_command(&["devices", "--json"], "device");
    check_command(&["doctor", "--json"], "check");
}

#[test]
fn changes_are_of_the_schema() {
    let filter = format!("pid:{}", std::process::id());
    let arguments = [
        "sockets",
        "--watch",
        "--json",
        "--interval",
        "10ms",
        &filter,
    ];
    let watch = Running::spawn(flowner().args(arguments));
    let head = watch.line();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap().to_string();
    let line = watch.line_with(|line| line.contains(&local));
    watch.interrupt();
    assert!(check(&json_lines(&format!("{head}\n{line}"))).contains("socket"));
}

/// The types of lines that a short watch writes, while there is traffic; `None`, with a
/// visible word, where nothing may be captured.
fn watch(by: &str) -> Option<BTreeSet<String>> {
    let arguments = ["watch", "--json", "-i", "lo", "--by", by];
    let mut watch = Running::spawn(flowner().args(arguments));
    let Ok(head) = watch.lines.recv_timeout(common::DEADLINE) else {
        let said = watch.read_stderr();
        assert!(said.contains("permission"), "{said}");
        eprintln!("SKIPPED: no privilege to capture");
        return None;
    };
    // A connection that is over, and datagrams to nobody.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"hello").unwrap();
    drop((client, listener));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"hello", "127.0.0.1:9").unwrap();
    watch.interrupt();
    let rest = watch.rest().join("\n");
    Some(check(&json_lines(&format!("{head}\n{rest}"))))
}

#[test]
fn what_is_captured_is_of_the_schema() {
    let end = Instant::now() + common::DEADLINE;
    for by in ["program", "process", "host", "service", "protocol", "flow"] {
        // Packets may still be on their way when the watch is ended.
        loop {
            let Some(types) = watch(by) else { return };
            if ["flow", by, "summary"].iter().all(|it| types.contains(*it)) {
                break;
            }
            assert!(Instant::now() < end, "{by}: {types:?}");
        }
    }
}

#[test]
fn the_documentation_names_every_type() {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let documentation = include_str!("../JSON.md");
    let mut types = BTreeSet::new();
    find_types(&schema, &mut types);
    assert!(types.len() > 10, "{types:?}");
    for name in types {
        assert!(documentation.contains(&format!("`{name}`")), "{name}");
    }
}

/// Values that the key `type` of a line can have.
fn find_types(schema: &Value, types: &mut BTreeSet<String>) {
    if let Some(name) = schema["properties"]["type"]["const"].as_str() {
        types.insert(name.to_owned());
    }
    let below: Vec<&Value> = match schema {
        Value::Object(object) => object.values().collect(),
        Value::Array(array) => array.iter().collect(),
        _ => Vec::new(),
    };
    for below in below {
        find_types(below, types);
    }
}

#[test]
fn the_example_in_the_documentation_is_of_the_schema() {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let blocks = include_str!("../JSON.md").split("```json\n").skip(1);
    let mut count = 0;
    for block in blocks {
        let example: Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
        assert!(validator.is_valid(&example), "{example:#}");
        count += 1;
    }
    assert!(count > 0);
}

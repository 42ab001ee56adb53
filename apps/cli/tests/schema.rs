//! What every command writes as JSON, held against the schema that readers are given.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Instant;

use common::lines::{Lines, schema, type_of, types};
use common::namespace::Namespace;
use common::{Running, flowner, json_lines, run, stderr, stdout};
use serde_json::Value;

/// Checks lines, and says of which types they are.
#[track_caller]
fn check(lines: &[Value]) -> BTreeSet<String> {
    Lines::new().check(lines)
}

#[track_caller]
fn check_command(arguments: &[&str], expected: &str) {
    let lines = json_lines(&stdout(&run(arguments)));
    let types = check(&lines);
    assert!(types.contains(expected), "{arguments:?}: {types:?}");
}

#[test]
fn the_schema_can_fail() {
    let lines = Lines::new();
    for wrong in [
        "{}",
        r#"{"type":"flow"}"#,
        r#"{"type":"nonsense"}"#,
        r#"{"type":"missed","events":"many"}"#,
        r#"{"type":"missed","events":1,"more":1}"#,
    ] {
        let wrong: Value = serde_json::from_str(wrong).unwrap();
        assert!(!lines.errors(&wrong).is_empty(), "{wrong}");
    }
    let right = serde_json::json!({"type": "missed", "events": 1});
    assert_eq!(lines.errors(&right), [""; 0]);
}

/// What has a name in JSON is described there, whatever is added.
#[test]
fn the_page_about_json_names_every_value() {
    use flowner_core::attribution::{Match, Reason, Source};
    use flowner_core::flows::{Direction, State};

    let page = include_str!("../JSON.md");
    let reasons = Reason::ALL.into_iter().map(Reason::name);
    let matches = Match::ALL.into_iter().map(Match::name);
    let states = State::ALL.into_iter().map(State::name);
    let directions = Direction::ALL.into_iter().map(Direction::name);
    let sources = Source::ALL.into_iter().filter(|it| *it != Source::Scripted);
    let sources = sources.map(Source::name);
    let names = reasons.chain(matches).chain(states).chain(directions);
    let names = names.chain(sources);
    let missing: Vec<_> = names
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every key of the schema is described there, or shown in an example.
#[test]
fn the_page_about_json_names_every_key() {
    let page = include_str!("../JSON.md");
    let mut missing = BTreeSet::new();
    let mut rest: Vec<Value> = vec![schema()];
    while let Some(value) = rest.pop() {
        if let Some(keys) = value.get("properties").and_then(Value::as_object) {
            let is_named = |key: &str| {
                page.contains(&format!("`{key}`")) || page.contains(&format!("\"{key}\""))
            };
            missing.extend(keys.keys().filter(|key| !is_named(key)).cloned());
        }
        match value {
            Value::Object(object) => rest.extend(object.into_iter().map(|(_, value)| value)),
            Value::Array(all) => rest.extend(all),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Commands that have `--json`, each of which has a test here.
const COMMANDS: [&str; 6] = ["devices", "doctor", "read", "sockets", "watch", "who"];

#[test]
fn this_file_checks_the_lines_of_every_command() {
    let help = stdout(&run(&["--help"]));
    let list = help.split("Commands:\n").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let all = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let has_json = |command: &&str| {
        *command != "help" && stdout(&run(&[command, "--help"])).contains("--json")
    };
    let mut commands: Vec<&str> = all.filter(has_json).collect();
    commands.sort_unstable();
    assert_eq!(commands, COMMANDS, "{help}");
}

#[test]
fn lists_are_of_the_schema() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let from = client.local_addr().unwrap();
    check_command(&["sockets", "--json"], "socket");
    if cfg!(target_os = "linux") {
        check_command(&["sockets", "--tcp", "--json"], "socket");
    }
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
        flowner_testing::skipped!("no privilege to capture");
        return None;
    };
    // A connection that is over, and datagrams to a port without a socket.
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
    for by in BY {
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

const BY: [&str; 10] = [
    "program", "process", "host", "name", "domain", "country", "network", "service", "protocol",
    "flow",
];

/// A file that `record` has written, with packets of this process, and packets without an owner.
fn recorded(namespace: &Namespace, path: &Path) {
    let mut command = namespace.command(env!("CARGO_BIN_EXE_flowner"));
    command.args(["record", "-i", "lo", "-w"]).arg(path);
    let mut recording = Running::spawn(&mut command);
    let end = Instant::now() + common::DEADLINE;
    while !path.exists() {
        assert!(Instant::now() < end, "{}", recording.read_stderr());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // One socket after the other, as the owner of the first may stay unknown on a busy machine.
    let talk = "while exec 3<>/dev/udp/127.0.0.1/9; echo hello >&3; read -t 0.2; [ $? -gt 128 ]; \
                do :; done; exec 4<>/dev/tcp/127.0.0.1/9";
    let mut bash = Running::spawn(namespace.command("bash").args(["-c", talk]));
    // It is written once a second at least, with the shell's name as long as it is there. The
    // end of a file that grows may be half a packet, of which nothing is read.
    let names = |what: &str| {
        let arguments = ["read", path.to_str().unwrap(), "--json"];
        stdout(&run(&arguments)).contains(what)
    };
    while !names("\"bash\"") {
        assert!(Instant::now() < end, "the shell is not named");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bash.release();
    let _refused = bash.child.wait().unwrap();
    while !names("\"tcp\"") {
        assert!(Instant::now() < end, "the connection is not recorded");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    recording.interrupt();
    assert!(recording.child.wait().unwrap().success());
}

#[test]
fn what_is_read_is_of_the_schema() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.pcapng");
    recorded(&namespace, &path);
    for by in BY {
        let arguments = ["read", path.to_str().unwrap(), "--json", "--by", by];
        let lines = json_lines(&stdout(&run(&arguments)));
        let types = check(&lines);
        let expected = ["start", by, "summary"].map(str::to_owned);
        assert_eq!(types, expected.into(), "{by}");
        let names_it = lines.iter().any(|line| line["program"] == "bash");
        assert!(by != "program" || names_it, "{lines:#?}");
    }
    // One end of a file that is cut: what is wrong is in the summary.
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let lines = json_lines(&stdout(&run(&["read", path.to_str().unwrap(), "--json"])));
    check(&lines);
    let summary = lines.last().unwrap();
    assert_eq!(summary["complete"], false, "{summary:#}");
    assert!(summary["message"].is_string(), "{summary:#}");
}

/// The documentation's examples, each a line.
fn examples() -> Vec<Value> {
    let blocks = include_str!("../JSON.md").split("```json\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .flat_map(|block| serde_json::Deserializer::from_str(block).into_iter())
        .map(Result::unwrap)
        .collect()
}

#[test]
fn the_documentation_has_an_example_of_every_type() {
    let documentation = include_str!("../JSON.md");
    let lines = Lines::new();
    let examples = examples();
    for example in &examples {
        assert_eq!(lines.errors(example), [""; 0], "{example:#}");
    }
    let shown: BTreeSet<String> = examples.iter().map(type_of).collect();
    assert_eq!(shown, types());
    for name in types() {
        assert!(documentation.contains(&format!("`{name}`")), "{name}");
    }
}

/// What is not the same on another host stays out: what is left is what the examples show.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let keys = object
                .iter()
                .map(|(key, value)| (key.clone(), shape(value)));
            Value::Object(keys.collect())
        }
        Value::Array(all) => all.first().map_or(Value::Null, shape),
        _ => Value::Null,
    }
}

#[test]
fn the_examples_are_what_commands_write() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let connection = format!("tcp {} {address}", client.local_addr().unwrap());
    let here = format!("pid:{} state:listen", std::process::id());
    let example = |name: &str| {
        let examples = examples().into_iter();
        examples
            .filter(|line| type_of(line) == name)
            .collect::<Vec<_>>()
    };
    for (arguments, name) in [
        (&["sockets", "--json", &here][..], "socket"),
        (&["who", "--json", &connection], "ownership"),
        (&["devices", "--json"], "device"),
        (&["doctor", "--json"], "check"),
        (&["who", "--json", &connection], "start"),
    ] {
        let output = run(arguments);
        let lines = json_lines(&stdout(&output));
        let line = lines.iter().find(|line| type_of(line) == name);
        let line = line.unwrap_or_else(|| panic!("{arguments:?}: {}", stderr(&output)));
        let is_so = example(name).iter().any(|it| {
            it.as_object()
                .unwrap()
                .keys()
                .eq(line.as_object().unwrap().keys())
                && (it["owner"].is_null() || shape(&it["owner"]) == shape(&line["owner"]))
        });
        assert!(is_so, "{line:#}");
    }
}

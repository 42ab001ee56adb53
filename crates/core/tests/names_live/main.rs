//! Names of the flows of real clients: resolvers of the system, curl and openssl, in network
//! namespaces of their own. Linux only.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod server;
mod stage;

use std::io::Write;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowner_core::flows::Protocol;
use flowner_core::{Config, FlowRecord, Input, Monitor, NameSource, Report};
use stage::{Actor, ROLE, Stage};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "is started by the other tests, as another process"]
fn actor() {
    let role = std::env::var(ROLE).unwrap();
    match role.split_whitespace().collect::<Vec<_>>()[..] {
        ["server"] => server::serve(),
        ["forwarder"] => server::forward(),
        ["client", ref names @ ..] => client(names),
        _ => panic!("{role}"),
    }
}

/// Looks up names, and connects without a word of them: each step when it is let.
fn client(names: &[&str]) {
    let mut lines = std::io::stdin().lines();
    let mut ends = Vec::new();
    for name in names {
        lines.next().unwrap().unwrap();
        ends.push((*name, 7_000).to_socket_addrs().unwrap().next().unwrap());
        println!("resolved {name}");
    }
    for end in ends {
        lines.next().unwrap().unwrap();
        let mut stream = TcpStream::connect(end).unwrap();
        stream.write_all(b"without a name").unwrap();
        println!("connected {}", stream.local_addr().unwrap().port());
        // It stays until the test has seen it.
        std::mem::forget(stream);
    }
    let _end = lines.next();
}

fn watch() -> Monitor {
    let config = Config {
        input: Input::AllDevices,
        ..Config::default()
    };
    Monitor::builder(&config).start().unwrap()
}

/// The report as soon as it has what the test waits for.
fn wait_for(monitor: &Monitor, what: &str, has: impl Fn(&Report) -> bool) -> Arc<Report> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = monitor.report();
        if has(&report) {
            return report;
        }
        assert!(Instant::now() < deadline, "{what}: {}", told(&report));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn told(report: &Report) -> String {
    let flows = report.flows.iter();
    let lines = flows.map(|flow| format!("{} -> {}: {:?}", flow.local, flow.remote, flow.names));
    lines.collect::<Vec<_>>().join("\n")
}

fn name_of(flow: &FlowRecord) -> Option<(&str, NameSource)> {
    let remote = flow.remote_name()?;
    Some((remote.name.as_str(), remote.source))
}

/// Flows to this port of the server.
fn to(report: &Report, protocol: Protocol, port: u16) -> impl Iterator<Item = &FlowRecord> {
    let end = server::end(port);
    let flows = report.flows.iter();
    flows.filter(move |flow| flow.protocol == protocol && flow.remote == end)
}

fn flow_of(report: &Report, port: u16) -> Option<&FlowRecord> {
    to(report, Protocol::TCP, 7_000).find(|flow| flow.local.port() == port)
}

/// Runs a client, and says whether it is there.
fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    match command.args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {arguments:?}: {error}");
            true
        }
        Err(error) => {
            flowner_testing::skipped!("{program} could not be started: {error}");
            false
        }
    }
}

/// `s_server` of openssl at the server's host. `None` where openssl is missing.
fn tls_server(stage: &Stage) -> Option<Child> {
    let folder = stage.folder.path();
    let (key, certificate) = (folder.join("key"), folder.join("certificate"));
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=example",
        "-keyout",
        key,
        "-out",
        certificate,
    ];
    if !run("openssl", &made) {
        return None;
    }
    let mut command = Command::new("ip");
    command.args([
        "netns", "exec", "there", "openssl", "s_server", "-www", "-quiet",
    ]);
    command.args([
        "-accept",
        "192.0.2.1:443",
        "-key",
        key,
        "-cert",
        certificate,
    ]);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    let server = quiet.stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server::end(443)).is_err() {
        assert!(Instant::now() < deadline, "openssl s_server");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

#[test]
fn clients_of_tls_and_http_name_their_servers() {
    let Some(stage) = Stage::set("clients_of_tls_and_http_name_their_servers") else {
        return;
    };
    let Some(mut tls) = tls_server(&stage) else {
        return;
    };
    let monitor = watch();
    let curl = |arguments: &[&str]| {
        run(
            "curl",
            &[&["-sSk", "-o", "/dev/null", "--noproxy", "*"], arguments].concat(),
        )
    };
    // All of them have one address.
    let has_curl = curl(&["--tls-max", "1.2", "https://tls12.example/"])
        && curl(&["--tlsv1.3", "https://tls13.example/"])
        && curl(&["http://www.shop.example/"]);
    for (version, name) in [
        ("-tls1_2", "openssl12.example"),
        ("-tls1_3", "openssl13.example"),
    ] {
        let connect = format!("{name}:443");
        run(
            "openssl",
            &[
                "s_client",
                version,
                "-connect",
                &connect,
                "-servername",
                name,
            ],
        );
    }
    let mut expected = vec!["openssl12.example", "openssl13.example"];
    if has_curl {
        expected.extend(["tls12.example", "tls13.example"]);
    }
    expected.sort_unstable();
    let by = |report: &Report, port, source| {
        let flows = to(report, Protocol::TCP, port);
        let names = flows.filter_map(name_of).filter(|(_, by)| *by == source);
        let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names
    };
    let report = wait_for(&monitor, "all clients", |report| {
        by(report, 443, NameSource::Tls).len() == expected.len()
            && (!has_curl || !by(report, 80, NameSource::Http).is_empty())
    });
    assert_eq!(by(&report, 443, NameSource::Tls), expected);
    if has_curl {
        assert_eq!(by(&report, 80, NameSource::Http), ["www.shop.example"]);
    }
    let _gone = tls.kill();
    let _gone = tls.wait();
}

#[test]
fn answers_of_the_resolver_name_what_says_nothing_itself() {
    let Some(stage) = Stage::set("answers_of_the_resolver_name_what_says_nothing_itself") else {
        return;
    };
    // Before anybody watches: no name, and no guess.
    let mut late = Actor::start("client late.example", &[]);
    late.go_on();
    late.wait_for("resolved");
    late.go_on();
    let late_port: u16 = late.wait_for("connected").parse().unwrap();
    let mut late = Some(late);
    // An alias of a network that delivers for others; an answer that does not fit into a datagram;
    // questions by TCP alone. All names are of one address, and the socket of a question may close before a
    // lookup finds it, so that anybody of this host may have asked: so each has a monitor that knows no other.
    for (name, resolver) in [
        ("www.shop.example", "nameserver 192.0.2.1"),
        (server::LARGE, "nameserver 192.0.2.1"),
        ("stream.example", "nameserver 192.0.2.1\noptions use-vc"),
    ] {
        let monitor = watch();
        let has_late = late.as_mut().map(Actor::go_on).is_some();
        stage.resolve_by(resolver);
        let mut client = Actor::start(&format!("client {name}"), &[]);
        client.go_on();
        client.wait_for("resolved");
        client.go_on();
        let port: u16 = client.wait_for("connected").parse().unwrap();
        let protocol = if name == "www.shop.example" {
            Protocol::UDP
        } else {
            Protocol::TCP
        };
        let is_named = |report: &Report| {
            let mut questions = to(report, protocol, 53).flat_map(FlowRecord::dns_questions);
            questions.any(|question| question.as_str() == name)
                && flow_of(report, port)
                    .is_some_and(|flow| name_of(flow) == Some((name, NameSource::Dns)))
        };
        wait_for(&monitor, name, is_named);
        let report = monitor.stop();
        if has_late {
            assert_eq!(flow_of(&report, late_port).and_then(name_of), None);
            late = None;
        }
    }
}

/// Two steps of each of two clients, in every order.
const ORDERS: [[usize; 4]; 6] = [
    [0, 0, 1, 1],
    [0, 1, 0, 1],
    [0, 1, 1, 0],
    [1, 0, 0, 1],
    [1, 0, 1, 0],
    [1, 1, 0, 0],
];

/// Clients of one program that ask for two names of one address, and connect, in every order. How many
/// flows have their name; none has another one.
fn two_clients(resolver: &str) {
    let monitor = watch();
    let mut flows = Vec::new();
    let mut clients = Vec::new();
    for (number, order) in ORDERS.iter().enumerate() {
        let names = [format!("a{number}.example"), format!("b{number}.example")];
        let mut pair = names.each_ref().map(|name| {
            let client = Actor::start(&format!("client {name}"), &[]);
            (client, name.clone(), 0)
        });
        for step in order {
            let (client, name, steps) = &mut pair[*step];
            client.go_on();
            *steps += 1;
            if *steps == 1 {
                client.wait_for("resolved");
            } else {
                let port: u16 = client.wait_for("connected").parse().unwrap();
                flows.push((port, name.clone()));
            }
        }
        clients.extend(pair);
    }
    // One process that asks for both names.
    let mut both = Actor::start("client both1.example both2.example", &[]);
    for word in ["resolved", "resolved"] {
        both.go_on();
        both.wait_for(word);
    }
    let mut of_both = Vec::new();
    for _ in 0..2 {
        both.go_on();
        of_both.push(both.wait_for("connected").parse::<u16>().unwrap());
    }
    let owned = |report: &Report, port| {
        let flow = flow_of(report, port);
        flow.is_some_and(|flow| flow.sent.payload_bytes > 0 && flow.owner.is_some())
    };
    let report = wait_for(&monitor, "all flows", |report| {
        let mut ports = flows.iter().map(|(port, _)| port).chain(&of_both);
        ports.all(|port| owned(report, *port))
    });
    let mut named = 0;
    for (port, meant) in &flows {
        let flow = flow_of(&report, *port).unwrap();
        if let Some((name, _)) = name_of(flow) {
            assert_eq!(name, meant, "{resolver}\n{}", told(&report));
            named += 1;
        }
    }
    for port in of_both {
        let flow = flow_of(&report, port).unwrap();
        assert_eq!(name_of(flow), None, "{}", told(&report));
    }
    eprintln!(
        "{resolver}: {named} of {} flows have their name, none another",
        flows.len()
    );
    assert!(named > 0, "{}", told(&report));
}

#[test]
fn two_clients_that_ask_for_names_of_one_address_have_their_own() {
    let test = "two_clients_that_ask_for_names_of_one_address_have_their_own";
    let Some(_stage) = Stage::set(test) else {
        return;
    };
    two_clients("the server");
}

#[test]
fn through_a_stub_the_names_are_those_of_the_program_that_asks() {
    let test = "through_a_stub_the_names_are_those_of_the_program_that_asks";
    let Some(stage) = Stage::set(test) else {
        return;
    };
    let mut stub = Actor::start("forwarder", &[]);
    stub.wait_for("ready");
    stage.resolve_by("nameserver 127.0.0.53");
    two_clients("a stub");
}

#[test]
fn clients_of_quic_name_their_servers() {
    use flowner_names::wire::quic::sealing::{Initial, crypto};
    let Some(_stage) = Stage::set("clients_of_quic_name_their_servers") else {
        return;
    };
    let monitor = watch();
    let mut ports = Vec::new();
    for (is_v2, name) in [(false, "v1.quic.example"), (true, "v2.quic.example")] {
        let hello = client_hello(name);
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(server::end(443)).unwrap();
        ports.push((socket.local_addr().unwrap(), name));
        // In two datagrams, the end of the handshake first.
        for (number, range) in [(0, 60..hello.len()), (1, 0..60)] {
            let frames = crypto(range.start, &hello[range]).unwrap();
            let initial = Initial {
                is_v2,
                key_id: b"identifier",
                destination: b"identifier",
                number,
                frames: &frames,
            };
            socket.send(&initial.seal().unwrap()).unwrap();
        }
    }
    let is_named = |report: &Report, (local, name): &(SocketAddr, &str)| {
        let mut flows = to(report, Protocol::UDP, 443);
        let flow = flows.find(|flow| flow.local.port() == local.port());
        flow.and_then(name_of) == Some((name, NameSource::Quic))
    };
    wait_for(&monitor, "QUIC", |report| {
        ports.iter().all(|one| is_named(report, one))
    });
}

fn client_hello(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend([
        0,
        length + 9,
        0,
        0,
        0,
        length + 5,
        0,
        length + 3,
        0,
        0,
        length,
    ]);
    body.extend(name.bytes());
    let mut hello = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    hello.extend(body);
    hello
}

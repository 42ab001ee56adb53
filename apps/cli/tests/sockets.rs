//! `flowner sockets` and `flowner who` on sockets of this very process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::{TcpListener, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{flowner, json_lines, run, stderr, stdout};

/// One test at a time: a child that another test starts holds this process's sockets
/// too, from its fork to its exec, and the portable table names one of the two.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn who_and_sockets_know_this_test() {
    let _alone = alone();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let pid = std::process::id();
    let (tcp_address, udp_address) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());

    let port = tcp_address.port().to_string();
    for target in [
        port.as_str(),
        &format!("tcp:{port}"),
        &tcp_address.to_string(),
    ] {
        let output = run(&["who", target]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{target}: {}",
            stderr(&output)
        );
        assert!(stdout(&output).contains(&format!("[{pid}]")), "{target}");
    }
    let lines = json_lines(&stdout(&run(&["who", "--json", &udp_address.to_string()])));
    assert_eq!(lines[0]["schema"], 3);
    assert_eq!(lines[1]["owner"]["processes"][0]["pid"], pid, "{lines:#?}");

    let filter = format!("pid:{pid} port:{port}");
    let lines = json_lines(&stdout(&run(&["sockets", "--json", &filter])));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[1]["local"], tcp_address.to_string());
    assert_eq!(lines[1]["state"], "listen");
}

#[cfg(unix)]
#[test]
fn sockets_that_come_and_go() {
    let _alone = alone();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // Another process may use the port while this one does not, or connect from it.
    let filter = format!("pid:{} port:{port}", std::process::id());
    let mut watch = common::Running::spawn(flowner().args([
        "sockets",
        "--watch",
        "--interval",
        "20ms",
        &filter,
    ]));
    assert!(watch.error_line().starts_with("0 sockets now"));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let line = watch.line();
    assert!(
        line.starts_with("+ ") && line.contains(&format!("[{}]", std::process::id())),
        "{line}"
    );
    drop(listener);
    assert!(watch.line().starts_with("- "));
    watch.interrupt();
    assert_eq!(watch.rest(), Vec::<String>::new());
    assert!(watch.child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn changes_are_json_lines_too() {
    let _alone = alone();
    let filter = format!("pid:{}", std::process::id());
    let watch = common::Running::spawn(flowner().args([
        "sockets",
        "--watch",
        "--json",
        "--interval",
        "20ms",
        &filter,
    ]));
    assert!(watch.line().contains("\"schema\":3"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap().to_string();
    let line = || json_lines(&watch.line_with(|line| line.contains(&local))).remove(0);
    let opened = line();
    assert_eq!(
        (&opened["type"], &opened["change"]),
        (&"socket".into(), &"opened".into())
    );
    assert!(opened["time"].as_str().unwrap().ends_with('Z'));
    drop(listener);
    assert_eq!(line()["change"], "closed");
    watch.interrupt();
}

#[cfg(unix)]
#[test]
fn who_waits_until_a_process_listens() {
    let _alone = alone();
    let free = || {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let address = free();
    let mut who =
        common::Running::spawn(flowner().args(["who", "--wait", "--json", &address.to_string()]));
    assert!(who.line().contains("\"schema\":3"));
    assert!(who.child.try_wait().unwrap().is_none());
    let _listener = TcpListener::bind(address).unwrap();
    let lines = json_lines(&who.rest().join("\n"));
    assert_eq!(lines[0]["owner"]["processes"][0]["pid"], std::process::id());
    assert!(who.child.wait().unwrap().success());

    let output = run(&["who", "--wait", "--timeout", "50ms", &free().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn listening_sockets_only() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let filter = format!("port:{}", listener.local_addr().unwrap().port());
    let states = |arguments: &[&str]| -> Vec<String> {
        let lines = json_lines(&stdout(&run(arguments)));
        let states = lines[1..].iter().map(|line| line["state"].to_string());
        states.collect()
    };
    assert_eq!(
        states(&["sockets", "--json", "--listening", &filter]),
        ["\"listen\""]
    );
    // The portable table lists no connections.
    #[cfg(target_os = "linux")]
    assert_eq!(states(&["sockets", "--json", &filter]).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn who_holds_what() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let pid = std::process::id();
    let name = std::env::current_exe().unwrap();
    let name = name.file_name().unwrap().to_str().unwrap();
    for target in [
        format!("pid:{pid}"),
        format!("program:{name}"),
        "127.0.0.1".to_owned(),
    ] {
        let output = run(&["who", &target]);
        assert!(output.status.success(), "{target}: {}", stderr(&output));
        let printed = stdout(&output);
        assert!(printed.contains(&address), "{target}: {printed}");
    }
    let output = run(&["who", "pid:4194305"]);
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_listener_is_no_connection() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let local = address.to_string();
    let output = run(&["who", "tcp", &local, "192.0.2.1:5"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let printed = stderr(&output);
    assert!(
        printed.contains("there is no connection") && printed.contains("listens at"),
        "{printed}"
    );
    let lines = json_lines(&stdout(&run(&[
        "who",
        "--json",
        "tcp",
        &local,
        "192.0.2.1:5",
    ])));
    assert_eq!(lines[1]["owner"]["reason"], "no-such-socket", "{lines:#?}");
    // A connection that the server has not accepted yet counts, too.
    let client = std::net::TcpStream::connect(address).unwrap();
    let remote = client.local_addr().unwrap().to_string();
    let output = run(&["who", "tcp", &local, &remote]);
    assert!(output.status.success(), "{}", stderr(&output));
}

/// A server that closes first leaves its port in time-wait (RFC 9293, 3.6.1).
#[cfg(target_os = "linux")]
#[test]
fn connections_that_are_over_are_counted_not_listed() {
    use std::io::Read;
    use std::net::TcpStream;
    let _alone = alone();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    for _ in 0..3 {
        let mut client = TcpStream::connect(address).unwrap();
        drop(server.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    let port = address.port().to_string();
    let output = run(&["who", &port]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(&format!("[{}]", std::process::id())));
    let over = "and 3 connections in time-wait, which no process holds";
    assert_eq!(stderr(&output).trim(), over);

    drop(server);
    let output = run(&["who", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let printed = stderr(&output);
    let no_process = format!("no visible process uses port {port}");
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [no_process.as_str(), over]
    );
    // Those who read JSON choose for themselves.
    let lines = json_lines(&stdout(&run(&["who", "--json", &port])));
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn the_tree_shows_who_started_whom() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let filter = format!("port:{}", address.port());
    let printed = stdout(&run(&["sockets", "--tree", &filter]));
    let lines: Vec<&str> = printed.lines().collect();
    let place = |text: &str| {
        let found = lines
            .iter()
            .position(|line| line.trim_start().starts_with(text));
        found.unwrap_or_else(|| panic!("no {text} in {printed}"))
    };
    let depth = |line: &str| line.len() - line.trim_start().len();
    let (pid, parent) = (std::process::id(), std::os::unix::process::parent_id());
    let (own, above) = (place(&format!("{pid} ")), place(&format!("{parent} ")));
    assert!(depth(lines[own]) > depth(lines[above]), "{printed}");
    assert_eq!(
        lines[own + 1].trim_start(),
        format!("tcp {address}  listen")
    );
}

/// What `ss -i` says of a connection: the number behind a word.
#[cfg(target_os = "linux")]
fn said_by_ss(text: &str, key: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let word = words.find_map(|word| word.strip_prefix(&format!("{key}:")))?;
    // Such as `rtt:0.03/0.01` in milliseconds.
    let number = word.split('/').next()?;
    if !key.contains("rtt") {
        return number.parse().ok();
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.parse::<u64>().ok().map_or(0, |digits| {
        digits * 10_u64.pow(3 - u32::try_from(part.len()).unwrap())
    });
    Some(whole.parse::<u64>().ok()? * 1_000 + part)
}

#[cfg(target_os = "linux")]
#[test]
fn connections_are_listed_as_ss_lists_them() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::process::Command;

    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&vec![1; 30_000]).unwrap();
    let mut buffer = [0; 10_000];
    server.read_exact(&mut buffer).unwrap();
    server.write_all(&buffer).unwrap();
    client.read_exact(&mut buffer).unwrap();
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let filter = format!("pid:{} port:{}", std::process::id(), local.port());
    let line = |address: std::net::SocketAddr| {
        let lines = json_lines(&stdout(&run(&["sockets", "--tcp", "--json", &filter])));
        let mut lines = lines.into_iter();
        lines.find(|line| line["local"] == address.to_string())
    };
    let Some(sent) = line(local) else {
        flowner_testing::skipped!("the system says nothing of the state of connections");
        return;
    };
    assert_eq!(sent["tcp"]["bytes_received"], 10_000, "{sent}");
    // What was not read waits, however late it came.
    let read = line(remote).unwrap();
    assert_eq!(read["tcp"]["bytes_received"], 30_000, "{read}");
    assert_eq!(read["tcp"]["receive_queue"], 20_000, "{read}");
    let ports = [local.port(), remote.port()].map(|port| format!(":{port}"));
    let ss = Command::new("ss")
        .args([
            "-tinHO", "sport", "=", &ports[0], "and", "dport", "=", &ports[1],
        ])
        .output();
    let Ok(ss) = ss else {
        flowner_testing::skipped!("`ss` is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&ss.stdout);
    assert!(text.contains("rtt:"), "{text}");
    for (key, field) in [
        ("bytes_sent", "bytes_sent"),
        ("bytes_acked", "bytes_acked"),
        ("bytes_received", "bytes_received"),
        ("bytes_retrans", "bytes_retransmitted"),
        ("rtt", "rtt_us"),
        ("minrtt", "rtt_min_us"),
        ("cwnd", "congestion_window"),
        ("mss", "segment_size"),
    ] {
        let said = said_by_ss(&text, key);
        // `ss` leaves out what is 0.
        assert_eq!(
            sent["tcp"][field].as_u64(),
            Some(said.unwrap_or(0)),
            "{key}: {sent} {text}"
        );
    }
    let table = stdout(&run(&["sockets", "--tcp", &filter]));
    let row = table
        .lines()
        .find(|row| row.starts_with(&remote.to_string()));
    let row = row.unwrap_or_else(|| panic!("{table}"));
    assert!(
        row.contains("29.3 kB") || row.contains("30.0 kB"),
        "{table}"
    );
    assert!(table.lines().next().unwrap().contains("RECV-Q"), "{table}");
}

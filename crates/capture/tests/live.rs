//! Capturing on real devices. Needs the privilege to; says so where it is missing.
#![cfg(all(feature = "pcap", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::env;
use std::net::UdpSocket;
use std::process::{self, Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flowner_capture::{Error, LinkType, LiveOptions, Next, Source, Stopper};

/// How long is waited for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A packet filter that nothing here fits.
const NOTHING: &str = "udp and host 192.0.2.77";

fn options(device: &str, filter: &str) -> LiveOptions {
    LiveOptions {
        device: device.to_owned(),
        filter: Some(filter.to_owned()),
        ..LiveOptions::default()
    }
}

/// The source; `None`, said aloud, where this user may not capture.
fn open(options: &LiveOptions) -> Option<Source> {
    match Source::live(options) {
        Err(Error::Permission { .. }) => {
            flowner_testing::skipped!("no privilege to capture on {}", options.device);
            None
        }
        result => Some(result.unwrap()),
    }
}

/// A pair of sockets on the loopback device, and a filter for what passes between
/// them.
fn pair() -> (UdpSocket, UdpSocket, String) {
    let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    a.connect(b.local_addr().unwrap()).unwrap();
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let filter = format!("udp src port {} and dst port {}", port(&a), port(&b));
    (a, b, filter)
}

/// (on the wire, payload, captured) of the next `count` packets.
fn sizes(source: &mut Source, count: usize) -> Vec<(u32, u32, usize)> {
    let deadline = Instant::now() + PATIENCE;
    let mut sizes = vec![];
    while sizes.len() < count {
        assert!(Instant::now() < deadline, "only {sizes:?} arrived");
        match source.next().unwrap() {
            Next::Packet(packet) => {
                let headers = packet.headers().unwrap();
                sizes.push((headers.wire_len, headers.payload_len, packet.data.len()));
            }
            Next::Idle => {}
            other => panic!("a device gave {other:?}"),
        }
    }
    sizes
}

#[test]
fn what_is_sent_is_captured_once_with_its_size() {
    let (a, b, filter) = pair();
    let Some(mut source) = open(&options("lo", &filter)) else {
        return;
    };
    assert_eq!(source.link_type(), Ok(LinkType::Ethernet));
    for len in [0, 1, 100, 1400] {
        a.send(&vec![7; len]).unwrap();
    }
    // Ethernet 14, IPv4 20, UDP 8; of the longest the snap length took the end.
    let expected = [(42, 0, 42), (43, 1, 43), (142, 100, 142), (1442, 1400, 256)];
    assert_eq!(sizes(&mut source, 4), expected);
    // Each once, though it leaves and comes back.
    let statistics = source.statistics().unwrap();
    assert_eq!(statistics.received, 4);
    assert_eq!(statistics.dropped_by_kernel, 0);
    drop(b);
}

#[test]
fn packets_come_at_once_and_with_the_time_of_the_clock() {
    let (a, _b, filter) = pair();
    let Some(mut source) = open(&options("lo", &filter)) else {
        return;
    };
    let before = std::time::SystemTime::now();
    a.send(b"now").unwrap();
    let Next::Packet(packet) = source.next().unwrap() else {
        panic!("the packet is not given at once");
    };
    let time = std::time::UNIX_EPOCH + packet.time;
    // The kernel's stamp is cut to microseconds.
    assert!(time + Duration::from_millis(10) > before);
    assert!(time < std::time::SystemTime::now());
}

#[test]
fn the_device_any_is_captured_from_even_when_promiscuous_is_asked_for() {
    let (a, _b, filter) = pair();
    let promiscuous = LiveOptions {
        promiscuous: true,
        ..options("any", &filter)
    };
    let Some(mut source) = open(&promiscuous) else {
        return;
    };
    assert_eq!(source.link_type(), Ok(LinkType::LinuxCooked));
    a.send(b"12345").unwrap();
    // The cooked header has 16 bytes.
    assert_eq!(sizes(&mut source, 1), [(49, 5, 49)]);
}

/// A thread that reads until there is nothing more, and how it ended. Returns when it
/// waits for packets.
fn wait_in_thread(mut source: Source) -> (Stopper, thread::JoinHandle<Result<(), Error>>) {
    let stopper = source.stopper();
    let (waits, waiting) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || {
        loop {
            match source.next()? {
                Next::Idle => drop(waits.try_send(())),
                Next::Stopped => return Ok(()),
                other => panic!("{other:?}"),
            }
        }
    });
    waiting.recv_timeout(PATIENCE).unwrap();
    (stopper, thread)
}

#[test]
fn stopping_wakes_what_waits() {
    let attempt = || {
        let source = open(&options("lo", NOTHING))?;
        let (stopper, thread) = wait_in_thread(source);
        let asked = Instant::now();
        stopper.stop();
        thread.join().unwrap().unwrap();
        Some(asked.elapsed())
    };
    // The wait would end by itself after 250 ms; a busy machine may be slow once.
    let fastest = (0..5).map_while(|_| attempt()).min();
    assert!(fastest.is_none_or(|fastest| fastest < Duration::from_millis(100)));
}

#[test]
fn what_was_captured_before_the_stop_is_still_given() {
    let (a, _b, filter) = pair();
    let Some(mut source) = open(&options("lo", &filter)) else {
        return;
    };
    for _ in 0..50 {
        a.send(b"12345").unwrap();
    }
    source.stopper().stop();
    assert_eq!(sizes(&mut source, 50).len(), 50);
    a.send(b"too late").unwrap();
    for _ in 0..2 {
        assert!(matches!(source.next().unwrap(), Next::Stopped));
    }
}

/// A virtual Ethernet device and its peer (veth(4)); gone when dropped.
struct Veth {
    name: String,
}

impl Veth {
    /// `None`, said aloud, where this user may not make one.
    fn new(suffix: &str) -> Option<Self> {
        // 15 bytes are the most that a name may have (IFNAMSIZ).
        let name = format!("fl{}{suffix}", process::id());
        let output = ip(&[
            "link",
            "add",
            &name,
            "type",
            "veth",
            "peer",
            "name",
            &format!("{name}p"),
        ]);
        if output.status.success() {
            return Some(Self { name });
        }
        let why = String::from_utf8_lossy(&output.stderr);
        flowner_testing::skipped!("no network device can be made: {}", why.trim());
        None
    }

    fn bring_up(&self) {
        assert!(ip(&["link", "set", &self.name, "up"]).status.success());
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        ip(&["link", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap()
}

#[test]
fn a_device_that_is_removed_is_gone() {
    let Some(veth) = Veth::new("g") else { return };
    veth.bring_up();
    let Some(source) = open(&options(&veth.name, NOTHING)) else {
        return;
    };
    let (_stopper, thread) = wait_in_thread(source);
    let name = veth.name.clone();
    drop(veth);
    match thread.join().unwrap() {
        Err(Error::DeviceGone { device }) => assert_eq!(device, name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_is_down_is_said_to_be() {
    let Some(veth) = Veth::new("d") else { return };
    match Source::live(&options(&veth.name, NOTHING)) {
        Err(Error::DeviceDown { device }) => assert_eq!(device, veth.name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_is_not_there_brings_up_those_that_are() {
    let error = Source::live(&options("no-such-device", NOTHING)).unwrap_err();
    let Error::NoSuchDevice { device, available } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(device, "no-such-device");
    assert!(available.contains(&"lo".to_owned()));
    for name in ["", "lo\0"] {
        assert!(Source::live(&options(name, NOTHING)).is_err());
    }
}

#[test]
fn a_bad_filter_is_refused_on_a_device_too() {
    if open(&options("lo", NOTHING)).is_none() {
        return;
    }
    let error = Source::live(&options("lo", "prot 80")).unwrap_err();
    assert!(matches!(error, Error::Filter { .. }), "{error:?}");
}

#[test]
fn without_privilege_the_command_that_helps_is_named() {
    const THIS: &str = "without_privilege_the_command_that_helps_is_named";
    if common::role().is_some() {
        let error = Source::live(&options("lo", NOTHING)).unwrap_err();
        assert!(matches!(error, Error::Permission { .. }), "{error:?}");
        let program = env::current_exe().unwrap().display().to_string();
        let command = format!("&& sudo setcap cap_net_raw,cap_net_admin=ep {program}`");
        assert!(error.to_string().contains(&command), "{error}");
        return;
    }
    // A copy, where every user can run it.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("live");
    std::fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), readable).unwrap();
    let mut launcher = Command::new("setpriv");
    launcher.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    launcher.args(["--inh-caps=-all", "--bounding-set=-all", "--"]);
    launcher.arg(program);
    let can = Command::new(launcher.get_program())
        .args(launcher.get_args())
        .arg("--list")
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        flowner_testing::skipped!("this user cannot become another");
        return;
    }
    let output = common::as_child(launcher, THIS, "nobody").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

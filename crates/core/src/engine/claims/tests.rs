use std::time::Duration;

use flowner_attribution::{Unit, UnitKind};
use flowner_capture::pcapng::{Interface, PacketOptions, Section, Writer};
use flowner_capture::{FileReader, LinkType};
use proptest::prelude::*;

use super::*;

fn of_process(found: Result<Option<Verdict>, Refused>) -> Process {
    match found {
        Ok(Some(Verdict::Process(process))) => (*process).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn comments_of_ptcpdump() {
    let comments = [
        "PID: 1234\nCmd: /usr/bin/curl\nArgs: curl http://x",
        "ThreadId: 1235\nThreadName: worker",
        "UserId: 1000\nGroupId: 1000",
        "ParentPID: 7\nParentCmd: /bin/bash\nParentArgs: bash",
        "ContainerName: web\nContainerId: 0123456789abcdef\nContainerImage: nginx\nContainerLabels: {}",
    ];
    let found = of_process(ptcpdump::read(&comments));
    let mut expected = Process::new(1_234, "curl");
    expected.path = Some("/usr/bin/curl".into());
    expected.arguments = Some(vec!["curl".into(), "http://x".into()]);
    expected.parent = Some(7);
    expected.user = Some(User::new(1_000, None));
    expected.unit = Some(Unit::new(UnitKind::Container, "web"));
    assert_eq!(found, expected);

    // An earlier version, among other lines.
    let found = of_process(ptcpdump::read(&["PID: 5\r\nCommand: nc\r\nArgs: nc..."]));
    assert_eq!((found.pid, &found.name[..]), (5, "nc"));
    assert_eq!((found.path, found.arguments), (None, None));

    let pod = [
        "PID: 5\nCmd: /a/b...",
        "PodName: p\nPodNamespace: n\nPodUID: u",
    ];
    let found = of_process(ptcpdump::read(&pod));
    assert_eq!((&found.name[..], found.path), ("b...", None));
    assert_eq!(found.unit, Some(Unit::new(UnitKind::Container, "n/p")));

    let container = ["ContainerName: \nContainerId: 0123456789abcdef"];
    let unit = Some(Unit::new(UnitKind::Container, "0123456789ab"));
    let partial = Verdict::Partial { user: None, unit };
    assert_eq!(ptcpdump::read(&container), Ok(Some(partial)));
    assert_eq!(ptcpdump::read(&["ThreadId: 5"]), Ok(None));
    for pid in ["0", "4194305", "-1", "x", ""] {
        let comment = format!("PID: {pid}\nCmd: a");
        assert!(ptcpdump::is_claim(&comment));
        assert_eq!(ptcpdump::read(&[&comment[..]]), Err(Refused));
    }
}

#[test]
fn arguments_cannot_name_another_process() {
    let forged =
        "PID: 7\nCmd: /bin/x\nArgs: x\nPID: 1\nCmd: /sbin/init\nContainerName: db\nUserId: 0";
    let found = of_process(ptcpdump::read(&[forged]));
    assert_eq!((found.pid, &found.name[..]), (7, "x"));
    assert_eq!((found.unit, found.user), (None, None));
}

#[test]
fn comments_of_rustnet() {
    let comment = "rustnet process=curl pid=4242 ppid=4000 uid=0 attr=exact-tuple pod=p ns=n \
                   container=c direction=outgoing app=TLS sni=example.com";
    assert!(rustnet::is_claim(comment));
    let found = of_process(rustnet::read(comment));
    let mut expected = Process::new(4_242, "curl");
    expected.parent = Some(4_000);
    expected.user = Some(User::new(0, None));
    expected.unit = Some(Unit::new(UnitKind::Container, "n/p/c"));
    assert_eq!(found, expected);
    for unowned in [
        "rustnet direction=outgoing app=DNS",
        "rustnet process=curl",
        "rustnet process=curl pid=1 attr=procfs-relaxed",
    ] {
        assert_eq!(rustnet::read(unowned), Ok(None), "{unowned}");
    }
    for impossible in [
        "rustnet process=a pid=0",
        "rustnet pid=x",
        "rustnet pid=4194305",
    ] {
        assert_eq!(rustnet::read(impossible), Err(Refused), "{impossible}");
    }
}

fn pointed(pids: &[u32]) -> Result<Option<Verdict>, Refused> {
    let mut writer = Writer::new(Vec::new(), &Section::default()).unwrap();
    let interface = writer.interface(&Interface::new(LinkType::RawIp)).unwrap();
    for pid in pids {
        writer.process(&ProcessFacts::new(*pid)).unwrap();
        let mut about = PacketOptions::default();
        about.pid = Some(*pid);
        let time = Duration::from_secs(1);
        writer.packet_with(interface, time, 0, &[], &about).unwrap();
    }
    let file = writer.into_inner();
    let mut reader = FileReader::new(&file[..]).unwrap();
    let mut verdict = Ok(None);
    while let Some(packet) = reader.next().unwrap() {
        verdict = of_blocks(packet.comments.processes(packet.time));
    }
    verdict
}

#[test]
fn blocks_of_valid_processes() {
    assert_eq!(of_process(pointed(&[7])).name, "pid 7");
    assert_eq!(pointed(&[0]), Ok(None));
    assert_eq!(pointed(&[4_194_305]), Err(Refused));
    assert_eq!(of_blocks(std::iter::empty()), Ok(None));
}

proptest! {
    #[test]
    fn facts_about_a_process_are_read_back(
        pid in PIDS,
        name in ".{1,15}",
        path in proptest::option::of("/.{1,15}"),
        user in proptest::option::of((any::<u32>(), proptest::option::of(".{1,9}"))),
        parent in proptest::option::of(any::<u32>()),
        started in proptest::option::of(any::<u64>()),
    ) {
        let mut expected = Process::new(pid, name);
        expected.path = path.map(PathBuf::from);
        expected.user = user.map(|(uid, name)| User::new(uid, name));
        expected.parent = parent;
        expected.started = started.map(|it| UNIX_EPOCH + Duration::from_nanos(it));
        prop_assert_eq!(process(&facts(&expected)), expected);
    }

    #[test]
    fn nothing_that_is_read_is_a_panic(
        comments in proptest::collection::vec("(PID|Cmd|Args|ContainerName|rustnet pid=)?:? ?.{0,9}\n?.{0,9}", 0..4),
    ) {
        let all: Vec<_> = comments.iter().map(String::as_str).collect();
        let _any = ptcpdump::read(&all);
        for comment in &comments {
            let _any = rustnet::read(comment);
        }
    }
}

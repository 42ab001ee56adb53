use std::time::{Duration, UNIX_EPOCH};

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::samples::{NEW_YEAR, curl, owner, user};

#[track_caller]
fn check(owner: Ownership, expected: &str) {
    let written = write(PacketEnd::Source, &owner.clone().into(), None);
    assert_eq!(written, expected);
    let (end, read) = read(&written, owner.evidence.observed_at).unwrap();
    assert_eq!(end, PacketEnd::Source);
    let recorded = {
        let mut made = owner.evidence;
        made.source = Source::Recorded;
        made
    };
    assert_eq!((read.verdict, read.evidence), (owner.verdict, recorded));
}

#[test]
fn every_verdict() {
    check(
        owner(Verdict::Process(curl()), Some(Match::FiveTuple)),
        "flowner: program=curl pid=4242 user=ada uid=1000 \
         started=2025-12-31T23:59:59.000000000Z path=/usr/bin/curl verdict=process \
         match=five-tuple end=source",
    );
    let odd = {
        let mut process = Process::new(1, "My App");
        process.user = Some(User::new(7, None));
        process.unit = Some(Unit::new(UnitKind::Service, "odd.service").of_user(Some(7)));
        process.path = Some("/opt/My \"Apps\"/a=b\\c\n".into());
        process.path_deleted = true;
        process
    };
    check(
        owner(Verdict::Process(Arc::new(odd)), None),
        "flowner: program=\"a=b\\\\c\\n\" pid=1 process=\"My App\" uid=7 \
         path=\"/opt/My \\\"Apps\\\"/a=b\\\\c\\n\" path-deleted=yes service=odd.service \
         unit-uid=7 \
         verdict=process end=source",
    );
    let two = [5, 6].map(|pid| Arc::new(Process::new(pid, "worker")));
    check(
        owner(Verdict::Shared(two.to_vec()), Some(Match::WildcardAddress)),
        "flowner: program=worker pid=5 program=worker pid=6 verdict=shared \
         match=wildcard-address end=source",
    );
    check(
        owner(Verdict::Unknown(Reason::Gone), None),
        "flowner: verdict=unknown reason=process-exited end=source",
    );
    let partial = Verdict::Partial {
        user: Some(user(1000, "ada")),
        unit: Some(Unit::new(UnitKind::Container, "0123")),
    };
    check(
        owner(partial, Some(Match::FiveTuple)),
        "flowner: user=ada uid=1000 container=0123 verdict=partial match=five-tuple end=source",
    );
}

#[test]
fn a_name_of_the_program_stands_before_that_of_the_process() {
    let ownership = owner(Verdict::Process(curl()), None);
    let mut owner = Owner::from(ownership.clone());
    if let Principal::Program(program) = &mut owner.principal {
        Arc::make_mut(program).name = "Web Browser".to_owned();
    }
    let written = write(PacketEnd::Destination, &owner, None);
    assert!(
        written.starts_with("flowner: program=\"Web Browser\" pid=4242 process=curl user=ada"),
        "{written}"
    );
    let (end, read) = read(&written, UNIX_EPOCH).unwrap();
    assert_eq!(
        (end, read.verdict),
        (PacketEnd::Destination, ownership.verdict)
    );
}

#[test]
fn comments_name_some_of_many_processes() {
    let many = (1..=100).map(|pid| Arc::new(Process::new(pid, "worker")));
    let written = write(
        PacketEnd::Source,
        &owner(Verdict::Shared(many.collect()), None).into(),
        None,
    );
    assert!(written.contains(" more=92 "), "{written}");
    let (_, read) = read(&written, UNIX_EPOCH).unwrap();
    assert_eq!(read.verdict.processes().len(), MAX_PROCESSES);
}

#[test]
fn comments_of_others_are_left_alone() {
    for comment in [
        "",
        "retransmission, see ticket",
        "flowner",
        "flowner:",
        "flowner: nothing of this form",
        "flowner: program=a pid=1 verdict=process match=five-tuple",
        "flowner: program=a pid=-1 verdict=process end=source",
        "flowner: pid=1 verdict=process end=source",
        "flowner: verdict=process end=source",
        "flowner: verdict=shared end=source",
        "flowner: verdict=unknown reason=gone end=nowhere",
        "flowner: program=\"a verdict=unknown reason=gone end=source",
        "flowner: path=/a verdict=unknown reason=gone end=source",
        "Flowner: verdict=unknown reason=gone end=source",
    ] {
        assert_eq!(read(comment, UNIX_EPOCH), None, "{comment}");
    }
    // Additions of later versions are ignored.
    let comment = "flowner: verdict=unknown reason=whatever end=source";
    let (end, read_again) = read(comment, UNIX_EPOCH).unwrap();
    assert_eq!(end, PacketEnd::Source);
    assert_eq!(read_again.verdict, Verdict::Unknown(Reason::Other));
    let comment = "flowner: program=a pid=1 verdict=process match=by-magic end=source";
    let (_, read_again) = read(comment, UNIX_EPOCH).unwrap();
    assert!(read_again.verdict.is_named());
    assert_eq!(read_again.evidence.matched, None);
    let comment = "flowner: verdict=unknown reason=gone colour=\"dark red\" end=source";
    assert!(read(comment, UNIX_EPOCH).is_some());
}

#[test]
fn reasons_of_earlier_versions_are_read() {
    for (name, reason) in [
        ("not-found", Reason::NotFound),
        ("gone", Reason::Gone),
        ("denied", Reason::Denied),
        ("other-namespace", Reason::OtherNamespace),
        ("process-exited", Reason::Gone),
    ] {
        let comment = format!("flowner: verdict=unknown reason={name} end=source");
        let (_, owner) = read(&comment, UNIX_EPOCH).unwrap();
        assert_eq!(owner.verdict, Verdict::Unknown(reason), "{name}");
    }
}

fn processes() -> impl Strategy<Value = Process> {
    let unit = (0..UnitKind::ALL.len(), ".{0,9}", option::of(any::<u32>()));
    let parts = (
        PIDS,
        ".{0,20}",
        option::of(".{0,20}"),
        any::<bool>(),
        option::of((any::<u32>(), option::of(".{0,9}"))),
        option::of(0..NEW_YEAR.as_secs()),
        option::of(unit),
    );
    parts.prop_map(|(pid, name, path, path_deleted, user, started, unit)| {
        let mut process = Process::new(pid, name);
        process.path = path.map(PathBuf::from);
        process.path_deleted = path_deleted;
        process.user = user.map(|(id, name)| User::new(id, name));
        process.started = started.map(|at| UNIX_EPOCH + Duration::new(at, 7));
        process.unit =
            unit.map(|(kind, name, user)| Unit::new(UnitKind::ALL[kind], name).of_user(user));
        process
    })
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    let some = proptest::collection::vec(processes().prop_map(Arc::new), 1..=MAX_PROCESSES);
    prop_oneof![
        processes().prop_map(|process| Verdict::Process(Arc::new(process))),
        some.prop_map(Verdict::Shared),
        processes().prop_map(|Process { user, unit, .. }| Verdict::Partial { user, unit }),
        (0..Reason::ALL.len()).prop_map(|reason| Verdict::Unknown(Reason::ALL[reason])),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        verdict in verdicts(),
        matched in option::of(0..Match::ALL.len()),
        namespace in option::of((any::<u64>(), option::of(".{0,9}"))),
        has_id in any::<bool>(),
    ) {
        let ends = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().unwrap());
        let id = CommunityId::new(flowner_flows::Protocol::TCP, ends[0], ends[1], 0);
        let community = has_id.then_some(id);
        let mut ownership = owner(verdict, matched.map(|matched| Match::ALL[matched]));
        ownership.evidence.source = Source::Recorded;
        ownership.evidence.namespace =
            namespace.map(|(id, name)| Arc::new(NetworkNamespace::new(id, name)));
        let written = write(PacketEnd::Destination, &ownership.clone().into(), community);
        prop_assert!(!written.contains(['\n', '\0']), "one line: {written}");
        let read = read(&written, ownership.evidence.observed_at);
        prop_assert_eq!(read, Some((PacketEnd::Destination, ownership)));
    }

    #[test]
    fn nothing_that_is_read_is_a_panic(comment in "flowner:( [a-z-]{1,9}=[ -~\"\\\\é]{0,9}){0,9}") {
        let _anything = read(&comment, UNIX_EPOCH);
    }
}

#[test]
fn impossible_claims_are_refused() {
    let many = |count| -> String {
        let claims = (1..=count).map(|pid| format!(" program=p pid={pid}"));
        claims.collect::<Vec<_>>().concat()
    };
    for claim in [
        "program=x pid=0 verdict=process end=source",
        "program=x pid=4194305 verdict=process end=source",
        "program=x pid=4294967295 verdict=process end=source",
        "program=x pid=-1 verdict=process end=source",
        "program=x pid=99999999999 verdict=process end=source",
        "program=x pid=1 program=y pid=2 verdict=process end=source",
        "program=x pid=1 verdict=unknown reason=not-found end=source",
        "program=x pid=1 verdict=partial end=source",
        "verdict=process end=source",
        "verdict=shared end=source",
        "program=\"x pid=1 verdict=process end=source",
        "program=\"\\u{d800}\" pid=1 verdict=process end=source",
        "program=x pid=1 more=4 verdict=shared end=source",
        "program=x pid=1 more=4 verdict=process end=source",
        "more=4 verdict=unknown reason=gone end=source",
        &format!("{} more=0 verdict=shared end=source", many(8)),
        &format!("{} more=-1 verdict=shared end=source", many(8)),
        &format!("{} more=all verdict=shared end=source", many(8)),
        &format!("{} verdict=shared end=source", many(65)),
        &format!("{} verdict=shared end=source", many(2_500)),
    ] {
        let comment = format!("flowner: {claim}");
        assert!(is_claim(&comment));
        assert_eq!(read(&comment, UNIX_EPOCH), None, "{comment}");
    }
    for claim in [
        "program=x pid=1 verdict=process end=source",
        "program=x pid=4194304 verdict=process end=source",
        &format!("{} verdict=shared end=source", many(64)),
        &format!("{} more=92 verdict=shared end=source", many(8)),
    ] {
        let comment = format!("flowner:{claim}");
        let (_, claimed) = read(&comment, UNIX_EPOCH).unwrap();
        assert_eq!(claimed.evidence.source, Source::Recorded);
    }
    assert!(!is_claim("another comment"));
}

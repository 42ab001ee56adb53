//! Owners in lines.

use std::ffi::OsString;

use super::*;

#[track_caller]
fn check_owner(verdict: Verdict, matched: Option<Match>, expected: &str) {
    check(&FlowOwner::new(&owner(verdict, matched)), expected);
}

#[test]
fn an_owner_in_another_network() {
    let mut ownership = owner(Verdict::Unknown(Reason::Gone), None);
    ownership.evidence.namespace = Some(Arc::new(NetworkNamespace::new(4_026_532_000, None)));
    check(
        &FlowOwner::new(&ownership),
        r#"{"verdict":"unknown","match":null,"source":"scripted","namespace":"net:[4026532000]","processes":[],
        "reason":"process-exited"}"#,
    );
}

#[test]
fn owners() {
    check_owner(
        Verdict::Unknown(Reason::OtherNamespace),
        None,
        r#"{"verdict":"unknown","match":null,"source":"scripted","processes":[],"reason":"other-network-namespace"}"#,
    );
    check_owner(
        Verdict::Partial {
            user: Some(User::new(7, None)),
            unit: Some(sshd()),
        },
        Some(Match::LocalEndpoint),
        r#"{"verdict":"partial","match":"local-endpoint","source":"scripted","processes":[],
        "user":"7","unit":{"kind":"service","name":"sshd.service"}}"#,
    );
    check_owner(
        Verdict::Partial {
            user: None,
            unit: None,
        },
        None,
        r#"{"verdict":"partial","match":null,"source":"scripted","processes":[]}"#,
    );
    let known = {
        let mut process = Process::new(2, "b\n");
        process.parent = Some(1);
        process.path = Some("/bin/b".into());
        process.path_deleted = true;
        process.arguments = Some(vec!["b".into(), "-v \"x\"".into()]);
        process.unit = Some(sshd());
        process.started = Some(UNIX_EPOCH - Duration::from_secs(1));
        process
    };
    check_owner(
        Verdict::Shared(vec![Arc::new(Process::new(1, "a")), Arc::new(known)]),
        Some(Match::History),
        r#"{"verdict":"shared","match":"history","source":"scripted","processes":[
        {"pid":1,"name":"a","path":null,"user":null,"started":null},
        {"pid":2,"name":"b\n","path":"/bin/b","user":null,"started":null,"parent":1,
        "arguments":["b","-v \"x\""],"unit":{"kind":"service","name":"sshd.service"},
        "path_deleted":true}]}"#,
    );
}

#[test]
fn moved_executables_and_claims_are_marked() {
    let elsewhere = {
        let mut process = Process::new(2, "b");
        process.path = Some("/bin/b".into());
        process.exe_state = ExeState::Elsewhere;
        process
    };
    check_owner(
        Verdict::Process(Arc::new(elsewhere)),
        Some(Match::FiveTuple),
        r#"{"verdict":"process","match":"five-tuple","source":"scripted","processes":[
        {"pid":2,"name":"b","path":"/bin/b","user":null,"started":null,
        "path_state":"elsewhere"}]}"#,
    );
    let program = Arc::new(Program::recorded(&Process::new(7, "x")));
    let principal = Principal::Program(program);
    let ownership = crate::samples::owner(Verdict::Unknown(Reason::Gone), None);
    let owner = serde_json::to_value(FlowOwner::new(&ownership).with(&principal)).unwrap();
    assert_eq!(owner["program_id"], "recorded:name:x");
    assert_eq!(owner["program_claimed_by"], "file");
}

/// Only where a path can be something else than Unicode at all.
#[cfg(unix)]
#[test]
fn invalid_unicode_is_replaced() {
    use std::os::unix::ffi::OsStringExt;

    let bytes = || OsString::from_vec(b"/a\xff".to_vec());
    let process = {
        let mut process = Process::new(1, "a");
        process.path = Some(PathBuf::from(bytes()));
        process.arguments = Some(vec![bytes()]);
        process
    };
    check_owner(
        Verdict::Process(Arc::new(process)),
        None,
        "{\"verdict\":\"process\",\"match\":null,\"source\":\"scripted\",\"processes\":[\
         {\"pid\":1,\"name\":\"a\",\"path\":\"/a\u{fffd}\",\"user\":null,\"started\":null,\
         \"arguments\":[\"/a\u{fffd}\"]}]}",
    );
}

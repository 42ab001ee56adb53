//! Where the system gives too little, each command says so in one line and begins nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::process::{Command, Stdio};

use common::namespace::Namespace;
use common::{captures, stderr};

/// All commands that read the network, sockets or files.
fn commands() -> Vec<Vec<String>> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut commands: Vec<_> = [
        "watch --json -i lo",
        "record -i lo -w -",
        "sockets",
        "sockets --watch",
        "who 443",
        "doctor",
        "read -",
    ]
    .map(words)
    .into();
    let file = captures().and_then(|folder| {
        let mut files = std::fs::read_dir(folder).unwrap().flatten();
        files.find(|file| file.path().extension().is_some_and(|it| it == "pcap"))
    });
    if let Some(file) = file {
        let path = file.path().to_str().unwrap().to_owned();
        commands.push(vec!["read".to_owned(), path]);
    }
    commands
}

/// Runs a command with a limit; `before` is what runs the shell that sets it.
#[track_caller]
fn check(namespace: &Namespace, before: &[&str], limit: &str, words: &[String], message: &str) {
    let mut words_before = before.iter().copied().chain(["bash", "-c"]);
    let mut command = namespace.command(words_before.next().unwrap());
    command.args(words_before);
    command.arg(format!("ulimit {limit}; exec \"$@\""));
    command.arg("bash").arg(env!("CARGO_BIN_EXE_flowner"));
    command.arg("--no-config").args(words);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{limit} {words:?}: {errors}");
    assert!(errors.contains(message), "{limit} {words:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{limit} {words:?}: {errors}");
}

#[test]
fn limits_of_files_memory_and_stack_are_reported() {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    for words in commands() {
        for files in ["5", "8", "30"] {
            check(
                &namespace,
                &["env"],
                &format!("-n {files}"),
                &words,
                "ulimit -n",
            );
        }
        check(&namespace, &["env"], "-v 60000", &words, "ulimit -v");
        check(&namespace, &["env"], "-d 20000", &words, "ulimit -d");
        check(&namespace, &["env"], "-s 64", &words, "ulimit -s");
        // Enough to begin, and too little for as many flows as are listed.
        if ["watch", "record"].contains(&words[0].as_str()) {
            check(&namespace, &["env"], "-v 700000", &words, "ulimit -v");
            check(&namespace, &["env"], "-d 350000", &words, "ulimit -d");
        }
    }
}

/// Of a user who may capture: whom root is, no limit of processes stops.
#[test]
fn limits_of_processes_are_reported() {
    const ALL: &str = "+net_raw,+net_admin,+sys_ptrace,+dac_read_search";
    /// A user id without other processes, which would count for the limit.
    const USER: &str = "--reuid=53217";

    let Some(namespace) = Namespace::new() else {
        return;
    };
    let inheritable = format!("--inh-caps={ALL}");
    let ambient = format!("--ambient-caps={ALL}");
    let setpriv = ["setpriv", USER, "--clear-groups", &inheritable, &ambient];
    let trial = Command::new(setpriv[0])
        .args(&setpriv[1..])
        .arg("true")
        .output();
    if !trial.is_ok_and(|output| output.status.success()) {
        flowner_testing::skipped!("setpriv(1) is missing, or may not change users");
        return;
    }
    // The first thread counts; what one more than that is for differs.
    for (command, least) in [
        ("watch --json -i lo", 3),
        ("record -i lo -w /dev/null --force", 4),
    ] {
        let words: Vec<_> = command.split(' ').map(str::to_owned).collect();
        for threads in 1..=least {
            let limit = format!("-u {threads}");
            check(&namespace, &setpriv, &limit, &words, "ulimit -u");
        }
    }
}

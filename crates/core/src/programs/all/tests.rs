use std::time::{Duration, SystemTime};

use flowner_attribution::{Evidence, NamedFile, User};

use super::*;

/// Processes by pid; later ones started later.
#[derive(Debug, Clone, Default)]
struct Script(Vec<Process>);

impl ProcessReader for Script {
    fn process(&self, pid: u32) -> Option<Process> {
        self.0.iter().find(|process| process.pid == pid).cloned()
    }

    fn working_directory(&self, _process: &Process) -> Option<PathBuf> {
        Some("/home/ada/project".into())
    }

    fn starting_directory(&self, process: &Process) -> Option<PathBuf> {
        self.working_directory(process)
    }

    fn named_file(&self, _process: &Process, _path: &Path) -> Option<NamedFile> {
        Some(NamedFile::new(0, 0o100_755, true).guarded())
    }
}

fn process(pid: u32, parent: u32, command: &str) -> Process {
    let words: Vec<&str> = command.split(' ').collect();
    {
        let mut process = Process::new(pid, file_name(words[0]));
        process.started = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(pid.into()));
        process.parent = Some(parent);
        process.path = Some(words[0].into());
        process.arguments = Some(words.iter().map(Into::into).collect());
        process.user = Some(User::new(0, None));
        process
    }
}

/// `commands`: processes, each the parent of the next. The test expects the program of the last
/// one.
#[track_caller]
fn check(commands: &[&str], expected: &str) {
    let pids = 100..;
    let processes = pids.zip(commands);
    let processes: Vec<_> = processes
        .map(|(pid, command)| process(pid, pid - 1, command))
        .collect();
    let last = processes.last().unwrap().clone();
    let programs = Programs::new(Catalog::default(), Box::new(Script(processes)));
    let membership = programs.membership(&last);
    assert_eq!(membership.program.id, expected, "{membership:?}");
}

#[test]
fn parts_belong_to_the_program_that_started_them() {
    let chrome = "/opt/google/chrome/chrome";
    let crash = "/opt/google/chrome/chrome_crashpad_handler -a";
    check(&[chrome, crash], "exe:/opt/google/chrome/chrome");
    check(
        &["/opt/a-1.2/bin/a", "/usr/bin/dash -c x", "/opt/a-1.2/lib/h"],
        "exe:/opt/a/bin/a",
    );
    check(
        &[
            "/usr/bin/epiphany",
            "/usr/bin/bwrap -x",
            "/usr/lib/w/WebKitNetworkProcess 1",
        ],
        "exe:/usr/bin/epiphany",
    );
    check(
        &[
            "/usr/bin/bash",
            "/usr/bin/git clone",
            "/usr/lib/git-core/git-remote-https x",
        ],
        "exe:/usr/bin/git",
    );
    check(
        &[
            "/usr/bin/node server.js",
            "/usr/bin/node /home/ada/project/lib/worker.js",
        ],
        "script:/home/ada/project/server.js",
    );
    check(
        &[
            "/usr/bin/python3 /opt/m/main.py",
            "/usr/bin/python3 -c spawn_main",
        ],
        "script:/opt/m/main.py",
    );
    check(
        &["/usr/bin/python3 -m pool", "/usr/bin/python3 -c spawn_main"],
        "module:python3 pool",
    );
}

#[test]
fn others_are_not() {
    check(&["/opt/a/a", "/opt/b/b"], "exe:/opt/b/b");
    check(&["/opt/a/a", "/usr/bin/curl"], "exe:/usr/bin/curl");
    check(
        &[
            "/usr/lib/systemd/systemd --user",
            "/usr/lib/systemd/systemd-resolved",
        ],
        "exe:/usr/lib/systemd/systemd-resolved",
    );
    check(&["/opt/a/a", "/opt/b/b", "/opt/a/h"], "exe:/opt/a/h");
    check(
        &["/usr/bin/python3 /opt/m/main.py", "/usr/bin/perl -e x"],
        "exe:/usr/bin/perl",
    );
    check(
        &["/usr/bin/bash", "/usr/lib/w/WebKitNetworkProcess"],
        "exe:/usr/lib/w/WebKitNetworkProcess",
    );
}

#[test]
fn a_shell_scripts_children_are_separate_programs() {
    let script = "/usr/bin/bash /srv/jobs/all.sh";
    for number in 0..6 {
        let job = format!("/usr/bin/bash /srv/jobs/job{number}.sh");
        check(&[script, &job], &format!("script:/srv/jobs/job{number}.sh"));
        let job = format!("/usr/bin/python3 /srv/jobs/job{number}.py");
        check(&[script, &job], &format!("script:/srv/jobs/job{number}.py"));
        check(
            &[script, "/usr/bin/dash -c x", &job],
            &format!("script:/srv/jobs/job{number}.py"),
        );
        check(
            &[
                "/usr/bin/dash start",
                &format!("/home/ada/project/bin/{number}"),
            ],
            &format!("exe:/home/ada/project/bin/{number}"),
        );
    }
    check(
        &[script, "/srv/jobs/lib/worker"],
        "exe:/srv/jobs/lib/worker",
    );
    // Also if a file beside the script started it.
    check(
        &["/srv/jobs/main", script, "/srv/jobs/lib/worker"],
        "exe:/srv/jobs/lib/worker",
    );
    // Another interpreter's script is no worker of this one.
    check(
        &[
            "/usr/bin/python3 /srv/jobs/run.py",
            "/usr/bin/perl /srv/jobs/a.pl",
        ],
        "script:/srv/jobs/a.pl",
    );
    for starter in ["make", "tmux", "cron", "xargs"] {
        check(
            &[&format!("/opt/tools/bin/{starter}"), "/opt/tools/lib/job"],
            "exe:/opt/tools/lib/job",
        );
    }
}

#[test]
fn a_program_elsewhere_is_no_part_and_has_none() {
    let whole = process(100, 1, "/opt/a/bin/a");
    let part = process(101, 100, "/opt/a/lib/h");
    let check = |whole: Process, part: Process, expected: &str| {
        let facts = Box::new(Script(vec![whole, part.clone()]));
        let programs = Programs::new(Catalog::default(), facts);
        assert_eq!(programs.program(&part).id, expected);
    };
    check(whole.clone(), part.clone(), "exe:/opt/a/bin/a");
    let elsewhere = |process: &Process| {
        let mut made = process.clone();
        made.exe_state = ExeState::Elsewhere;
        made.exe_file = Some(ExeFile::new(1, 2, 0, 0o100_755));
        made
    };
    check(elsewhere(&whole), part.clone(), "exe:/opt/a/lib/h");
    check(whole, elsewhere(&part), "elsewhere:1:2 /opt/a/lib/h");
}

#[test]
fn another_file_under_the_same_path_is_another_program() {
    let programs = Programs::without_processes();
    let at = |state, inode| {
        let mut made = process(100, 1, "/usr/bin/curl");
        made.exe_state = state;
        made.exe_file = Some(ExeFile::new(1, inode, 0, 0o100_755));
        made
    };
    let id = |state, inode| programs.program(&at(state, inode)).id.clone();
    assert_eq!(id(ExeState::Here, 1), "exe:/usr/bin/curl");
    assert_eq!(id(ExeState::Elsewhere, 2), "elsewhere:1:2 /usr/bin/curl");
    assert_eq!(id(ExeState::Elsewhere, 3), "elsewhere:1:3 /usr/bin/curl");
    assert_eq!(id(ExeState::Replaced, 1), "exe:/usr/bin/curl");
}

#[test]
fn claims_of_a_file_cause_no_lookup() {
    let entry = flowner_icons::Entry::parse(
        "firefox",
        b"[Desktop Entry]\nType=Application\nName=Firefox\nExec=firefox\n",
        &Locale::default(),
    );
    let programs = Programs::new(Catalog::new(entry.into_iter().collect()), Box::new(()));
    let firefox = Arc::new(process(100, 1, "/usr/lib/firefox/firefox"));
    let principal = |source| {
        programs.principal(Some(&Ownership::new(
            Verdict::Process(Arc::clone(&firefox)),
            Evidence::new(None, SystemTime::UNIX_EPOCH, source),
        )))
    };
    let id = |principal: Principal| principal.programs()[0].id.clone();
    assert_eq!(id(principal(Source::SockDiag)), "app:firefox");
    let recorded = principal(Source::Recorded);
    assert_eq!(id(recorded), "recorded:exe:/usr/lib/firefox/firefox");
}

#[test]
fn an_ancestor_that_is_younger_is_another_process() {
    let old = process(200, 300, "/opt/a/h");
    let young = process(300, 1, "/opt/a/a");
    let programs = Programs::new(Catalog::default(), Box::new(Script(vec![young])));
    assert_eq!(programs.program(&old).id, "exe:/opt/a/h");
}

#[test]
fn processes_that_start_each_other_end() {
    let mut one = process(100, 101, "/usr/bin/sh -c x");
    let mut other = process(101, 100, "/usr/bin/sh -c x");
    one.started = None;
    other.started = None;
    let programs = Programs::new(
        Catalog::default(),
        Box::new(Script(vec![one.clone(), other])),
    );
    assert_eq!(programs.program(&one).id, "exe:/usr/bin/sh");
}

#[test]
fn an_upgrade_does_not_split_a_program_and_is_shared() {
    let programs = Programs::without_processes();
    let old = programs.program(&process(100, 1, "/opt/app-1.2.3/bin/x"));
    let new = programs.program(&process(101, 1, "/opt/app-1.3.0/bin/x"));
    assert!(Arc::ptr_eq(&old, &new));
    assert_eq!(old.path.as_deref(), Some(Path::new("/opt/app-1.2.3/bin/x")));
}

#[test]
fn a_process_that_executes_another_program_belongs_to_it() {
    let programs = Programs::new(Catalog::default(), Box::new(Script::default()));
    let shell = process(100, 1, "/usr/bin/dash -c x");
    assert_eq!(programs.program(&shell).id, "exe:/usr/bin/dash");
    let script = process(100, 1, "/usr/bin/dash /opt/x/y");
    assert_eq!(programs.program(&script).id, "script:/opt/x/y");
    let command = process(100, 1, "/usr/bin/curl");
    assert_eq!(programs.program(&command).id, "exe:/usr/bin/curl");
    let told = process(100, 1, "/usr/bin/curl: idle");
    assert_eq!(
        programs
            .program(&{
                let mut process = told;
                process.path = command.path;
                process
            })
            .id,
        "exe:/usr/bin/curl"
    );
}

#[test]
fn memory_is_bounded() {
    let programs = Programs::without_processes();
    for pid in 0..3 * 8_192 {
        programs.program(&process(pid, 1, "/usr/bin/curl"));
    }
    let known = programs.known();
    assert!(known.processes.len() + known.before.len() <= 2 * MAX_PROCESSES);
    assert_eq!(known.programs.len(), 1);
}

#[test]
fn an_unreadable_sandbox_is_its_own_program() {
    use flowner_attribution::UnitKind;
    let programs = Programs::without_processes();
    let unit = |kind| Unit::new(kind, "org.x.Y");
    let principal = |kind| {
        programs.principal_of(Some(&Verdict::Partial {
            user: None,
            unit: Some(unit(kind)),
        }))
    };
    let seen = {
        let mut made = process(100, 1, "/app/y");
        made.unit = Some(unit(UnitKind::Flatpak));
        made
    };
    assert_eq!(
        principal(UnitKind::Flatpak),
        Principal::Program(programs.program(&seen))
    );
    assert_eq!(
        principal(UnitKind::Service),
        Principal::Unit(unit(UnitKind::Service))
    );
}

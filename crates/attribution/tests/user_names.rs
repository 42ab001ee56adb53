//! The names of users that only the name service of the system knows, as with LDAP or SSSD: from a
//! module of the C library that the test makes, in its own mount namespace.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod helper;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flowner_attribution::{Attributor, Processes, Protocol, User, Verdict};
use helper::Helper;

/// The module gives the name of the first user at once, and that of the second one after so many
/// seconds.
const MODULE: &str = r#"
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum nss_status _nss_flownertest_getpwuid_r(
    uid_t uid, struct passwd *pw, char *buffer, size_t length, int *error)
{
    if (uid != FIRST && uid != LATE) return NSS_STATUS_NOTFOUND;
    if (uid == LATE) sleep(SECONDS);
    memset(pw, 0, sizeof *pw);
    strcpy(buffer, uid == FIRST ? "ada@example.org" : "late");
    pw->pw_name = buffer;
    pw->pw_passwd = pw->pw_gecos = pw->pw_dir = pw->pw_shell = buffer + strlen(buffer);
    pw->pw_uid = uid;
    return NSS_STATUS_SUCCESS;
}
"#;
const FIRST: u32 = 3_100_000_001;
const LATE: u32 = 3_100_000_002;
const SECONDS: u64 = 4;
/// Less than that, and longer than anything else here takes.
const DEADLINE: Duration = Duration::from_secs(SECONDS - 1);

fn is_done(command: &mut Command) -> bool {
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}

/// Makes the module, and the files that make the C library use it. Returns whether that works.
fn make(folder: &Path) -> bool {
    std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("module.c"), MODULE).unwrap();
    std::fs::write(folder.join("nsswitch.conf"), "passwd: files flownertest\n").unwrap();
    let mut compile = Command::new("cc");
    compile.current_dir(folder).args(["-shared", "-fPIC", "-o"]);
    compile.args(["libnss_flownertest.so.2", "module.c"]);
    let numbers = [
        ("FIRST", u64::from(FIRST)),
        ("LATE", u64::from(LATE)),
        ("SECONDS", SECONDS),
    ];
    for (name, value) in numbers {
        compile.arg(format!("-D{name}={value}u"));
    }
    // Another process copies it, so that nothing has it open for writing here (ETXTBSY).
    let mut copy = Command::new("cp");
    let program = std::env::current_exe().unwrap();
    copy.arg(program).arg(folder.join("program"));
    is_done(&mut compile) && is_done(&mut copy)
}

#[test]
fn users_of_the_name_service_have_names() {
    let may = rustix::process::geteuid().is_root()
        && is_done(Command::new("unshare").args(["-m", "true"]))
        && Path::new("/etc/nsswitch.conf").exists();
    if !may {
        return flowner_testing::skipped!("no privilege for a name service of the test's own");
    }
    let folder = tempfile::tempdir().unwrap();
    if !make(folder.path()) {
        return flowner_testing::skipped!("no C compiler, or no name service to extend");
    }
    let script = "mount --bind \"$1/nsswitch.conf\" /etc/nsswitch.conf && \
        exec \"$1/program\" --exact role_asks --ignored --nocapture";
    let status = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .env("LD_LIBRARY_PATH", folder.path())
        .status();
    assert!(status.unwrap().success());
}

/// A process of that user with a listening socket.
fn of_user(uid: u32) -> Helper {
    let mut command = Command::new("setpriv");
    let user = format!("--reuid={uid}");
    command.args([&user, "--clear-groups", "--"]);
    Helper::through(command, &["tcp 127.0.0.1:0"])
}

/// The owner of its socket, by its pid.
fn user_of(attributor: &mut Attributor, helper: &Helper) -> User {
    let port = helper.addresses[0].port();
    let owners = attributor.port_owners(Protocol::Tcp, port).unwrap();
    let verdicts = owners.sockets().iter().map(|socket| &socket.owner);
    let mut process = verdicts.filter_map(|verdict| match verdict {
        Verdict::Process(process) if process.pid == helper.pid() => Some(process),
        _ => None,
    });
    let process = process.next().expect("the process is named");
    process.user.clone().expect("its user is known")
}

#[test]
#[ignore = "a role: another test runs it, with a name service of its own"]
fn role_asks() {
    let first = of_user(FIRST);
    let mut attributor = Attributor::new().unwrap();
    let began = Instant::now();
    let name = named_in_the_end(|| user_of(&mut attributor, &first));
    assert_eq!(name, "ada@example.org");
    assert!(began.elapsed() < DEADLINE);

    let late = of_user(LATE);
    let started = Instant::now();
    let user = user_of(&mut attributor, &late);
    assert_eq!((user.uid(), user.name), (Some(LATE), None));
    let mut processes = Processes::new();
    let process = processes.read(late.pid()).unwrap();
    assert_eq!(process.user, Some(User::new(LATE, None)));
    assert!(started.elapsed() < DEADLINE, "no lookup waits for a name");
    let name = named_in_the_end(|| processes.read(late.pid()).unwrap().user.unwrap());
    assert_eq!(name, "late");
}

fn named_in_the_end(mut user: impl FnMut() -> User) -> String {
    let began = Instant::now();
    loop {
        if let Some(name) = user().name {
            return name;
        }
        assert!(began.elapsed() < 6 * DEADLINE, "the user has no name");
        std::thread::sleep(Duration::from_millis(5));
    }
}

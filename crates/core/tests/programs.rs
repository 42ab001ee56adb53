//! Which program real processes are, and which they only claim to be.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_core::attribution::{Process, Processes};
use flowner_core::{Claim, Membership, Programs};

/// A user whom nothing belongs to.
const NOBODY: u32 = 65_534;

/// A process that says when it is ready, and ends with the test.
struct Running(Child);

impl Running {
    /// Waits for a first line.
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Self(child.spawn().unwrap());
        let mut line = String::new();
        let output = running.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{command:?}");
        running
    }

    fn membership(&self) -> (Process, Membership) {
        of(self.0.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn of(pid: u32) -> (Process, Membership) {
    let process = Processes::new().read(pid).unwrap();
    let membership = Programs::of_this_host().membership(&process);
    (process.clone(), Membership::clone(&membership))
}

fn python() -> Option<PathBuf> {
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys, os; print(os.path.realpath(sys.executable))",
        ])
        .output();
    let found = found.ok().filter(|output| output.status.success());
    if found.is_none() {
        flowner_testing::skipped!("there is no python3");
    }
    Some(String::from_utf8(found?.stdout).unwrap().trim().into())
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

const WAIT: &str = "print('ready', flush=True); sys.stdin.read()";

/// Python that writes over its arguments, and changes its name.
fn spoof(claims: &str, name: Option<&str>) -> String {
    let rename = name.map_or_else(String::new, |name| {
        format!("ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n")
    });
    format!(
        "import ctypes, sys\n\
         fields = open('/proc/self/stat').read().rsplit(')', 1)[1].split()\n\
         start, end = int(fields[45]), int(fields[46])\n\
         new = b'{claims}'.replace(b' ', b'\\0') + b'\\0'\n\
         assert len(new) <= end - start, (len(new), end - start)\n\
         new = new.ljust(end - start, b'\\0')\n\
         ctypes.memmove(start, new, len(new))\n\
         {rename}{WAIT}\n"
    )
}

/// A directory with paths of the given length, which every user may enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn arguments_that_were_written_over_are_claims() {
    let Some(python) = python() else {
        return;
    };
    let folder = folder();
    let honest = folder.path().join("honest-upgrade");
    write(
        &honest,
        &format!("#!{}\nimport sys\n{WAIT}\n", python.display()),
    );
    let owner = fs::metadata(&honest).unwrap().uid();
    let expected = format!("script:{}", honest.display());
    for command in [Command::new(&honest), {
        let mut command = Command::new(&python);
        command.arg(&honest);
        command
    }] {
        let mut command = command;
        let (_, membership) = Running::start(&mut command).membership();
        assert_eq!(membership.program.id, expected);
        assert_eq!(membership.program.claim, None);
    }
    let claims = format!("{} {}", python.display(), honest.display());
    // With room left, and with none: then the executable gives the name.
    let room = "x".repeat(200);
    let script = folder.path().join("spoof.py");
    write(&script, &spoof(&claims, Some("honest-upgrade")));
    let shorter = python.as_os_str().len() + 1 + script.as_os_str().len() + 1;
    let exact = "y".repeat(claims.len() + 1 - shorter.min(claims.len() - 1) - 1);
    for arguments in [room, exact] {
        let mut command = Command::new(&python);
        command.arg(&script).arg(&arguments);
        let (process, membership) = Running::start(&mut command).membership();
        let arguments = process.arguments.unwrap();
        assert_eq!(arguments[1], honest, "{arguments:?}");
        let program = &membership.program;
        assert_eq!(
            program.claim,
            Some(Claim::Process),
            "{arguments:?} {program:?}"
        );
        assert_eq!(program.id, format!("claimed:{owner} {expected}"));
        assert_eq!(program.name, "honest-upgrade (claimed)");
        let reason = membership.reasons[0].to_string();
        assert!(reason.ends_with("as claimed by its arguments"), "{reason}");
    }
}

#[test]
fn another_users_process_is_not_roots_script() {
    let Some(python) = python() else {
        return;
    };
    // A program that everybody may execute.
    let folder = folder();
    let script = folder.path().join("maintenance");
    write(&script, "#!/bin/bash\necho ready; read x\n");
    if fs::metadata(&script).unwrap().uid() != 0 {
        flowner_testing::skipped!("no privilege to run as another user");
        return;
    }
    drop(python);
    let as_nobody = || {
        let mut command = Command::new("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--clear-groups"]);
        command
    };
    let (_, membership) = Running::start(as_nobody().arg(&script)).membership();
    let expected = format!("claimed:{NOBODY} script:{}", script.display());
    assert_eq!(membership.program.id, expected);
    let (_, membership) = Running::start(&mut Command::new(&script)).membership();
    assert_eq!(
        membership.program.id,
        format!("script:{}", script.display())
    );
    // What is their own is theirs, unless everybody may write into it.
    std::os::unix::fs::chown(&script, Some(NOBODY), None).unwrap();
    let (_, membership) = Running::start(as_nobody().arg(&script)).membership();
    assert_eq!(
        membership.program.id,
        format!("script:{}", script.display())
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777)).unwrap();
    let (_, membership) = Running::start(as_nobody().arg(&script)).membership();
    assert_eq!(membership.program.id, expected);
}

/// A process that went to another folder, which has a file of the same name, does not run that.
#[test]
fn a_script_is_not_the_one_in_the_folder_where_the_process_went() {
    let Some(python) = python() else {
        return;
    };
    let folder = folder();
    let folder = folder.path().canonicalize().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.join(name));
    let owner = fs::metadata(&folder).unwrap().uid();
    for folder in [&one, &other] {
        fs::create_dir(folder).unwrap();
        write(
            &folder.join("x.py"),
            &format!("import os, sys\nos.chdir(sys.argv[1])\n{WAIT}\n"),
        );
    }
    let found = |goes: &str| {
        let mut command = Command::new(&python);
        command.args(["x.py", goes]).current_dir(&one);
        command.env("PWD", &one);
        let (_, membership) = Running::start(&mut command).membership();
        membership.program.id.clone()
    };
    assert_eq!(found("."), format!("script:{}/x.py", one.display()));
    assert_eq!(
        found("../other"),
        format!("claimed:{owner} script:{}/x.py", other.display())
    );
}

/// Who made a file of another user out of the one that was started has changed nothing of what runs.
#[test]
fn a_script_that_another_user_replaced_is_a_claim() {
    let folder = folder();
    let (script, new) = (folder.path().join("job"), folder.path().join("new"));
    let text = "#!/bin/bash\necho ready; read x\n";
    write(&script, text);
    // Others may write here, and no process does before this one starts.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    std::thread::sleep(Duration::from_millis(250));
    let running = Running::start(&mut Command::new(&script));
    let (process, membership) = running.membership();
    let expected = format!("script:{}", script.display());
    assert_eq!(membership.program.id, expected);
    write(&new, text);
    fs::rename(&new, &script).unwrap();
    let user = process.user.unwrap().id;
    assert_eq!(
        running.membership().1.program.id,
        format!("claimed:{user} {expected}")
    );
    // One's own replacement is no other's.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let running = Running::start(&mut Command::new(&script));
    write(&new, text);
    fs::rename(&new, &script).unwrap();
    assert_eq!(running.membership().1.program.id, expected);
}

#[test]
fn code_in_an_argument_is_not_a_script() {
    let folder = folder();
    let folder = folder.path().canonicalize().unwrap();
    let script = folder.join("ready");
    write(&script, "");
    for (program, arguments) in [
        ("perl", &["-we", "$| = 1; print qq(ready\n); <STDIN>"][..]),
        ("bash", &["-ec", "echo ready; read x"]),
        ("bash", &["-euo", "pipefail", "-c", "echo ready; read x"]),
    ] {
        let mut command = Command::new(program);
        command.args(arguments).arg(&script).current_dir(&folder);
        let (process, membership) = Running::start(&mut command).membership();
        let path = process.path.unwrap();
        assert_eq!(
            membership.program.id,
            format!("exe:{}", path.display()),
            "{arguments:?}"
        );
    }
}

#[test]
fn scripts_of_a_shell_script_are_programs_of_their_own() {
    let folder = folder();
    let mut all = String::from("#!/bin/bash\n");
    for number in 0..6 {
        let script = folder.path().join(format!("job{number}.sh"));
        write(&script, "#!/bin/bash\nread x < \"$1\"\n");
        writeln!(all, "'{}' \"$1\" &", script.display()).unwrap();
    }
    let script = folder.path().join("all.sh");
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    write(
        &script,
        &format!("{all}echo ready; read x; kill $(jobs -p)\n"),
    );
    let mut running = Running::start(Command::new(&script).arg(&pipe));
    let children = || -> Vec<u32> {
        let pid = running.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        children
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    };
    let end = Instant::now() + Duration::from_secs(20);
    let mut found = Vec::new();
    let expected: Vec<String> = (0..6)
        .map(|number| format!("script:{}/job{number}.sh", folder.path().display()))
        .collect();
    while found != expected {
        assert!(Instant::now() < end, "{found:?}");
        found = children()
            .into_iter()
            .map(|pid| of(pid).1.program.id.clone())
            .collect();
        found.sort();
    }
    // The end of its input is the end of them.
    drop(running.0.stdin.take());
    running.0.wait().unwrap();
}

/// As in a container, or from a process that pretends.
#[test]
fn a_file_mounted_over_another_is_not_that() {
    let may = Command::new("unshare").args(["-m", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        flowner_testing::skipped!("no privilege to make a mount namespace");
        return;
    }
    let folder = folder();
    let (real, other) = (folder.path().join("real"), folder.path().join("other"));
    for program in [&real, &other] {
        let copied = Command::new("cp").arg("/bin/bash").arg(program).status();
        assert!(copied.unwrap().success());
    }
    let wait = "echo ready; read x";
    let (_, honest) = Running::start(Command::new(&real).args(["-c", wait])).membership();
    let (real, other) = (real.display(), other.display());
    let script = format!("mount --bind '{other}' '{real}'; exec '{real}' -c '{wait}'");
    let mut command = Command::new("unshare");
    let running = Running::start(command.args(["-m", "sh", "-ec", &script]));
    let (process, membership) = running.membership();
    assert_eq!(
        process.path.unwrap().display().to_string(),
        real.to_string()
    );
    assert_eq!(honest.program.id, format!("exe:{real}"));
    let file = process.exe_file.unwrap();
    let expected = format!("elsewhere:{}:{} {real}", file.device, file.inode);
    assert_eq!(membership.program.id, expected);
    assert_eq!(membership.program.name, "real (elsewhere)");
    assert!(membership.program.icon_request().is_unknown_here);
}

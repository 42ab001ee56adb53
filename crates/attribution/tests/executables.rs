//! The file that a process executes, and whether its path leads to it here.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_attribution::{ExeState, Process, Processes};
use flowner_testing::wait_until;

const DEADLINE: Duration = Duration::from_secs(20);

/// A process that waits, and ends with the test.
struct Running(Child);

impl Running {
    /// A command that in the end executes a file with this name, in the process in which it starts.
    fn start(command: &mut Command, name: &[u8]) -> Self {
        let running = Self(command.stdin(Stdio::piped()).spawn().unwrap());
        let comm = format!("/proc/{}/comm", running.0.id());
        let cut = &name[..name.len().min(15)];
        let is_it = || fs::read(&comm).is_ok_and(|comm| comm.strip_suffix(b"\n") == Some(cut));
        wait_until("the program", is_it);
        running
    }

    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap().as_bytes();
        Self::start(Command::new(path).arg("1000"), name)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn read(&self) -> Process {
        Processes::new().read(self.pid()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        self.0.wait().unwrap();
    }
}

/// A program of its own: a copy of `sleep`. Another process copies it, since a file that is open
/// for writing cannot be executed (execve(2), ETXTBSY).
fn program(at: &Path) -> PathBuf {
    let copied = Command::new("cp").arg("/bin/sleep").arg(at).status();
    assert!(copied.unwrap().success());
    at.to_owned()
}

/// A shell in its own mount namespace; `None`, with a message, if this process may not make one.
fn in_own_mounts(script: &str) -> Option<Command> {
    let may = Command::new("unshare").args(["-m", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        flowner_testing::skipped!("no privilege to make a mount namespace");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", script]);
    Some(command)
}

#[track_caller]
fn check(process: &Process, path: &Path, state: ExeState, is_deleted: bool) {
    let found = (process.path.as_deref(), process.exe_state);
    assert_eq!(found, (Some(path), state));
    assert_eq!(process.path_deleted, is_deleted);
}

#[test]
fn a_file_at_its_path_is_here() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("plain"));
    let process = Running::of(&path).read();
    check(&process, &path, ExeState::Here, false);
    let (file, stat) = (process.exe_file.unwrap(), fs::metadata(&path).unwrap());
    assert_eq!(
        (file.device, file.inode, file.owner, file.mode),
        (stat.dev(), stat.ino(), stat.uid(), stat.mode())
    );
}

#[test]
fn names_that_look_deleted_are_names() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "app (deleted)",
        "a (deleted) b",
        " (deleted)",
        "nl\nx\ttab (deleted)",
        "app (deleted) (deleted)",
    ] {
        let path = program(&directory.path().join(name));
        let running = Running::of(&path);
        check(&running.read(), &path, ExeState::Here, false);
        assert_eq!(running.read().name, name);
        fs::remove_file(&path).unwrap();
        check(&running.read(), &path, ExeState::Deleted, true);
    }
}

/// The deleted file differs from the one whose name its link shows.
#[test]
fn a_deleted_file_is_not_the_file_with_deleted_in_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    let running = Running::of(&path);
    let other = program(&directory.path().join("app (deleted)"));
    fs::remove_file(&path).unwrap();
    check(&running.read(), &path, ExeState::Deleted, true);
    let other = Running::of(&other);
    assert_ne!(other.read().exe_file, running.read().exe_file);
}

#[test]
fn a_file_with_another_name_left_is_deleted_from_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    fs::hard_link(&path, directory.path().join("other")).unwrap();
    let running = Running::of(&path);
    fs::remove_file(&path).unwrap();
    check(&running.read(), &path, ExeState::Deleted, true);
}

#[test]
fn an_upgrade_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    let running = Running::of(&path);
    let new = program(&directory.path().join("app.new"));
    fs::rename(new, &path).unwrap();
    check(&running.read(), &path, ExeState::Replaced, true);
    check(&Running::of(&path).read(), &path, ExeState::Here, false);
}

#[test]
fn a_file_mounted_over_a_program_elsewhere_is_not_that_program() {
    let directory = tempfile::tempdir().unwrap();
    let real = program(&directory.path().join("real"));
    let evil = program(&directory.path().join("evil"));
    let script = format!(
        "mount --bind '{}' '{}'; exec '{}' 1000",
        evil.display(),
        real.display(),
        real.display()
    );
    let Some(mut command) = in_own_mounts(&script) else {
        return;
    };
    let running = Running::start(&mut command, b"real");
    let process = running.read();
    check(&process, &real, ExeState::Elsewhere, false);
    assert_eq!(
        process.exe_file.unwrap().inode,
        fs::metadata(&evil).unwrap().ino()
    );
    // An upgrade of the file that it executes is not one of the file at its path.
    fs::rename(program(&directory.path().join("new")), &evil).unwrap();
    assert_eq!(running.read().exe_state, ExeState::Elsewhere);
    fs::rename(program(&directory.path().join("new")), &real).unwrap();
    assert_eq!(running.read().exe_state, ExeState::Elsewhere);
}

#[test]
fn a_directory_of_its_own_is_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    for (after, state, is_deleted) in [
        ("", ExeState::Elsewhere, false),
        // The file was in another directory with that name.
        ("deleted", ExeState::Elsewhere, true),
    ] {
        let name = path.display();
        let within = directory.path().display();
        let script =
            format!("mount -t tmpfs none '{within}'; cp /bin/sleep '{name}'; exec '{name}' 1000");
        let Some(mut command) = in_own_mounts(&script) else {
            return;
        };
        let running = Running::start(&mut command, b"app");
        if !after.is_empty() {
            let theirs = format!("/proc/{}/root{name}", running.pid());
            fs::remove_file(theirs).unwrap();
        }
        check(&running.read(), &path, state, is_deleted);
    }
}

/// Services have such namespaces: they see the host's files as this process does.
#[test]
fn the_same_file_in_another_namespace_is_here() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    let script = format!(
        "mount -t tmpfs none /mnt; mount --bind /tmp /tmp; exec '{}' 1000",
        path.display()
    );
    let Some(mut command) = in_own_mounts(&script) else {
        return;
    };
    let running = Running::start(&mut command, b"app");
    check(&running.read(), &path, ExeState::Here, false);
    // An upgrade here is also one there.
    fs::rename(program(&directory.path().join("new")), &path).unwrap();
    check(&running.read(), &path, ExeState::Replaced, true);
    fs::remove_file(&path).unwrap();
    check(&running.read(), &path, ExeState::Deleted, true);
}

#[test]
fn below_another_root_directory_the_path_is_checked_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("app"));
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    // The kernel follows a link when it executes it.
    let running = Running::start(Command::new(&link).arg("1000"), b"link");
    check(&running.read(), &path, ExeState::Here, false);
    let script = format!(
        "mkdir -p '{0}/root'; mount --bind / '{0}/root'; exec chroot '{0}/root' '{0}/app' 1000",
        directory.path().display()
    );
    let Some(mut command) = in_own_mounts(&script) else {
        return;
    };
    let running = Running::start(&mut command, b"app");
    let process = running.read();
    // The kernel gives the path from the root directory of its namespace. Here, that path does not
    // exist.
    assert_eq!(process.exe_state, ExeState::Elsewhere, "{process:?}");
}

/// Makes a program in memory with a name; the descriptor refers to it.
fn in_memory(name: &str) -> OwnedFd {
    let memory = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::empty()).unwrap();
    let mut bytes = Vec::new();
    File::open("/bin/sleep")
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    File::from(memory.try_clone().unwrap())
        .write_all(&bytes)
        .unwrap();
    memory
}

#[test]
fn programs_in_memory_are_distinguished_by_their_file() {
    let [one, other] = ["same", "same"].map(in_memory);
    let run = |memory: &OwnedFd| {
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        let number = memory.as_raw_fd().to_string();
        Running::start(Command::new(path).arg("1000"), number.as_bytes())
    };
    let running = [run(&one), run(&one), run(&other)];
    let read = running.each_ref().map(Running::read);
    for process in &read {
        check(process, Path::new("/memfd:same"), ExeState::Memory, false);
    }
    assert_eq!(read[0].exe_file, read[1].exe_file);
    assert_ne!(read[0].exe_file, read[2].exe_file);
    let directory = tempfile::tempdir().unwrap();
    let path = program(&directory.path().join("memfd:same (deleted)"));
    check(&Running::of(&path).read(), &path, ExeState::Here, false);
}

#[test]
fn names_cut_inside_a_character_are_completed() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["process-name-töööö", "日本語の名前です", "fifteen-bytes-é"] {
        let path = program(&directory.path().join(name));
        let running = Running::of(&path);
        assert_eq!(running.read().name, name);
    }
    // A program that is started by a link has the name of the link, which is its first argument.
    let path = program(&directory.path().join("app"));
    let link = directory.path().join("ein-längerer-Name-für-ihn");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let name = link.file_name().unwrap().as_bytes();
    let running = Running::start(Command::new(&link).arg("1000"), name);
    assert_eq!(running.read().name.as_bytes(), name);
    // If no text continues there, the rest of a character is dropped.
    let mut command = Command::new("python3");
    command.args(["-c", "import ctypes,sys; ctypes.CDLL(None).prctl(15, 'process-name-tö'.encode(), 0, 0, 0); sys.stdin.read()"]);
    let running = Running::start(&mut command, "process-name-tö".as_bytes());
    assert_eq!(running.read().name, "process-name-t");
}

/// Follows a link as executing a program through it does: the kernel writes down the time
/// (`relatime` in mount(8)), so it has to ask the file system once if that is later than the link.
fn follow(link: &Path) {
    std::thread::sleep(Duration::from_millis(20));
    fs::metadata(link).unwrap();
}

/// A relative path in the arguments begins in the directory where the process started.
#[test]
fn a_process_that_changed_its_directory_does_not_show_where_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let [one, other] = ["one", "other"].map(|name| directory.join(name));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&other).unwrap();
    let link = directory.join("link");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    follow(&link);
    let started = |script: &str, shell_directory: Option<&Path>, goes: &str| {
        let mut command = Command::new("perl");
        command.args(["-e", script, goes]).current_dir(&one);
        command.env_remove("PWD");
        if let Some(shell_directory) = shell_directory {
            command.env("PWD", shell_directory);
        }
        let running = Running::start(&mut command, b"there");
        Processes::new().starting_directory(&running.read())
    };
    // Perl, because a shell would change the environment.
    let stays = "chdir $ARGV[0]; open F, '>/proc/self/comm'; print F 'there'; close F; <STDIN>";
    assert_eq!(started(stays, Some(&one), "."), Some(one.clone()));
    // As a shell sets it that went there through a link.
    assert_eq!(started(stays, Some(&link), "."), Some(one.clone()));
    assert_eq!(started(stays, None, "."), None);
    assert_eq!(started(stays, Some(&other), "."), None);
    let goes = other.to_str().unwrap();
    assert_eq!(started(stays, Some(&one), goes), None);
    assert_eq!(started(stays, Some(&link), goes), None);
    assert_eq!(started(stays, Some(Path::new("one")), "."), None);
}

/// A file that another user has put at a path since is not the one that the process started with.
#[test]
fn a_path_that_others_can_change_is_not_guarded() {
    const USER: u32 = 23_451;
    const OTHER: u32 = 23_452;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let give = |path: &Path, mode: u32, user: u32| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(path, Some(user), None)
    };
    if give(&directory, 0o755, USER).is_err() {
        flowner_testing::skipped!("no privilege to give a file to another user");
        return;
    }
    give(&directory, 0o755, 0).unwrap();
    let make = |name: &str, mode: u32, user: u32| {
        let path = directory.join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("script"), "").unwrap();
        give(&path.join("script"), 0o644, USER).unwrap();
        give(&path, mode, user).unwrap();
        path
    };
    let own = make("own", 0o755, USER);
    let open = make("open", 0o777, 0);
    let group = make("group", 0o775, USER);
    let sticky = make("sticky", 0o1777, 0);
    let others = make("others", 0o755, OTHER);
    let link = others.join("link");
    std::os::unix::fs::symlink(own.join("script"), &link).unwrap();
    let through = directory.join("through");
    std::os::unix::fs::symlink(&link, &through).unwrap();
    follow(&through);
    // All of this is older than the process.
    std::thread::sleep(Duration::from_millis(250));
    let mut command = Command::new("setpriv");
    command.args(["--reuid=23451", "--regid=23451", "--clear-groups"]);
    command.args(["sleep", "1000"]);
    let running = Running::start(&mut command, b"sleep");
    let process = running.read();
    let is_guarded = |path: &Path| {
        let file = Processes::new().named_file(&process, path);
        file.is_some_and(|file| file.is_guarded)
    };
    // The kernel does not always have a path at hand on a busy machine, where files are renamed; then
    // nothing is guarded.
    let becomes_guarded = |path: &Path| wait_until("a guarded file", || is_guarded(path));
    let all = [&own, &open, &group, &sticky, &others].map(|path| path.join("script"));
    for path in all.iter().chain([&link, &through]) {
        becomes_guarded(path);
    }
    // Another user puts another file there.
    for path in &all {
        let new = path.with_extension("new");
        fs::write(&new, "").unwrap();
        give(&new, 0o644, USER).unwrap();
        fs::rename(&new, path).unwrap();
    }
    becomes_guarded(&all[0]);
    becomes_guarded(&all[3]);
    assert!(![1, 2, 4].iter().any(|at| is_guarded(&all[*at])));
    assert!(!is_guarded(&link) && !is_guarded(&through));
    assert!(!is_guarded(&own.join("../open/script")));
    becomes_guarded(&open.join("../own/script"));
    // The same for a path below a link of another user in a directory that all may write to.
    let path = sticky.join("link");
    std::os::unix::fs::symlink(own.join("script"), &path).unwrap();
    follow(&path);
    becomes_guarded(&path);
    std::os::unix::fs::lchown(&path, Some(OTHER), None).unwrap();
    assert!(!is_guarded(&path));
}

/// A file system that never answers, at the path that a process has in another namespace.
#[test]
fn no_lookup_waits_for_a_file_system_that_never_answers() {
    if in_own_mounts("true").is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["-m", "--"])
        .arg(own)
        .args([
            "--exact",
            "before_a_dead_file_system",
            "--ignored",
            "--nocapture",
        ])
        .env("FLOWNER_TEST_DIRECTORY", directory.path());
    let mut reader = command.spawn().unwrap();
    let end = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = reader.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= end {
            reader.kill().unwrap();
            panic!("it waits for a file system that never answers");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success());
}

/// A process chooses its arguments: they must not reveal the content of directories of other users.
#[test]
fn a_file_that_its_user_cannot_reach_is_not_reported() {
    const USER: u32 = 23_451;
    let directory = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode: u32, user: u32| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(path, Some(user), None)
    };
    if set(directory.path(), 0o755, USER).is_err() {
        flowner_testing::skipped!("no privilege to give a file to another user");
        return;
    }
    set(directory.path(), 0o755, 0).unwrap();
    let [open, own, closed] = ["open", "own", "closed"].map(|name| directory.path().join(name));
    for (directory, mode, user) in [(&open, 0o755, 0), (&own, 0o700, USER), (&closed, 0o700, 0)] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("script"), "").unwrap();
        set(&directory.join("script"), 0o644, USER).unwrap();
        set(directory, mode, user).unwrap();
    }
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&closed, &link).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=23451", "--regid=23451", "--clear-groups"]);
    command.args(["sleep", "1000"]);
    let running = Running::start(&mut command, b"sleep");
    let process = running.read();
    assert_eq!(process.user.as_ref().unwrap().id, USER);
    let named = |directory: &Path| {
        Processes::new()
            .named_file(&process, &directory.join("script"))
            .map(|file| (file.owner, file.is_here))
    };
    assert_eq!(named(&open), Some((USER, true)));
    assert_eq!(named(&own), Some((USER, true)));
    assert_eq!(named(&closed), None);
    assert_eq!(named(&link), None);
    assert_eq!(named(&open.join("../closed")), None);
}

#[test]
#[ignore = "is run by another test, in a mount namespace of its own"]
fn before_a_dead_file_system() {
    let directory = PathBuf::from(std::env::var_os("FLOWNER_TEST_DIRECTORY").unwrap());
    let dead = directory.join("dead");
    fs::create_dir(&dead).unwrap();
    let path = dead.join("app");
    let name = path.display();
    let within = dead.display();
    // In its own namespace, the file exists; so does one below a link to the dead directory.
    let script =
        format!("mount -t tmpfs none '{within}'; cp /bin/sleep '{name}'; exec '{name}' 1000");
    let running = Running::start(&mut in_own_mounts(&script).unwrap(), b"app");
    let link = directory.join("link");
    let linked = format!(
        "mount -t tmpfs none '{0}'; mkdir '{0}/link'; cp /bin/sleep '{0}/link/app'; \
         exec '{0}/link/app' 1000",
        directory.display()
    );
    let other = Running::start(&mut in_own_mounts(&linked).unwrap(), b"app");
    std::os::unix::fs::symlink(&dead, &link).unwrap();
    // The server of the device would answer, and there is none. The device ends with this process.
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    let Ok(device) = device else {
        flowner_testing::skipped!("there is no /dev/fuse");
        return;
    };
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    let options = std::ffi::CString::new(options).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("none", &dead, "fuse", flags, options.as_c_str()).unwrap();
    let process = running.read();
    assert_eq!(process.path.as_deref(), Some(&*path));
    assert!(!process.exe_state.is_at_path(), "{process:?}");
    let process = other.read();
    assert_eq!(process.path, Some(link.join("app")));
    assert!(!process.exe_state.is_at_path(), "{process:?}");
    // The same holds for files that the arguments name.
    let file = Processes::new().named_file(&process, &path);
    assert_eq!(file, None);
}

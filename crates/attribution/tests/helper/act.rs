//! Processes that hold sockets where a search hardly finds them: this test program, run again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]
#![allow(
    unsafe_code,
    reason = "unshare(2), exit(2), fork(2) and io_uring are called as C calls them"
)]
#![allow(dead_code, reason = "not every test program needs all of it")]

use std::fs::File;
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Lines, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::snapshot::{TableOptions, open_best};
use flowner_attribution::{Protocol, Reason, SocketQuery, SocketTable, Source, Verdict};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

const ACT: &str = "FLOWNER_TEST_ACT";
/// Distinguishes our lines from those of the test harness.
const MARK: &str = "act: ";

/// Waits until a process has gone except for its exit status.
pub(crate) fn wait_until_gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_there = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    while is_there() {
        assert!(Instant::now() < deadline, "{pid} does not exit");
        std::thread::yield_now();
    }
}

/// A process that performs an act, until it is dropped.
pub(crate) struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// That of the parent, if the act forks.
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
}

impl Actor {
    /// A process with a socket where `act` puts it: the name of a function below, with its
    /// arguments.
    pub(crate) fn new(act: &str) -> Self {
        Self::run(Command::new(std::env::current_exe().unwrap()), act)
    }

    /// As [`new`](Self::new), run by this command.
    pub(crate) fn run(mut command: Command, act: &str) -> Self {
        let mut child = command
            .args(["--exact", "act::play", "--ignored", "--nocapture"])
            .arg("--test-threads=1")
            .env(ACT, act)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let started = heard(&mut output);
        let (pid, address) = started.split_once(' ').unwrap();
        Self {
            input: child.stdin.take(),
            output,
            pid: pid.parse().unwrap(),
            address: address.parse().unwrap(),
            child,
        }
    }

    /// Gives the process an order, and waits until it has done it.
    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        assert_eq!(heard(&mut self.output), order);
    }

    /// Makes the process start a child with the same descriptors, and returns its pid.
    pub(crate) fn fork(&mut self) -> u32 {
        writeln!(self.input.as_mut().unwrap(), "fork").unwrap();
        let child = heard(&mut self.output);
        assert_eq!(heard(&mut self.output), "fork");
        child.parse().unwrap()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // The process ends when its input ends.
        drop(self.input.take());
        self.child.wait().expect("the process ends");
    }
}

fn heard(output: &mut Lines<BufReader<ChildStdout>>) -> String {
    let mut lines = output.by_ref().map_while(Result::ok);
    // The harness writes the name of the test without a line end before it.
    let found = lines.find_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
    found.expect("the process says what it did")
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{MARK}{line}").unwrap();
    output.flush().unwrap();
}

fn say_started(address: SocketAddr) {
    say(&format!("{} {address}", std::process::id()));
}

/// Follows orders until there are no more of them.
fn serve(mut follow: impl FnMut(&str)) {
    for order in std::io::stdin().lines().map_while(Result::ok) {
        follow(&order);
        say(&order);
    }
}

fn wait_for_the_end() {
    serve(|order| panic!("not understood: {order}"));
}

#[test]
#[ignore = "is run by the other tests, as a process of its own"]
fn play() {
    let act = std::env::var(ACT).expect("only the other tests run this");
    let (act, rest) = act.split_once(' ').unwrap_or((&act, ""));
    match act {
        "udp" => udp(),
        "bound" => bound(rest),
        "thread-table" => thread_table(rest.parse().unwrap()),
        "thread-table-child" => thread_table_child(),
        "leader" => leader(),
        "thread-namespace" => thread_namespace(rest),
        "ring" => ring(rest),
        "in-flight" => in_flight(),
        "unaccepted" => unaccepted(),
        "give" => give(rest),
        "take" => take(rest),
        "inherited" => inherited(rest),
        "limited" => limited(rest.parse().unwrap()),
        "limited-best" => limited_best(rest.parse().unwrap()),
        "hoard" => hoard(rest.parse().unwrap()),
        _ => panic!("no such act: {act}"),
    }
}

fn open_udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn udp() {
    let (socket, address) = open_udp();
    say_started(address);
    wait_for_the_end();
    drop(socket);
}

/// A TCP socket that has an address, and neither listens nor connects.
fn bound(address: &str) {
    let domain = socket2::Domain::for_address(address.parse().unwrap());
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&address.parse::<SocketAddr>().unwrap().into())
        .unwrap();
    say_started(socket.local_addr().unwrap().as_socket().unwrap());
    wait_for_the_end();
}

/// Of several threads, the last one has its own descriptor table and the socket.
fn thread_table(threads: usize) {
    for _ in 1..threads {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    let thread = std::thread::spawn(|| {
        // SAFETY: this thread does not use the descriptors of other threads.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
        let (socket, address) = open_udp();
        say_started(address);
        wait_for_the_end();
        drop(socket);
    });
    thread.join().unwrap();
}

/// A thread has the socket in its own table, and so has a child that it has started.
fn thread_table_child() {
    let thread = std::thread::spawn(|| {
        // SAFETY: this thread does not use the descriptors of other threads.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
        let (socket, address) = open_udp();
        let (end, alive) = UnixStream::pair().unwrap();
        // SAFETY: the child only reads, and exits.
        if unsafe { libc::fork() } == 0 {
            drop(alive);
            let mut byte = [0];
            _ = rustix::io::read(&end, &mut byte);
            // SAFETY: this never returns.
            unsafe { libc::_exit(0) };
        }
        say_started(address);
        wait_for_the_end();
        drop((socket, alive));
    });
    thread.join().unwrap();
}

/// The first thread exits, and another one has the socket.
fn leader() {
    // SAFETY: no other thread of this process is active; the child has only this one.
    let child = unsafe { libc::fork() };
    if child != 0 {
        // SAFETY: this ignores the status.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        return;
    }
    std::thread::spawn(move || {
        while !std::fs::read_to_string("/proc/self/stat")
            .unwrap()
            .contains(") Z ")
        {
            std::thread::yield_now();
        }
        let (socket, address) = open_udp();
        say_started(address);
        wait_for_the_end();
        drop(socket);
        std::process::exit(0);
    });
    // SAFETY: this ends only this thread, and nothing waits for it.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// One thread is in its own network namespace, with this address.
fn thread_namespace(address: &str) {
    let address = address.to_owned();
    let thread = std::thread::spawn(move || {
        enter_a_new_network();
        assert!(ip("link set lo up"));
        assert!(ip(&format!("addr add {address}/32 dev lo")));
        let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
        say_started(listener.local_addr().unwrap());
        wait_for_the_end();
    });
    thread.join().unwrap();
}

/// Moves this thread, and every process that it starts, into a new network namespace.
pub(crate) fn enter_a_new_network() {
    // SAFETY: this affects only this thread.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &str) -> bool {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> bool {
    let status = Command::new(program).args(arguments.split(' ')).status();
    status.is_ok_and(|status| status.success())
}

/// Moves this thread into a new mount namespace, without the processes that hide their descriptors
/// from root. False if that is not permitted.
pub(crate) fn enter_where_nothing_is_hidden() -> bool {
    // SAFETY: this affects only this thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 || !run("mount", "--make-rprivate /") {
        return false;
    }
    let empty = tempfile::tempdir().unwrap();
    for directory in ["fd", "task"] {
        std::fs::create_dir(empty.path().join(directory)).unwrap();
    }
    let is_hidden = |process: &std::path::Path| {
        let links = std::fs::read_dir(process.join("fd")).into_iter().flatten();
        let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
        links
            .flatten()
            .any(|link| std::fs::read_link(link.path()).is_err_and(denied))
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut hidden = all
        .map(|entry| entry.path())
        .filter(|process| is_hidden(process));
    hidden.all(|process| {
        let from = empty.path().display();
        run("mount", &format!("--bind {from} {}", process.display()))
    })
}

/// A socket that is registered with `io_uring`. Its descriptor is closed if `how` says so. If the
/// ring is passed on, the process that made it has neither any more.
fn ring(how: &str) {
    /// `IORING_REGISTER_FILES` (`io_uring_register(2)`).
    const REGISTER_FILES: u32 = 2;
    // `struct io_uring_params` (io_uring_setup(2)).
    let mut parameters = [0_u32; 30];
    // SAFETY: the parameters have the size that the kernel writes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 8, parameters.as_mut_ptr()) };
    assert!(ring >= 0, "{}", std::io::Error::last_os_error());
    let (socket, address) = open_udp();
    let files: [RawFd; 3] = [-1, socket.as_raw_fd(), -1];
    // SAFETY: the array has as many numbers as the call says.
    let registered = unsafe {
        let register = libc::SYS_io_uring_register;
        libc::syscall(register, ring, REGISTER_FILES, files.as_ptr(), files.len())
    };
    assert_eq!(registered, 0, "{}", std::io::Error::last_os_error());
    if how == "open" {
        std::mem::forget(socket);
    } else {
        drop(socket);
    }
    if how == "passed" {
        // SAFETY: no other thread of this process is active; the child has only this one.
        let child = unsafe { libc::fork() };
        if child != 0 {
            // SAFETY: nothing else uses the ring, and this ignores the status.
            unsafe {
                libc::syscall(libc::SYS_close, ring);
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            return;
        }
    }
    say_started(address);
    wait_for_the_end();
}

fn send(through: &UnixStream, descriptor: impl AsFd) {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let data = [IoSlice::new(b"x")];
    sendmsg(through, &data, &mut ancillary, SendFlags::empty()).unwrap();
}

fn receive(through: &UnixStream) -> OwnedFd {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    recvmsg(through, &mut data, &mut ancillary, RecvFlags::empty()).unwrap();
    let mut messages = ancillary.drain();
    messages
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
            _ => None,
        })
        .expect("a descriptor comes")
}

/// A socket that is sent to a process which does not receive it.
fn in_flight() {
    let (socket, address) = open_udp();
    let (one, _other) = UnixStream::pair().unwrap();
    send(&one, &socket);
    drop(socket);
    say_started(address);
    wait_for_the_end();
}

/// A socket that is sent through a connection which no process accepts.
fn unaccepted() {
    let (socket, address) = open_udp();
    let name = format!("flowner-unaccepted-{}", std::process::id());
    let name = UnixAddr::from_abstract_name(name).unwrap();
    let _listener = UnixListener::bind_addr(&name).unwrap();
    let client = UnixStream::connect_addr(&name).unwrap();
    send(&client, &socket);
    drop((client, socket));
    say_started(address);
    wait_for_the_end();
}

/// Gives its socket to the process that waits under this name, at the first order; closes it at the
/// second.
fn give(name: &str) {
    let (socket, address) = open_udp();
    say_started(address);
    let mut socket = Some(socket);
    serve(|order| match order {
        "give" => {
            let name = UnixAddr::from_abstract_name(name).unwrap();
            let through = UnixStream::connect_addr(&name).unwrap();
            send(&through, socket.as_ref().unwrap());
            let mut taken = String::new();
            BufReader::new(through).read_line(&mut taken).unwrap();
        }
        "close" => drop(socket.take()),
        _ => panic!("not understood: {order}"),
    });
}

/// Receives a socket from the process that gives it. With a number, it has so many other descriptors,
/// and closes one of them before: it has as many then, and the socket has not the highest number.
fn take(name: &str) {
    let (name, count) = name.split_once(' ').unwrap_or((name, "0"));
    let mut copies = many_descriptors(count.parse().unwrap());
    let name = UnixAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&name).unwrap();
    say_started(SocketAddr::from(([0, 0, 0, 0], 0)));
    std::thread::spawn(move || {
        let (mut through, _) = listener.accept().unwrap();
        if !copies.is_empty() {
            copies.swap_remove(copies.len() / 2);
        }
        let taken = receive(&through);
        std::mem::forget(copies);
        through.write_all(b"taken\n").unwrap();
        std::mem::forget(taken);
    });
    wait_for_the_end();
}

/// A process with a child that has its socket, too, and reports that. The parent stays or exits,
/// and the child executes another program if `how` says so.
fn inherited(how: &str) {
    let (socket, address) = open_udp();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    say_started(address);
    serve(|order| {
        assert_eq!(order, "fork");
        // SAFETY: the child calls only functions that are allowed after a fork.
        let child = unsafe { libc::fork() };
        if child == 0 {
            end_with_the_input(how.contains("execs"));
        }
        say(&child.to_string());
        if how.contains("exits") {
            say(order);
            // SAFETY: this exits at once; the child has all descriptors of this process.
            unsafe { libc::_exit(0) };
        }
    });
    drop(socket);
}

/// The child waits for the end of its orders, which it reads from its parent.
fn end_with_the_input(by_another_program: bool) -> ! {
    let mut byte = 0_u8;
    // SAFETY: names end with a zero, and the list of arguments with a null.
    unsafe {
        if by_another_program {
            let name = c"cat".as_ptr();
            libc::execlp(name, name, std::ptr::null::<libc::c_char>());
        }
        libc::read(0, (&raw mut byte).cast(), 1);
        libc::_exit(0)
    }
}

/// So many descriptors, as far as this process may open them.
fn many_descriptors(count: usize) -> Vec<File> {
    let files = rustix::process::Resource::Nofile;
    let most = rustix::process::getrlimit(files).maximum;
    set_limit(most);
    let count = most.map_or(count, |most| {
        count.min(usize::try_from(most).unwrap() - 100)
    });
    let null = File::open("/dev/null").unwrap();
    (0..count).map(|_| null.try_clone().unwrap()).collect()
}

/// A process with very many descriptors, which opens and closes one all the time.
fn hoard(count: usize) {
    let copies = many_descriptors(count);
    let null = File::open("/dev/null").unwrap();
    let (socket, address) = open_udp();
    say_started(address);
    std::thread::spawn(move || {
        loop {
            let more = null.try_clone().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
            drop(more);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    wait_for_the_end();
    drop((socket, copies));
}

/// Searches for the holder of a socket while this process can hardly open a file: the answer must
/// name it or report a failure. Then searches again with a normal limit.
fn limited(local: SocketAddr) {
    let query = SocketQuery::new(Protocol::Udp, local, None);
    let check = |table: &mut LinuxTable, may_fail: bool, what: &str| {
        let one = table.find(&query);
        let all = table.snapshot().map(|all| all.find(&query));
        for answer in [one, all] {
            let verdict = match answer {
                Ok(answer) => answer.verdict,
                Err(error) => {
                    assert!(may_fail, "{what}: {error}");
                    continue;
                }
            };
            let is_failed = verdict == Verdict::Unknown(Reason::Failed);
            let is_right = verdict.is_named() || (may_fail && is_failed);
            assert!(is_right, "{what}: {verdict:?}");
        }
    };
    set_limit(Some(256));
    for room in 0..12 {
        // Opened before the limit.
        let mut before = LinuxTable::new().unwrap();
        let mut warm = LinuxTable::new().unwrap();
        warm.snapshot().unwrap();
        let mut taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        taken.truncate(taken.len() - room);
        check(
            &mut before,
            true,
            &format!("room for {room}, opened before"),
        );
        check(&mut warm, true, &format!("room for {room}, warm"));
        let mut after = LinuxTable::new();
        if let Ok(table) = &mut after {
            check(table, true, &format!("room for {room}, opened then"));
        }
        drop(taken);
        // The table soon retries a failed read.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        for table in [&mut before, &mut warm].into_iter().chain(&mut after) {
            check(table, false, &format!("room for {room} before"));
        }
    }
    say_started(local);
    wait_for_the_end();
}

/// Opens the best table while this process can hardly open a file: a lesser one must report that it
/// is one, names the same owners as the others, and fails if it cannot.
fn limited_best(local: SocketAddr) {
    let query = SocketQuery::new(Protocol::Udp, local, None);
    set_limit(Some(256));
    let mut lesser = 0;
    for room in 0..12 {
        let mut taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        taken.truncate(taken.len() - room);
        let best = open_best(&TableOptions::default());
        let mut best = best.expect("the portable table needs no file");
        let is_native = best.table.source() == Source::SockDiag;
        assert_eq!(is_native, best.fallback_reason.is_none(), "{best:?}");
        if !is_native {
            lesser += 1;
            if let Ok(all) = best.table.snapshot() {
                let verdict = all.find(&query).verdict;
                assert!(verdict.is_named(), "room for {room}: {verdict:?}");
            }
        }
        drop(taken);
        if !is_native {
            let all = best.table.snapshot().unwrap();
            assert!(
                all.find(&query).verdict.is_named(),
                "room for {room} before"
            );
        }
    }
    assert!(lesser > 0);
    say_started(local);
    wait_for_the_end();
}

/// Sets the limit of open files.
fn set_limit(count: Option<u64>) {
    let files = rustix::process::Resource::Nofile;
    let limit = rustix::process::Rlimit {
        current: count,
        ..rustix::process::getrlimit(files)
    };
    rustix::process::setrlimit(files, limit).unwrap();
}

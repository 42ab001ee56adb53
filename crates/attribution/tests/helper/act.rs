//! Processes that hold sockets where they are hard to find: this test program, run again.
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
/// Tells our lines from those of the test harness.
const MARK: &str = "act: ";

/// Until nothing of a process is left but what its parent asks for.
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

/// A process that does what its act says, until it is dropped.
pub(crate) struct Actor {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    /// Not the one of the child where the act forks.
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
}

impl Actor {
    /// A process with a socket where `act` puts it: the name of a function below, and what it
    /// takes.
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

    /// Has the process do something, and waits until it did.
    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        assert_eq!(heard(&mut self.output), order);
    }

    /// Has the process start a child that has what it has; its pid.
    pub(crate) fn fork(&mut self) -> u32 {
        writeln!(self.input.as_mut().unwrap(), "fork").unwrap();
        let child = heard(&mut self.output);
        assert_eq!(heard(&mut self.output), "fork");
        child.parse().unwrap()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // The end of its input is the end of the process.
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

/// A TCP socket that has an address, and does nothing with it.
fn bound(address: &str) {
    let domain = socket2::Domain::for_address(address.parse().unwrap());
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&address.parse::<SocketAddr>().unwrap().into())
        .unwrap();
    say_started(socket.local_addr().unwrap().as_socket().unwrap());
    wait_for_the_end();
}

/// Of some threads, the last has descriptors of its own, and the socket.
fn thread_table(threads: usize) {
    for _ in 1..threads {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    let thread = std::thread::spawn(|| {
        // SAFETY: What other threads have open is not used by this one.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
        let (socket, address) = open_udp();
        say_started(address);
        wait_for_the_end();
        drop(socket);
    });
    thread.join().unwrap();
}

/// The first thread exits, another one has the socket.
fn leader() {
    // SAFETY: No other thread of this process does anything; the child has this one only.
    let child = unsafe { libc::fork() };
    if child != 0 {
        // SAFETY: The status is not asked for.
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
    // SAFETY: Ends this thread only; nothing waits for it.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// One thread is in a network namespace of its own, with this address.
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

/// Moves this thread, and whatever it starts, into a network namespace of its own.
pub(crate) fn enter_a_new_network() {
    // SAFETY: Of this thread only.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
}

/// Has `ip` do something, in the namespace of this thread.
pub(crate) fn ip(arguments: &str) -> bool {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> bool {
    let status = Command::new(program).args(arguments.split(' ')).status();
    status.is_ok_and(|status| status.success())
}

/// Moves this thread into a mount namespace of its own, in which the processes that hide their
/// descriptors from root have none. False where that is not permitted.
pub(crate) fn enter_where_nothing_is_hidden() -> bool {
    // SAFETY: Of this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 || !run("mount", "--make-rprivate /") {
        return false;
    }
    let nobody = tempfile::tempdir().unwrap();
    for directory in ["fd", "task"] {
        std::fs::create_dir(nobody.path().join(directory)).unwrap();
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
        let from = nobody.path().display();
        run("mount", &format!("--bind {from} {}", process.display()))
    })
}

/// A socket that is registered with `io_uring`; its descriptor is closed, if it is to be. If the ring
/// is passed on, the process that made it has neither any more.
fn ring(how: &str) {
    /// `IORING_REGISTER_FILES` (`io_uring_register(2)`).
    const REGISTER_FILES: u32 = 2;
    // `struct io_uring_params` (io_uring_setup(2)).
    let mut parameters = [0_u32; 30];
    // SAFETY: The parameters are as large as the kernel writes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 8, parameters.as_mut_ptr()) };
    assert!(ring >= 0, "{}", std::io::Error::last_os_error());
    let (socket, address) = open_udp();
    let files: [RawFd; 3] = [-1, socket.as_raw_fd(), -1];
    // SAFETY: As many numbers as it says.
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
        // SAFETY: No other thread of this process does anything; the child has this one only.
        let child = unsafe { libc::fork() };
        if child != 0 {
            // SAFETY: Nothing else uses the ring. The status is not asked for.
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

/// A socket that is sent to a process which does not take it.
fn in_flight() {
    let (socket, address) = open_udp();
    let (one, _other) = UnixStream::pair().unwrap();
    send(&one, &socket);
    drop(socket);
    say_started(address);
    wait_for_the_end();
}

/// A socket that is sent through a connection which nobody accepts.
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

/// Gives its socket to the process that waits under this name, at the first order; closes it at
/// the second.
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

/// Takes a socket from the process that gives it.
fn take(name: &str) {
    let name = UnixAddr::from_abstract_name(name).unwrap();
    let listener = UnixListener::bind_addr(&name).unwrap();
    say_started(SocketAddr::from(([0, 0, 0, 0], 0)));
    std::thread::spawn(move || {
        let (mut through, _) = listener.accept().unwrap();
        let taken = receive(&through);
        through.write_all(b"taken\n").unwrap();
        std::mem::forget(taken);
    });
    wait_for_the_end();
}

/// A process whose child has its socket, too, and says so: the parent stays or exits, and the
/// child executes another program if it is to.
fn inherited(how: &str) {
    let (socket, address) = open_udp();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    say_started(address);
    serve(|order| {
        assert_eq!(order, "fork");
        // SAFETY: The child calls what may be called after a fork only.
        let child = unsafe { libc::fork() };
        if child == 0 {
            end_with_the_input(how.contains("execs"));
        }
        say(&child.to_string());
        if how.contains("exits") {
            say(order);
            // SAFETY: At once; the child has what this one had.
            unsafe { libc::_exit(0) };
        }
    });
    drop(socket);
}

/// What a child does until there are no more orders, which it takes from its parent.
fn end_with_the_input(by_another_program: bool) -> ! {
    let mut byte = 0_u8;
    // SAFETY: Names end with a zero, the list of arguments with a null.
    unsafe {
        if by_another_program {
            let name = c"cat".as_ptr();
            libc::execlp(name, name, std::ptr::null::<libc::c_char>());
        }
        libc::read(0, (&raw mut byte).cast(), 1);
        libc::_exit(0)
    }
}

/// A process with very many descriptors, which opens and closes one all the time.
fn hoard(count: usize) {
    let files = rustix::process::Resource::Nofile;
    let most = rustix::process::getrlimit(files).maximum;
    set_limit(most);
    let count = most.map_or(count, |most| {
        count.min(usize::try_from(most).unwrap() - 100)
    });
    let null = File::open("/dev/null").unwrap();
    let copies: Vec<_> = (0..count).map(|_| null.try_clone().unwrap()).collect();
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

/// Looks for the holder of a socket while hardly a file may be opened, which must be told or a
/// failure, and when more may be opened again.
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
        // Opened before there are few.
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
        // What failed is tried again soon.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        for table in [&mut before, &mut warm].into_iter().chain(&mut after) {
            check(table, false, &format!("room for {room} before"));
        }
    }
    say_started(local);
    wait_for_the_end();
}

/// Opens the best table while hardly a file may be opened: a lesser one says that it is, names
/// whom the others name, and fails where it cannot.
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
        assert_eq!(is_native, best.lesser_because.is_none(), "{best:?}");
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

/// Sets how many files may be open.
fn set_limit(count: Option<u64>) {
    let files = rustix::process::Resource::Nofile;
    let limit = rustix::process::Rlimit {
        current: count,
        ..rustix::process::getrlimit(files)
    };
    rustix::process::setrlimit(files, limit).unwrap();
}

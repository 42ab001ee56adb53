use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::answer::{Protocol, UnitKind};
use crate::tables::linux::netlink::diag::Diag;
use crate::tables::linux::netlink::exchange::Location;
use crate::tables::linux::procfs::cgroup::unit;

/// The id of a container.
const C: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";

fn the_container() -> Unit {
    Unit::new(UnitKind::Container, C)
}

/// A cgroup of its own for a test, with another in it.
struct Group {
    outer: PathBuf,
    inner: PathBuf,
    inside: String,
}

impl Group {
    /// `None`, with a message, if this process cannot make cgroups.
    fn new(name: &str) -> Option<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts(&text)
            .filter(|mount| mount.file_system == "cgroup2")
            .min_by_key(|mount| mount.root.len());
        let Some(mount) = mount else {
            flowner_testing::skipped!("cgroups of version 2 are not mounted");
            return None;
        };
        let outer = format!("flowner-{name}-{}", std::process::id());
        let inside = format!(
            "{}/{outer}/docker-{C}.scope",
            mount.root.trim_end_matches('/')
        );
        let outer = Path::new(&*mount.point).join(outer);
        let inner = outer.join(format!("docker-{C}.scope"));
        match fs::create_dir_all(&inner) {
            Ok(()) => Some(Self {
                outer,
                inner,
                inside,
            }),
            Err(error)
                if error.kind() == ErrorKind::ReadOnlyFilesystem
                    || error.kind() == ErrorKind::PermissionDenied =>
            {
                flowner_testing::skipped!("a cgroup cannot be made: {error}");
                None
            }
            Err(error) => panic!("{}: {error}", inner.display()),
        }
    }

    fn id(&self) -> u64 {
        fs::metadata(&self.inner).unwrap().ino()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in [&self.inner, &self.outer] {
            // The test may have removed it.
            let _removed = fs::remove_dir(directory);
        }
    }
}

fn cgroups() -> Cgroups {
    let proc = Proc::open(Path::new("/proc"), true).unwrap();
    Cgroups::open(&proc, &mut ReadBuffers::default()).unwrap()
}

#[test]
fn groups_are_found_by_id_and_searches_are_limited() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let Some(before) = Group::new("before") else {
        return;
    };
    let mut groups = cgroups();
    let path = groups.path(before.id(), at(0)).unwrap();
    assert_eq!(*path, *before.inside);
    // The test makes it after the first search.
    let after = Group::new("after").unwrap();
    assert_eq!(groups.path(after.id(), at(999)), None);
    let path = groups.path(after.id(), at(1000)).unwrap();
    assert_eq!(*path, *after.inside);
    // Sockets may outlive their group.
    let id = before.id();
    drop(before);
    assert_eq!(groups.path(u64::MAX, at(2000)), None);
    assert_eq!(groups.unit(id, at(2000)), Some(the_container()));
}

/// The address to which the child of the next test connects.
const CONNECT: &str = "FLOWNER_TEST_CONNECT";

/// This test again, as a separate process, which waits for a byte before it connects.
struct Connects(Child);

impl Connects {
    fn new(address: SocketAddr) -> Self {
        let (_crate, module) = module_path!().split_once("::").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("--exact")
            .arg(format!("{module}::the_group_of_a_socket_is_found"))
            .env(CONNECT, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn run(address: &str) {
        std::io::stdin().read_exact(&mut [0]).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let _closed = stream.read(&mut [0]);
    }

    /// Makes it connect, and returns its end of the connection.
    fn connect(&mut self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        const DEADLINE: Duration = Duration::from_secs(30);
        let started = Instant::now();
        self.0.stdin.take().unwrap().write_all(b"!").unwrap();
        listener.set_nonblocking(true).unwrap();
        loop {
            match listener.accept() {
                Ok(accepted) => return accepted,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert_eq!(self.0.try_wait().unwrap(), None, "it ended");
            assert!(started.elapsed() < DEADLINE, "nothing connects");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Connects {
    /// Its cgroup can only be removed after it has exited.
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn the_group_of_a_socket_is_found() {
    if let Ok(address) = std::env::var(CONNECT) {
        return Connects::run(&address);
    }
    let Some(group) = Group::new("socket") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut child = Connects::new(address);
    let pid = child.0.id();
    if let Err(error) = fs::write(group.inner.join("cgroup.procs"), pid.to_string()) {
        flowner_testing::skipped!("a process cannot be moved to a cgroup: {error}");
        return;
    }
    let (_stream, peer) = child.connect(&listener);
    let mut diag = Diag::open(Location::Own).unwrap();
    let socket = diag
        .exact(0, Protocol::Tcp, peer, address)
        .unwrap()
        .unwrap();
    let Some(id) = socket.cgroup else {
        flowner_testing::skipped!("this kernel does not tell the group of a socket");
        return;
    };
    let mut groups = cgroups();
    let path = groups.path(id, Instant::now()).unwrap();
    assert_eq!(*path, *group.inside);
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = format!("0::{path}");
    assert!(text.lines().any(|found| found == line), "{text}");
    assert_eq!(unit(&text), Some(the_container()));
    assert_eq!(groups.unit(id, Instant::now()), Some(the_container()));
}

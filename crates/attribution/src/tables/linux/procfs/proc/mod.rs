//! The process file system, read with reusable buffers.

mod tables;

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::thread::CapabilitySet;

use super::namespace_id::NamespaceId;
use super::stat;
use crate::tables::linux::sys::{openat, statat};
pub(crate) use tables::{Listed, Part, Table};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// More than an auxiliary vector has (`AT_VECTOR_SIZE` in `include/linux/mm_types.h`).
const MAX_VECTOR: usize = 1_024;

/// Buffers of one thread.
#[derive(Debug)]
pub(crate) struct ReadBuffers {
    entries: Vec<MaybeUninit<u8>>,
    text: Vec<u8>,
}

impl Default for ReadBuffers {
    fn default() -> Self {
        Self {
            entries: vec![MaybeUninit::uninit(); 32 * 1024],
            text: vec![0; 4 * 1024],
        }
    }
}

/// The directory where the process file system is mounted.
#[derive(Debug)]
pub(crate) struct Proc {
    root: OwnedFd,
    /// `loadavg`, kept open: a reader can rewind it.
    load: Option<OwnedFd>,
    /// Whether the size of a descriptor directory counts as the number of descriptors.
    counts: bool,
    /// Reserved descriptors, closed when this process may open no more files.
    spare: Mutex<Option<Vec<OwnedFd>>>,
}

/// The number of descriptors that a scan of a process needs at a time.
const SPARE: usize = 3;

/// See [`Proc::make_room`].
#[derive(Debug)]
pub(crate) struct Room<'a>(&'a Proc);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.keep_spare();
    }
}

/// Changes when a process opens or closes a descriptor, or when another process has the pid.
///
/// Since Linux 6.2 the size of `/proc/PID/fd` is the number of open descriptors
/// (`proc_readfd_count` in `fs/proc/fd.c`). Before, it is 0 for all processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FdStamp {
    directory: u64,
    /// `None` if the kernel does not count them.
    descriptors: Option<i64>,
    /// The user of the process; 0 also for a process that may not be dumped (`task_dump_owner` in
    /// `fs/proc/base.c`).
    pub(crate) owner: u32,
}

impl FdStamp {
    /// Whether two scans with these stamps found the same, as far as stamps show that.
    pub(crate) fn is_same(self, other: Self) -> bool {
        self.descriptors.is_some() && self == other
    }

    /// Whether no descriptor is open, if the kernel counts them.
    pub(crate) fn has_none(self) -> bool {
        self.descriptors.is_none_or(|count| count == 0)
    }

    /// The stamp of a scan that did not read all descriptors.
    pub(crate) const fn without_count(self) -> Self {
        Self {
            descriptors: None,
            ..self
        }
    }

    /// Whether both stamps are from the same process: if the system reused the pid in between, the
    /// directory has another inode.
    pub(crate) fn is_same_process(self, other: Self) -> bool {
        self.directory == other.directory && self.owner == other.owner
    }
}

/// A socket and its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) inode: u32,
    pub(crate) number: u32,
}

impl Proc {
    pub(crate) fn open(root: &Path, counts: bool) -> io::Result<Self> {
        let root = rustix::fs::open(root, DIRECTORY, Mode::empty())?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let load = openat(&root, "loadavg", flags, Mode::empty()).ok();
        let mut proc = Self {
            root,
            load,
            counts: false,
            spare: Mutex::default(),
        };
        proc.keep_spare();
        // This process has some descriptors open.
        let own = proc.stat(format_args!("self/fd"));
        proc.counts = counts && own.is_ok_and(|own| own.st_size > 0);
        Ok(proc)
    }

    /// Whether `/proc` lists the processes of every container, as far as permissions allow: it does
    /// in the first pid namespace (`PROC_PID_INIT_INO` in `include/linux/proc_ns.h`).
    pub(crate) fn lists_all(&self) -> bool {
        const FIRST: u64 = 0xEFFF_FFFC;
        let namespace = self.stat(format_args!("self/ns/pid"));
        namespace.is_ok_and(|namespace| namespace.st_ino == FIRST)
    }

    /// Whether `/proc` lists processes by their ids in the pid namespace of this process.
    pub(crate) fn lists_own_ids(&self) -> bool {
        let own = rustix::fs::readlinkat(&self.root, "self", Vec::new());
        own.is_ok_and(|own| own.to_bytes() == std::process::id().to_string().as_bytes())
    }

    /// Whether this process is in the first namespaces of users and of process ids.
    pub(crate) fn is_in_first_namespaces(&self) -> bool {
        self.is_in_first_of_users() && self.lists_all()
    }

    fn is_in_first_of_users(&self) -> bool {
        const FIRST: u64 = 0xEFFF_FFFD;
        let namespace = self.stat(format_args!("self/ns/user"));
        namespace.is_ok_and(|namespace| namespace.st_ino == FIRST)
    }

    /// Whether this process may read everything that is listed: root in the first user namespace
    /// (`PROC_USER_INIT_INO`), with the capability to inspect any process. If `/proc` is mounted
    /// with `hidepid`, other processes are not even listed without it.
    pub(crate) fn hides_nothing(&self) -> bool {
        let may_look = rustix::thread::capabilities(None)
            .is_ok_and(|all| all.effective.contains(CapabilitySet::SYS_PTRACE));
        may_look && self.is_in_first_of_users()
    }

    /// Closes the reserved descriptors until the returned value is dropped.
    pub(crate) fn make_room(&self) -> Room<'_> {
        let kept = lock(&self.spare).take();
        drop(kept);
        Room(self)
    }

    /// Opens the reserved descriptors.
    fn keep_spare(&self) {
        let open = || openat(&self.root, c".", OFlags::PATH | DIRECTORY, Mode::empty());
        let spare: rustix::io::Result<Vec<OwnedFd>> = (0..SPARE).map(|_| open()).collect();
        *lock(&self.spare) = spare.ok();
    }

    /// The newest id of a process or thread.
    pub(crate) fn newest_id(&self) -> Option<u32> {
        let mut buffer = [0; 128];
        let length = rustix::io::pread(self.load.as_ref()?, &mut buffer, 0).ok()?;
        stat::newest_pid(std::str::from_utf8(buffer.get(..length)?).ok()?)
    }

    /// All processes, in no order.
    pub(crate) fn pids(&self, buffers: &mut ReadBuffers) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        // A directory cannot be rewound through this handle.
        let directory = openat(&self.root, c".", DIRECTORY, Mode::empty())?;
        for_each_number(&directory, &mut buffers.entries, |pid, _| {
            pids.push(pid);
            true
        })?;
        Ok(pids)
    }

    /// Opens the directory of a process. It refers to that process even after the system reuses its
    /// pid: then no read through it succeeds (`proc_pid(5)`).
    pub(crate) fn process(&self, pid: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(
            &self.root,
            Name::new(format_args!("{pid}")).as_c_str(),
            flags,
            Mode::empty(),
        )?)
    }

    pub(crate) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Whether the size of a directory of descriptors is their number.
    pub(crate) const fn has_counts(&self) -> bool {
        self.counts
    }

    /// The stamp that shows whether a process is worth another scan.
    pub(crate) fn stamp(&self, pid: u32) -> io::Result<FdStamp> {
        Ok(self.stamp_of(&self.stat(format_args!("{pid}/fd"))?))
    }

    /// The socket behind a descriptor of a process.
    pub(crate) fn socket(&self, pid: u32, descriptor: u32) -> Option<u32> {
        socket_inode(&self.stat(format_args!("{pid}/fd/{descriptor}")).ok()?)
    }

    /// The file that a process executes: device and inode.
    pub(crate) fn executable(&self, pid: u32) -> Option<(u64, u64)> {
        let stat = self.stat(format_args!("{pid}/exe")).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// The same, by its directory.
    pub(crate) fn executable_in(directory: &OwnedFd) -> Option<(u64, u64)> {
        let stat = statat(directory, c"exe", AtFlags::empty()).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// A number that differs between one program that a process executes and the next one: the
    /// kernel chooses the addresses of stack and code, and writes them to the auxiliary vector
    /// (`create_elf_tables` in `fs/binfmt_elf.c`). `None` if this process may not read it.
    pub(crate) fn image(&self, pid: u32) -> Option<u64> {
        let name = Name::new(format_args!("{pid}/auxv"));
        image(openat(&self.root, name.as_c_str(), READ, Mode::empty()))
    }

    /// The same, by its directory.
    pub(crate) fn image_in(directory: &OwnedFd) -> Option<u64> {
        image(openat(directory, c"auxv", READ, Mode::empty()))
    }

    /// The network namespace of this thread.
    pub(crate) fn own_network_namespace(&self) -> io::Result<NamespaceId> {
        let stat = self.stat(format_args!("thread-self/ns/net"))?;
        Ok(NamespaceId::from_stat(&stat))
    }

    /// The network namespace of a process.
    pub(crate) fn network_namespace(&self, pid: u32) -> io::Result<NamespaceId> {
        let stat = self.stat(format_args!("{pid}/ns/net"))?;
        Ok(NamespaceId::from_stat(&stat))
    }

    /// The network namespace of a thread of a process.
    pub(crate) fn namespace_of_thread(&self, pid: u32, thread: u32) -> io::Result<NamespaceId> {
        let stat = self.stat(format_args!("{pid}/task/{thread}/ns/net"))?;
        Ok(NamespaceId::from_stat(&stat))
    }

    /// Opens the network namespace of a thread of a process, to enter it.
    pub(crate) fn open_namespace_of_thread(&self, pid: u32, thread: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let name = Name::new(format_args!("{pid}/task/{thread}/ns/net"));
        Ok(openat(&self.root, name.as_c_str(), flags, Mode::empty())?)
    }

    /// Opens the network namespace of a process, to enter it.
    pub(crate) fn open_network_namespace(&self, pid: u32) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let name = Name::new(format_args!("{pid}/ns/net"));
        Ok(openat(&self.root, name.as_c_str(), flags, Mode::empty())?)
    }

    fn stat(&self, name: fmt::Arguments<'_>) -> rustix::io::Result<Stat> {
        statat(&self.root, Name::new(name).as_c_str(), AtFlags::empty())
    }

    fn stamp_of(&self, stat: &Stat) -> FdStamp {
        FdStamp {
            directory: stat.st_ino,
            descriptors: self.counts.then_some(stat.st_size),
            owner: stat.st_uid,
        }
    }
}

fn image(vector: rustix::io::Result<OwnedFd>) -> Option<u64> {
    let mut bytes = [0; MAX_VECTOR];
    let length = rustix::io::read(vector.ok()?, &mut bytes).ok()?;
    // A process that has exited has no memory any more.
    (length > 0).then(|| {
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes[..length]);
        hasher.finish()
    })
}

/// Between calls the guarded data is consistent, even after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a small file into the text buffer, at most `max` bytes.
pub(crate) fn read<'a>(
    directory: impl AsFd,
    name: &CStr,
    max: usize,
    buffers: &'a mut ReadBuffers,
) -> io::Result<&'a [u8]> {
    read_until(directory, name, max, buffers, |read, _| read == 0)
}

/// As [`read`], for a file that the kernel writes as a whole for each read (`single_open` in
/// `fs/seq_file.c`), such as all files of `/proc/PID` with one record: it has ended when there is
/// room left in the buffer.
pub(crate) fn read_record<'a>(
    directory: impl AsFd,
    name: &CStr,
    max: usize,
    buffers: &'a mut ReadBuffers,
) -> io::Result<&'a [u8]> {
    read_until(directory, name, max, buffers, |read, room| read < room)
}

fn read_until<'a>(
    directory: impl AsFd,
    name: &CStr,
    max: usize,
    buffers: &'a mut ReadBuffers,
    is_end: impl Fn(usize, usize) -> bool,
) -> io::Result<&'a [u8]> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty())?;
    let mut length = 0;
    while length < max {
        if length == buffers.text.len() {
            buffers.text.resize(2 * length, 0);
        }
        let room = &mut buffers.text[length..];
        let (read, room) = (rustix::io::read(&file, &mut *room)?, room.len());
        length += read;
        if is_end(read, room) {
            break;
        }
    }
    Ok(&buffers.text[..length.min(max)])
}

/// Calls `take` for every entry whose name is a number. It processes every entry of a read, and
/// continues to read as long as `take` returns true.
fn for_each_number(
    directory: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
    mut take: impl FnMut(u32, &CStr) -> bool,
) -> io::Result<()> {
    let mut entries = RawDir::new(directory, buffer);
    let mut is_more = true;
    while is_more || !entries.is_buffer_empty() {
        let entry = match entries.next() {
            None => return Ok(()),
            Some(entry) => entry?,
        };
        let name = entry.file_name();
        if let Some(number) = name.to_str().ok().and_then(|name| name.parse().ok()) {
            is_more = take(number, name);
        }
    }
    Ok(())
}

fn socket_inode(stat: &Stat) -> Option<u32> {
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    is_socket.then(|| u32::try_from(stat.st_ino).ok()).flatten()
}

/// A path of numbers and short words, without an allocation.
struct Name {
    bytes: [u8; 48],
    length: usize,
}

impl Name {
    fn new(text: fmt::Arguments<'_>) -> Self {
        let mut name = Self {
            bytes: [0; 48],
            length: 0,
        };
        let written = name.write_fmt(text);
        debug_assert!(written.is_ok(), "three numbers and some words fit");
        name
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        // The last byte stays zero.
        if end >= self.bytes.len() {
            return Err(fmt::Error);
        }
        self.bytes[self.length..end].copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Whether the kernel shows no descriptor of a process, although it has some.
    fn shows_none(pid: u32) -> bool {
        let directory = match std::fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(directory) => directory,
            Err(error) => return error.kind() == io::ErrorKind::PermissionDenied,
        };
        let links: Vec<PathBuf> = directory.flatten().map(|entry| entry.path()).collect();
        let is_denied = |link: &PathBuf| {
            let followed = std::fs::read_link(link);
            followed.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        !links.is_empty() && links.iter().all(is_denied)
    }

    /// Such as the first process on hosts where a security module protects it from root.
    #[test]
    fn a_process_that_may_be_listed_but_not_read_is_hidden() {
        let proc = Proc::open(Path::new("/proc"), true).unwrap();
        let mut buffers = ReadBuffers::default();
        let all = proc.pids(&mut buffers).unwrap();
        assert!(all.contains(&std::process::id()));
        for pid in all {
            let before = shows_none(pid);
            let Ok(directory) = proc.process(pid) else {
                continue;
            };
            let sockets = proc.sockets(&directory, &mut buffers).map(|_| ());
            // Unless it has changed or exited meanwhile.
            if before && shows_none(pid) && Path::new(&format!("/proc/{pid}")).exists() {
                let kind = sockets.map_err(|error| error.kind());
                assert_eq!(kind, Err(io::ErrorKind::PermissionDenied), "{pid}");
            }
        }
        assert!(!shows_none(std::process::id()));
    }

    /// The kernel reserves a descriptor before it waits for a connection, and counts it.
    #[test]
    fn accepting_a_connection_after_a_wait_is_a_change() {
        const SERVER: &str = "import socket,sys; l = socket.create_server(('127.0.0.1', 0)); \
             print(l.getsockname()[1], flush=True); s = l.accept(); print('accepted', flush=True); \
             sys.stdin.read()";
        let server = std::process::Command::new("python3")
            .args(["-c", SERVER])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut server) = server else {
            flowner_testing::skipped!("python3 is missing");
            return;
        };
        let pid = server.id();
        let mut said = std::io::BufRead::lines(io::BufReader::new(server.stdout.take().unwrap()));
        let port: u16 = said.next().unwrap().unwrap().parse().unwrap();
        let proc = Proc::open(Path::new("/proc"), true).unwrap();
        let mut buffers = ReadBuffers::default();
        let mut scan = || {
            let process = proc.process(pid).unwrap();
            proc.sockets(&process, &mut buffers).unwrap()
        };
        // Repeats until it waits. If the kernel does not count descriptors, each scan differs
        // anyway.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut before = scan();
        while before.stamp.is_same(before.stamp) {
            assert!(std::time::Instant::now() < end, "the thread does not wait");
            std::thread::sleep(std::time::Duration::from_millis(1));
            before = scan();
        }
        let _client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "accepted");
        assert!(!before.stamp.is_same(proc.stamp(pid).unwrap()));
        let after = scan();
        assert_eq!(after.sockets.len(), before.sockets.len() + 1);
        assert_eq!(after.stamp.is_same(after.stamp), proc.counts);
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

//! The changes of a scripted host, in its model and in the directory that stands for `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::faults::Fault;
use super::kernel::{Port, Queue, address_news};
use super::world::{
    ADDRESSES, Change, ESTABLISHED, Kind, LISTEN, ModelProcess, ModelSocket, NAMESPACES, REMOTE,
    State, TIME_WAIT, UNCONNECTED, Version,
};
use crate::answer::Protocol;

impl State {
    pub(super) fn version(&self) -> Version {
        Version {
            began: Instant::now(),
            addresses: self.addresses.clone(),
            sockets: self.sockets.clone(),
        }
    }

    pub(super) fn queue(&mut self, port: Port) -> &mut Queue {
        self.queues.get_mut(&port.0).unwrap()
    }

    pub(super) fn call(&mut self) -> rustix::io::Result<()> {
        self.calls += 1;
        match self.tape.pop_front().flatten() {
            None => Ok(()),
            Some(Fault::Error(error)) => Err(error),
            Some(Fault::Astray(astray)) => {
                self.astray = Some(astray);
                Ok(())
            }
            Some(Fault::Change(change)) => {
                self.change(change);
                Ok(())
            }
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Start(namespace) => self.start(namespace % NAMESPACES),
            Change::Exit(process) => {
                if let Some(process) = process.checked_rem(self.processes.len()) {
                    self.exit(process);
                }
            }
            Change::Open(process, kind) => {
                if let Some(process) = process.checked_rem(self.processes.len()) {
                    self.open(process, kind);
                }
            }
            Change::Close(socket) => {
                if let Some((process, descriptor)) = self.held(socket) {
                    self.close(process, descriptor);
                }
            }
            Change::Pass { socket, to, keeps } => {
                if let Some((process, descriptor)) = self.held(socket) {
                    // A search would not find a namespace without processes.
                    let namespace = self.processes[process].namespace;
                    let all = self.processes.iter().enumerate();
                    let here = all.filter(|(_, other)| other.namespace == namespace);
                    let here: Vec<usize> = here.map(|(index, _)| index).collect();
                    let to = here[to % here.len()];
                    let cookie = self.processes[process].descriptors[&descriptor];
                    self.hold(to, cookie);
                    if !keeps && to != process {
                        self.close(process, descriptor);
                    }
                }
            }
            Change::AddAddress(namespace, address) => self.set_address(namespace, address, true),
            Change::RemoveAddress(namespace, address) => {
                self.set_address(namespace, address, false);
            }
        }
        let version = self.version();
        self.versions.push(version);
    }

    fn held(&self, number: usize) -> Option<(usize, u32)> {
        let processes = self.processes.iter().enumerate();
        let all: Vec<_> = processes
            .flat_map(|(index, process)| process.descriptors.keys().map(move |fd| (index, *fd)))
            .collect();
        Some(all[number.checked_rem(all.len())?])
    }

    fn directory(&self, pid: u32) -> PathBuf {
        self.root.join(format!("proc/{pid}"))
    }

    fn start(&mut self, namespace: usize) {
        /// As many as one thread scans.
        const MOST: usize = 12;
        if self.processes.len() >= MOST {
            return;
        }
        self.started += 1;
        let pid = self.free_pids.pop().unwrap_or(100_000 + self.started);
        let name = format!("p{}", self.started);
        let directory = self.directory(pid);
        for part in ["fd", "fdinfo", "ns", &format!("task/{pid}")] {
            fs::create_dir_all(directory.join(part)).unwrap();
        }
        let executable = self.root.join(format!("bin/{name}"));
        fs::write(&executable, "").unwrap();
        symlink(&executable, directory.join("exe")).unwrap();
        symlink("../../fd", directory.join(format!("task/{pid}/fd"))).unwrap();
        let namespace_file = self.root.join(format!("ns/{namespace}"));
        fs::hard_link(namespace_file, directory.join("ns/net")).unwrap();
        let start = 100 + self.started;
        let zeros = "0 ".repeat(17);
        let line = format!("{pid} ({name}) S 1 {zeros}{start} {}\n", "0 ".repeat(30));
        fs::write(directory.join("stat"), line).unwrap();
        let status = format!("Name:\t{name}\nTgid:\t{pid}\nPid:\t{pid}\nUid:\t0\t0\t0\t0\n");
        fs::write(directory.join("status"), status).unwrap();
        fs::write(directory.join("cmdline"), format!("{name}\0")).unwrap();
        fs::write(directory.join("cgroup"), "0::/\n").unwrap();
        self.write_newest();
        self.processes.push(ModelProcess {
            pid,
            name,
            namespace: self.namespaces[namespace],
            descriptors: BTreeMap::new(),
        });
    }

    /// The newest id changes each time that a process starts.
    pub(super) fn write_newest(&self) {
        let newest = 200_000 + self.started;
        let text = format!("0.00 0.00 0.00 1/100 {newest}\n");
        fs::write(self.root.join("proc/loadavg"), text).unwrap();
    }

    fn exit(&mut self, process: usize) {
        let descriptors: Vec<u32> = self.processes[process]
            .descriptors
            .keys()
            .copied()
            .collect();
        // The descriptors disappear before the process does.
        for descriptor in descriptors {
            self.close(process, descriptor);
        }
        let process = self.processes.swap_remove(process);
        fs::remove_dir_all(self.directory(process.pid)).unwrap();
        self.free_pids.push(process.pid);
    }

    fn open(&mut self, process: usize, kind: Kind) {
        let namespace = self.processes[process].namespace;
        let Some(address) = self.addresses[&namespace].first().copied() else {
            return;
        };
        let at = |port: u16, is_everywhere: bool| {
            let ip = if is_everywhere {
                Ipv4Addr::UNSPECIFIED
            } else {
                address
            };
            SocketAddrV4::new(ip, 100 + port % 3)
        };
        let from = |port: u16| SocketAddrV4::new(address, 200 + port % 2);
        let to = |port: u16| Some(SocketAddrV4::new(REMOTE, 1 + port % 2));
        let (protocol, local, remote, state) = match kind {
            Kind::Listener {
                port,
                is_everywhere,
            } => (Protocol::Tcp, at(port, is_everywhere), None, LISTEN),
            Kind::Datagram {
                port,
                is_everywhere,
            } => (Protocol::Udp, at(port, is_everywhere), None, UNCONNECTED),
            Kind::Connection { port, to: peer } => {
                (Protocol::Tcp, from(port), to(peer), ESTABLISHED)
            }
            Kind::ConnectedDatagram { port, to: peer } => {
                (Protocol::Udp, from(port), to(peer), ESTABLISHED)
            }
        };
        // No two have the same ends, but another socket may have those of a connection that has
        // ended.
        let is_same = |socket: &ModelSocket| {
            (socket.namespace, socket.protocol) == (namespace, protocol)
                && (socket.local, socket.remote) == (local, remote)
        };
        self.sockets
            .retain(|_, socket| socket.inode != 0 || !is_same(socket));
        if self.sockets.values().any(is_same) {
            return;
        }
        self.last_cookie += 1;
        let cookie = self.last_cookie;
        let file = self.root.join(format!("pool/{cookie}"));
        mknodat(CWD, &file, FileType::Socket, Mode::RUSR, 0).unwrap();
        let inode = fs::metadata(&file).unwrap().ino();
        let socket = ModelSocket {
            protocol,
            namespace,
            local,
            remote,
            state,
            inode: u32::try_from(inode).expect("files of this file system have small inodes"),
            uid: 0,
            cookie,
            holders: BTreeSet::new(),
            ever: BTreeSet::new(),
        };
        self.sockets.insert(cookie, socket);
        self.hold(process, cookie);
    }

    fn hold(&mut self, process: usize, cookie: u64) {
        let process = &mut self.processes[process];
        let descriptor = (3..1_000)
            .find(|fd| !process.descriptors.contains_key(fd))
            .unwrap();
        process.descriptors.insert(descriptor, cookie);
        let file = self.root.join(format!("pool/{cookie}"));
        let link = self
            .root
            .join(format!("proc/{}/fd/{descriptor}", process.pid));
        fs::hard_link(file, link).unwrap();
        let socket = self.sockets.get_mut(&cookie).unwrap();
        socket.holders.insert(process.name.clone());
        socket.ever.insert(process.name.clone());
    }

    fn close(&mut self, process: usize, descriptor: u32) {
        let process = &mut self.processes[process];
        let cookie = process.descriptors.remove(&descriptor).unwrap();
        let link = self
            .root
            .join(format!("proc/{}/fd/{descriptor}", process.pid));
        fs::remove_file(link).unwrap();
        if process.descriptors.values().any(|held| *held == cookie) {
            return;
        }
        let socket = self.sockets.get_mut(&cookie).unwrap();
        socket.holders.remove(&process.name);
        if !socket.holders.is_empty() {
            return;
        }
        if socket.state == ESTABLISHED && socket.protocol == Protocol::Tcp {
            // It has no owner any more, and the uid of root (`tcp_diag_fill` of `TIME_WAIT`).
            socket.state = TIME_WAIT;
            socket.inode = 0;
        } else {
            self.sockets.remove(&cookie);
        }
        fs::remove_file(self.root.join(format!("pool/{cookie}"))).unwrap();
    }

    fn set_address(&mut self, namespace: usize, address: usize, is_there: bool) {
        let namespace = self.namespaces[namespace % NAMESPACES];
        let address = ADDRESSES[address % ADDRESSES.len()];
        let addresses = self.addresses.get_mut(&namespace).unwrap();
        if addresses.contains(&address) == is_there {
            return;
        }
        if is_there {
            addresses.push(address);
        } else {
            addresses.retain(|there| *there != address);
        }
        let queues = self.queues.values_mut();
        for queue in queues.filter(|q| q.groups != 0 && q.namespace == namespace) {
            queue.waiting.push_back(address_news(address, is_there));
        }
    }
}

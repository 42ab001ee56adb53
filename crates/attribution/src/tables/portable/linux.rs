//! Linux: `listeners` names one process for each socket, even if several hold it. It gives neither the
//! remote end of the socket nor the start time of the process. This reads all of these right after the
//! list of `listeners`.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::process::to_process;
use crate::answer::matching::merge;
use crate::answer::surroundings::Translations;
use crate::answer::{Process, Protocol, Socket, Verdict};
use crate::tables::linux::{Complement, SocketHolders, SocketKey};

/// The facts of this system beside the list of `listeners`.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// `None` until its first use.
    complement: Option<Complement>,
}

impl Beside {
    pub(super) const KNOWS_TRANSLATIONS: bool = true;

    /// Completes a list: adds all known holders to each socket, and removes the sockets that
    /// changed hands meanwhile.
    pub(super) fn complete(&mut self, listed: Vec<Socket>) -> io::Result<Vec<Socket>> {
        let holders = self.opened()?.holders()?;
        Ok(completed(listed, &holders, process))
    }

    pub(super) fn translations(&mut self) -> io::Result<Translations> {
        Ok(self.opened()?.translations())
    }

    fn opened(&mut self) -> io::Result<&mut Complement> {
        if self.complement.is_none() {
            self.complement = Some(Complement::open()?);
        }
        self.complement
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// A process that holds a socket beside the one that `listeners` names.
fn process(pid: u32) -> Option<Process> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(&name);
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    Some(to_process(&listeners::Process {
        pid,
        name: name.trim_end_matches('\n').to_owned(),
        path: path.to_string_lossy().into_owned(),
    }))
}

/// The sockets of a list whose named process still held them a moment later, each with all processes
/// that held it then, and with its remote end.
fn completed(
    listed: Vec<Socket>,
    holders: &SocketHolders,
    read: impl Fn(u32) -> Option<Process>,
) -> Vec<Socket> {
    let named = listed.iter().flat_map(|socket| socket.owner.processes());
    let named: HashMap<u32, Arc<Process>> = named
        .map(|process| (process.pid, Arc::clone(process)))
        .collect();
    let mut known: HashMap<u32, Option<Arc<Process>>> = HashMap::new();
    let mut owner_of = |pids: &[u32]| -> Option<Verdict> {
        let of_one = |pid: &u32| {
            let process = known.entry(*pid).or_insert_with(|| {
                let process = named.get(pid).map(|named| Process::clone(named));
                let process = process.or_else(|| read(*pid))?;
                let known = holders.processes.get(pid).copied().unwrap_or_default();
                Some(Arc::new(Process {
                    started: known.started,
                    image: known.image,
                    ..process
                }))
            });
            process.clone().map(Verdict::Process)
        };
        let owners: Option<Vec<Verdict>> = pids.iter().map(of_one).collect();
        Some(merge(&owners?.iter().collect::<Vec<_>>()))
    };
    let mut sockets = Vec::with_capacity(listed.len());
    // Several connections of one process differ in their remote ends, which the list lacks.
    let mut taken: HashSet<(SocketKey, usize)> = HashSet::new();
    for socket in listed {
        let named = socket.owner.processes().first().map(|process| process.pid);
        let key = key(&socket);
        let held = holders.by_key.get(&key).into_iter().flatten().enumerate();
        for (place, held) in held {
            let is_named = named.is_some_and(|pid| held.pids.contains(&pid));
            if is_named && taken.insert((key, place)) {
                sockets.extend(owner_of(&held.pids).map(|owner| Socket {
                    owner,
                    remote: held.remote,
                    ..socket.clone()
                }));
            }
        }
    }
    sockets
}

fn key(socket: &Socket) -> SocketKey {
    let state = socket.state.filter(|_| socket.protocol == Protocol::Tcp);
    (socket.protocol, socket.local, state)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::SystemTime;

    use super::*;
    use crate::answer::SocketState;
    use crate::tables::linux::{Held, KnownProcess};

    fn socket(pid: u32, port: u16, state: Option<SocketState>) -> Socket {
        Socket {
            protocol: state.map_or(Protocol::Udp, |_| Protocol::Tcp),
            local: ([127, 0, 0, 1], port).into(),
            remote: None,
            state,
            v6_only: false,
            device: None,
            id: None,
            uid: None,
            inode: None,
            namespace: None,
            packet: None,
            owner: Verdict::Process(Arc::new(Process::new(pid, "listed"))),
        }
    }

    #[test]
    fn all_holders_are_named_or_none() {
        let state = Some(SocketState::Listen);
        let all = [
            socket(1, 10, None),
            socket(2, 20, state),
            socket(3, 30, None),
            socket(4, 40, None),
            socket(5, 50, None),
        ];
        let held = |place: usize, pids: &[&[u32]]| {
            let held = pids.iter().map(|pids| Held {
                pids: pids.to_vec(),
                remote: None,
            });
            (key(&all[place]), held.collect())
        };
        let holders = [
            held(0, &[&[1]]),
            held(1, &[&[2, 7], &[8]]),
            // No process holds the third any more, another process holds the fourth, and nothing is
            // known about another holder of the fifth.
            held(3, &[&[9]]),
            held(4, &[&[5, 6]]),
        ];
        let read = |pid| (pid != 6).then(|| Process::new(pid, "read"));
        let started = SystemTime::UNIX_EPOCH;
        let known = KnownProcess {
            started: Some(started),
            image: Some(1),
        };
        let holders = SocketHolders {
            by_key: holders.into(),
            processes: [(7, known)].into(),
        };
        let sockets = completed(all.to_vec(), &holders, read);
        let starts = sockets.iter().flat_map(|socket| socket.owner.processes());
        let starts: Vec<_> = starts.map(|process| process.started).collect();
        assert_eq!(starts, [None, None, Some(started)]);
        let names = sockets.iter().map(|socket| {
            let processes = socket.owner.processes().iter();
            let named = processes.map(|process| (process.pid, process.name.as_str()));
            (socket.local.port(), named.collect::<Vec<_>>())
        });
        let expected = [
            (10, vec![(1, "listed")]),
            (20, vec![(2, "listed"), (7, "read")]),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn connections_of_one_end_have_their_remote_ends_once_each() {
        let state = Some(SocketState::Established);
        let (mut one, two) = (socket(1, 10, state), socket(1, 10, state));
        let remotes = [80, 81].map(|port| SocketAddr::from(([10, 0, 0, 9], port)));
        let held = remotes.map(|remote| Held {
            pids: vec![1],
            remote: Some(remote),
        });
        let holders = SocketHolders {
            by_key: [(key(&one), held.to_vec())].into(),
            processes: HashMap::new(),
        };
        let expected = remotes.map(|remote| {
            one.remote = Some(remote);
            one.clone()
        });
        let listed = vec![two.clone(), two];
        assert_eq!(completed(listed, &holders, |_| None), expected);
    }
}

//! Processes with their sockets, as a tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowner_attribution::{Process, Processes, Socket};

/// A process in a list that forms a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch<'a> {
    /// The depth below a root: the parent is the last earlier branch with one less.
    pub depth: usize,
    /// The process.
    pub process: Arc<Process>,
    /// Its sockets; none if it is only an ancestor of holders. A shared socket appears below each
    /// of its holders.
    pub sockets: Vec<&'a Socket>,
}

/// The processes that hold these sockets, each below its parent as far as that is known (Linux: as
/// far as `/proc` is readable), lowest pid first; and the sockets without a known process.
pub fn process_tree(sockets: &[Socket]) -> (Vec<Branch<'_>>, Vec<&Socket>) {
    let mut processes = Processes::new();
    grow(sockets, |pid| processes.read(pid))
}

/// The number of ancestors that are followed.
const MAX_DEPTH: usize = 64;

fn grow(
    sockets: &[Socket],
    mut read: impl FnMut(u32) -> Option<Process>,
) -> (Vec<Branch<'_>>, Vec<&Socket>) {
    let mut known: BTreeMap<u32, (Arc<Process>, Vec<&Socket>)> = BTreeMap::new();
    let mut unknown = Vec::new();
    for socket in sockets {
        let holders = socket.owner.processes();
        if holders.is_empty() {
            unknown.push(socket);
        }
        for process in holders {
            let entry = known.entry(process.pid);
            let (_, sockets) = entry.or_insert_with(|| (Arc::clone(process), Vec::new()));
            sockets.push(socket);
        }
    }
    add_ancestors(&mut known, &mut read);
    let mut below: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
    for (pid, (process, _)) in &known {
        let parent = process
            .parent
            .filter(|it| known.contains_key(it) && it != pid);
        below.entry(parent).or_default().push(*pid);
    }
    let mut branches = Vec::with_capacity(known.len());
    let mut waiting: Vec<(u32, usize)> = Vec::new();
    let push = |waiting: &mut Vec<_>, parent: Option<u32>, depth: usize| {
        let children = below.get(&parent).into_iter().flatten().rev();
        waiting.extend(children.map(|pid| (*pid, depth)));
    };
    push(&mut waiting, None, 0);
    while let Some((pid, depth)) = waiting.pop() {
        // Each process is below one other, so it appears once.
        let Some((process, sockets)) = known.remove(&pid) else {
            continue;
        };
        branches.push(Branch {
            depth,
            process,
            sockets,
        });
        push(&mut waiting, Some(pid), depth + 1);
    }
    (branches, unknown)
}

fn add_ancestors(
    known: &mut BTreeMap<u32, (Arc<Process>, Vec<&Socket>)>,
    read: &mut impl FnMut(u32) -> Option<Process>,
) {
    let parents: Vec<_> = known.values().map(|(process, _)| process.parent).collect();
    for mut next in parents {
        for _ in 0..MAX_DEPTH {
            let Some(pid) = next.filter(|pid| *pid > 0 && !known.contains_key(pid)) else {
                break;
            };
            let Some(process) = read(pid) else { break };
            next = process.parent;
            known.insert(pid, (Arc::new(process), Vec::new()));
        }
    }
}

#[cfg(test)]
mod tests {
    use flowner_attribution::{Protocol, Reason, Verdict};

    use super::*;

    fn process(pid: u32, parent: u32) -> Process {
        {
            let mut process = Process::new(pid, format!("p{pid}"));
            process.parent = Some(parent);
            process
        }
    }

    fn socket(port: u16, owner: Verdict) -> Socket {
        Socket::new(
            Protocol::Tcp,
            std::net::SocketAddr::from(([127, 0, 0, 1], port)),
            owner,
        )
    }

    #[track_caller]
    fn check(owners: &[&[(u32, u32)]], host: &[(u32, u32)], expected: &[&str]) {
        let sockets: Vec<Socket> = (1..)
            .zip(owners)
            .map(|(port, holders)| {
                let holders = holders.iter();
                let holders = holders.map(|(pid, parent)| Arc::new(process(*pid, *parent)));
                socket(port, Verdict::Shared(holders.collect()))
            })
            .collect();
        let read = |pid| {
            let found = host.iter().find(|(it, _)| *it == pid);
            found.map(|(pid, parent)| process(*pid, *parent))
        };
        let (branches, _) = grow(&sockets, read);
        let shown: Vec<_> = branches
            .iter()
            .map(|branch| {
                let ports = branch.sockets.iter().map(|it| it.local.port());
                let ports: Vec<_> = ports.collect();
                format!(
                    "{}{} {ports:?}",
                    " ".repeat(branch.depth),
                    branch.process.pid
                )
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn processes_stand_below_those_that_started_them() {
        check(&[], &[], &[]);
        let host = [(1, 0), (10, 1), (20, 10)];
        check(
            &[&[(30, 20)], &[(11, 10)], &[(10, 1)], &[(30, 20)]],
            &host,
            &["1 []", " 10 [3]", "  11 [2]", "  20 []", "   30 [1, 4]"],
        );
        // Both hold it; unreadable ancestors are left out.
        check(&[&[(5, 4), (6, 5)]], &[], &["5 [1]", " 6 [1]"]);
        // A process that claims to be its own parent, or a cycle, does not cause an endless tree.
        check(&[&[(5, 5)]], &[], &["5 [1]"]);
    }

    #[test]
    fn sockets_without_a_process_are_separate() {
        let sockets = [socket(1, Verdict::Unknown(Reason::Gone))];
        let (branches, unknown) = grow(&sockets, |_| None);
        assert!(branches.is_empty());
        assert_eq!(unknown, [&sockets[0]]);
    }
}

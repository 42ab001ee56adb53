//! The processes of a section, by pid and time or by number.

use std::collections::HashMap;
use std::time::Duration;

use super::{Pointer, ProcessFacts};

/// The number of bytes of text that this keeps of a section. Past that, it forgets all: later
/// packets then have only pids.
const MAX_BYTES: usize = 16 << 20;
/// The number of successive processes with one pid that this keeps. Past that, it forgets the first
/// ones.
const MAX_OF_PID: usize = 64;
/// The size of a process beside its texts.
const OVERHEAD: usize = 256;
/// How far the clock of start times may differ from that of the packets. (Linux gives the start in
/// ticks since boot, and the boot time in seconds: `/proc/stat`, proc(5).)
const TOLERANCE: Duration = Duration::from_secs(2);

/// The process of a packet, according to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketProcess<'a> {
    /// The pid.
    pub pid: u32,
    /// The facts about this process in the file before this packet.
    pub facts: Option<&'a ProcessFacts>,
}

/// The blocks of a section so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Processes {
    of_wireshark: HashMap<u32, Vec<ProcessFacts>>,
    of_apple: Vec<ProcessFacts>,
    /// The number of Apple blocks that were forgotten: these have the first numbers.
    forgotten: u32,
    bytes: usize,
}

impl Processes {
    /// Adds a Wireshark block.
    pub(in super::super) fn add(&mut self, facts: ProcessFacts) {
        self.make_room(&facts);
        let of_pid = self.of_wireshark.entry(facts.pid).or_default();
        // A later description of the same process replaces the earlier one.
        of_pid.retain(|old| old.started != facts.started);
        if of_pid.len() >= MAX_OF_PID {
            of_pid.remove(0);
        }
        of_pid.push(facts);
    }

    /// Adds an Apple block; a malformed one has a number as well.
    pub(in super::super) fn add_apple(&mut self, facts: ProcessFacts) {
        self.make_room(&facts);
        self.of_apple.push(facts);
    }

    fn make_room(&mut self, facts: &ProcessFacts) {
        let needed = OVERHEAD + facts.len();
        if self.bytes + needed > MAX_BYTES {
            let forgotten = u32::try_from(self.of_apple.len()).unwrap_or(u32::MAX);
            *self = Self {
                forgotten: self.forgotten.saturating_add(forgotten),
                ..Self::default()
            };
        }
        self.bytes += needed;
    }

    /// The processes with the packet's socket. If the packet only refers to the process for which
    /// that one works, which is Apple's way to name the application behind a service, this returns
    /// it.
    pub(in super::super) fn of_packet<'a>(
        &'a self,
        pointers: impl Iterator<Item = Pointer> + Clone + 'a,
        time: Duration,
    ) -> impl Iterator<Item = PacketProcess<'a>> {
        let is_direct = |pointer: &Pointer| !matches!(pointer, Pointer::EffectiveBlock(_));
        let has_direct = pointers.clone().any(|pointer| is_direct(&pointer));
        let wanted = pointers.filter(move |pointer| is_direct(pointer) == has_direct);
        wanted.filter_map(move |pointer| match pointer {
            // No process: the packet arrived, or the system does not report it.
            Pointer::Pid(0) => None,
            Pointer::Pid(pid) => Some(PacketProcess {
                pid,
                facts: self.at(pid, time),
            }),
            Pointer::Block(number) | Pointer::EffectiveBlock(number) => {
                let place = number.checked_sub(self.forgotten)? as usize;
                let facts = self.of_apple.get(place)?;
                Some(PacketProcess {
                    pid: facts.pid,
                    facts: Some(facts),
                })
            }
        })
    }

    /// The process with a pid at a time: of those that had started by then, the one that started
    /// last. One with an unknown start counts as the oldest.
    fn at(&self, pid: u32, time: Duration) -> Option<&ProcessFacts> {
        let of_pid = self.of_wireshark.get(&pid)?.iter();
        let by_then = time.saturating_add(TOLERANCE);
        let had_started = of_pid.filter(|facts| facts.started.is_none_or(|it| it <= by_then));
        had_started.max_by_key(|facts| facts.started)
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer::{Block, EffectiveBlock, Pid};
    use super::*;

    fn named(pid: u32, name: &str, started: Option<u64>) -> ProcessFacts {
        ProcessFacts {
            name: Some(name.to_owned()),
            started: started.map(Duration::from_secs),
            ..ProcessFacts::new(pid)
        }
    }

    #[track_caller]
    fn check(processes: &Processes, pid: u32, at: u64, expected: Option<&str>) {
        let of_packet =
            processes.of_packet([Pointer::Pid(pid)].into_iter(), Duration::from_secs(at));
        let found: Vec<_> = of_packet.collect();
        assert_eq!(found.len(), 1);
        let name = found[0].facts.and_then(|facts| facts.name.as_deref());
        assert_eq!((found[0].pid, name), (pid, expected));
    }

    #[test]
    fn a_reused_pid() {
        let mut processes = Processes::default();
        processes.add(named(500, "first", Some(100)));
        processes.add(named(500, "second", Some(200)));
        check(&processes, 500, 150, Some("first"));
        check(&processes, 500, 200, Some("second"));
        // The clocks of starts and packets differ a little, but not this much.
        check(&processes, 500, 99, Some("first"));
        check(&processes, 500, 90, None);
        // The start of these is unknown: the newer description applies.
        processes.add(named(600, "old", None));
        processes.add(named(600, "new", None));
        check(&processes, 600, 1, Some("new"));
        check(&processes, 700, 1, None);
    }

    #[test]
    fn pointers_to_blocks_and_pids() {
        let mut processes = Processes::default();
        processes.add_apple(named(501, "mDNSResponder", None));
        processes.add_apple(named(1, "launchd", None));
        let pids = |pointers: &[Pointer]| -> Vec<u32> {
            let of_packet = processes.of_packet(pointers.iter().copied(), Duration::ZERO);
            of_packet.map(|process| process.pid).collect()
        };
        assert_eq!(pids(&[Block(0)]), [501]);
        assert_eq!(pids(&[Block(0), EffectiveBlock(1)]), [501]);
        assert_eq!(pids(&[EffectiveBlock(1)]), [1]);
        assert_eq!(pids(&[Block(2)]), []);
        assert_eq!(pids(&[Pid(0)]), []);
        assert_eq!(pids(&[Pid(7), Pid(8)]), [7, 8]);
        assert_eq!(pids(&[]), []);
    }

    #[test]
    fn memory_is_bounded() {
        let mut processes = Processes::default();
        for pid in 1..=100_000 {
            processes.add_apple(named(pid, &"x".repeat(1_000), None));
            processes.add(named(pid, "", Some(pid.into())));
            assert!(processes.bytes <= MAX_BYTES);
        }
        let newest = processes.of_packet([Pointer::Block(99_999)].into_iter(), Duration::ZERO);
        assert_eq!(newest.map(|it| it.pid).collect::<Vec<_>>(), [100_000]);
        let oldest = processes.of_packet([Pointer::Block(0)].into_iter(), Duration::ZERO);
        assert_eq!(oldest.count(), 0);
    }
}

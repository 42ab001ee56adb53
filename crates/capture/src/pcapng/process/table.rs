//! The processes of a section, to be found by pid and time, or by number.

use std::collections::HashMap;
use std::time::Duration;

use super::{Pointer, ProcessFacts};

/// Texts that are kept of a section, in bytes. Past that, all are forgotten: packets that follow
/// then have pids only.
const MAX_BYTES: usize = 16 << 20;
/// Processes that had one pid in turn, of which a section tells. Past that, the first ones are
/// forgotten.
const MAX_OF_PID: usize = 64;
/// What a process takes beside its texts.
const OVERHEAD: usize = 256;
/// Clocks that a start was read by differ so much from that of the packets. (Linux gives the start
/// in ticks since boot, and the time of boot in seconds: `/proc/stat`, proc(5).)
const TOLERANCE: Duration = Duration::from_secs(2);

/// The process of a packet, as the file tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketProcess<'a> {
    /// The pid.
    pub pid: u32,
    /// What the file told of this process before this packet.
    pub facts: Option<&'a ProcessFacts>,
}

/// The blocks of a section so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Processes {
    of_wireshark: HashMap<u32, Vec<ProcessFacts>>,
    of_apple: Vec<ProcessFacts>,
    /// Blocks of Apple's that were forgotten: theirs are the first numbers.
    forgotten: u32,
    bytes: usize,
}

impl Processes {
    /// Takes in a block of Wireshark's.
    pub(in super::super) fn add(&mut self, facts: ProcessFacts) {
        self.make_room(&facts);
        let of_pid = self.of_wireshark.entry(facts.pid).or_default();
        // Described anew, which is better known.
        of_pid.retain(|old| old.started != facts.started);
        if of_pid.len() >= MAX_OF_PID {
            of_pid.remove(0);
        }
        of_pid.push(facts);
    }

    /// Takes in a block of Apple's; one that makes no sense has a number as well.
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

    /// The processes that have the packet's socket. Where only the one is told for which that
    /// process works, which is Apple's way to name the application behind a service, it is that.
    pub(in super::super) fn of_packet<'a>(
        &'a self,
        pointers: impl Iterator<Item = Pointer> + Clone + 'a,
        time: Duration,
    ) -> impl Iterator<Item = PacketProcess<'a>> {
        let is_direct = |pointer: &Pointer| !matches!(pointer, Pointer::EffectiveBlock(_));
        let has_direct = pointers.clone().any(|pointer| is_direct(&pointer));
        let wanted = pointers.filter(move |pointer| is_direct(pointer) == has_direct);
        wanted.filter_map(move |pointer| match pointer {
            // Nobody: of a packet that came in, or where the system does not tell.
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

    /// Who had a pid at a time: of those that had started by then, the one that started last.
    /// The one that nobody knows the start of is as old as can be.
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
    fn a_pid_that_was_used_again() {
        let mut processes = Processes::default();
        processes.add(named(500, "first", Some(100)));
        processes.add(named(500, "second", Some(200)));
        check(&processes, 500, 150, Some("first"));
        check(&processes, 500, 200, Some("second"));
        // The clocks of starts and packets differ a little, but not so much.
        check(&processes, 500, 99, Some("first"));
        check(&processes, 500, 90, None);
        // Nobody knows when these started: the newer description holds.
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

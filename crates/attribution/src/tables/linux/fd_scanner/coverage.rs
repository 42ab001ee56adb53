//! Until when each process is known to have held the sockets of its last scan, and no others. Pure: the
//! scanner reads the facts and stores them here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::hash::NumberMap;
use crate::tables::linux::procfs::proc::FdStamp;

/// What shows that a process cannot have got a descriptor since: it has not run, and has as many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) stamp: FdStamp,
    /// `None` if the system does not give it.
    pub(super) cpu_time: Option<Duration>,
}

impl Facts {
    fn are_same(self, other: Self) -> bool {
        self.cpu_time.is_some() && self.cpu_time == other.cpu_time && self.stamp == other.stamp
    }
}

/// A table with very many descriptors that is read in parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) pid: u32,
    /// When the first part was read, and the facts from before that.
    pub(super) began: Instant,
    pub(super) facts: Facts,
    /// The number of the scan of the first part.
    pub(super) number: u64,
    /// Where the next part begins.
    pub(super) at: u32,
}

#[derive(Debug, Clone, Copy)]
struct Covered {
    /// `None` if no scan has succeeded.
    until: Option<Instant>,
    facts: Facts,
}

/// Which processes the search for further holders has read, and until when that counts.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    processes: NumberMap<u32, Covered>,
    /// Large tables, in the order in which their next parts are read.
    readings: VecDeque<Reading>,
}

/// Until when the processes are covered.
#[derive(Debug, Clone, Default)]
pub(crate) struct CoveredUntil {
    /// Nearly all of them; `None` before the first search.
    most: Option<Instant>,
    /// The others.
    late: Vec<(u32, Option<Instant>)>,
}

impl CoveredUntil {
    /// Until when all processes but some are covered.
    pub(crate) fn without(&self, excepted: impl Fn(u32) -> bool) -> Option<Instant> {
        let late = self.late.iter().filter(|(pid, _)| !excepted(*pid));
        late.map(|(_, until)| *until).fold(self.most, Option::min)
    }
}

impl Coverage {
    /// Forgets all processes except these, which must be sorted.
    pub(super) fn forget_all_but(&mut self, alive: &[u32]) {
        let is_alive = |pid: &u32| alive.binary_search(pid).is_ok();
        self.processes.retain(|pid, _| is_alive(pid));
        self.readings.retain(|reading| is_alive(&reading.pid));
    }

    /// Forgets a process that has exited.
    pub(super) fn forget(&mut self, pid: u32) {
        self.processes.remove(&pid);
        self.readings.retain(|reading| reading.pid != pid);
    }

    /// Takes what was read of a process at a time before any of its descriptors: whether the last scan
    /// still counts, so that no other one is due.
    pub(super) fn is_unchanged(&mut self, pid: u32, facts: Facts, now: Instant) -> bool {
        let known = self
            .processes
            .entry(pid)
            .or_insert(Covered { until: None, facts });
        let is_same = known.until.is_some() && known.facts.are_same(facts);
        if is_same {
            known.until = Some(now);
        }
        is_same
    }

    /// Records a scan of a whole table, which began after that.
    pub(super) fn add(&mut self, pid: u32, facts: Facts, began: Instant) {
        self.readings.retain(|reading| reading.pid != pid);
        let until = Some(began);
        self.processes.insert(pid, Covered { until, facts });
    }

    /// Whether a table is being read in parts.
    pub(super) fn is_being_read(&self, pid: u32) -> bool {
        self.readings.iter().any(|reading| reading.pid == pid)
    }

    /// Records that a table is to be read in parts, unless it is being read.
    pub(super) fn begin(&mut self, reading: Reading) {
        if !self.is_being_read(reading.pid) {
            self.readings.push_back(reading);
        }
    }

    /// The table of which the next part is read.
    pub(super) fn next(&mut self) -> Option<Reading> {
        self.readings.pop_front()
    }

    /// Records that a part was read; `next` is where it goes on.
    pub(super) fn read(&mut self, reading: Reading, next: Option<u32>) {
        match next {
            Some(at) => self.readings.push_back(Reading { at, ..reading }),
            None => self.add(reading.pid, reading.facts, reading.began),
        }
    }

    /// Until when the processes are covered, after a search that began then.
    pub(super) fn until(&self, began: Instant) -> CoveredUntil {
        let is_late = |covered: &&Covered| covered.until < Some(began);
        let all = self.processes.iter();
        let late = all.filter(|(_, covered)| is_late(covered));
        CoveredUntil {
            most: Some(began),
            late: late.map(|(pid, covered)| (*pid, covered.until)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::linux::options::LinuxOptions;
    use crate::tables::linux::procfs::proc::Proc;

    fn facts(cpu_time: u64) -> Facts {
        let options = LinuxOptions::default();
        let proc = Proc::open(&options.proc, options.descriptor_counts).unwrap();
        // The first process has no descriptor that this test opens.
        let stamp = proc.stamp(1).unwrap();
        let cpu_time = Some(Duration::from_nanos(cpu_time));
        Facts { stamp, cpu_time }
    }

    fn none(_pid: u32) -> bool {
        false
    }

    #[test]
    fn a_process_that_has_not_run_is_covered() {
        let (mut coverage, start) = (Coverage::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(CoveredUntil::default().without(none), None);
        assert!(!coverage.is_unchanged(1, facts(5), start));
        // It could not be read.
        assert_eq!(coverage.until(start).without(none), None);
        assert!(!coverage.is_unchanged(1, facts(5), start));
        coverage.add(1, facts(5), later(1));
        assert!(coverage.is_unchanged(1, facts(5), later(2)));
        assert_eq!(coverage.until(later(2)).without(none), Some(later(2)));
        assert!(!coverage.is_unchanged(1, facts(6), later(3)));
        assert_eq!(coverage.until(later(3)).without(none), Some(later(2)));
        // For a socket of that process itself, it does not matter.
        let of_others = coverage.until(later(3)).without(|pid| pid == 1);
        assert_eq!(of_others, Some(later(3)));
        coverage.forget_all_but(&[2]);
        assert_eq!(coverage.until(later(3)).without(none), Some(later(3)));
        let unknown = Facts {
            cpu_time: None,
            ..facts(5)
        };
        coverage.add(1, unknown, later(3));
        assert!(!coverage.is_unchanged(1, unknown, later(4)));
    }

    #[test]
    fn large_tables_take_turns_and_count_from_their_first_part() {
        let (mut coverage, start) = (Coverage::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        for pid in [1, 2, 1] {
            coverage.is_unchanged(pid, facts(5), start);
            coverage.begin(Reading {
                pid,
                began: later(u64::from(pid)),
                facts: facts(5),
                number: 0,
                at: 0,
            });
        }
        let mut order = Vec::new();
        while let Some(reading) = coverage.next() {
            order.push((reading.pid, reading.at));
            assert_eq!(coverage.until(later(9)).without(none), None);
            coverage.read(reading, Some(reading.at + 1).filter(|at| *at < 2));
        }
        assert_eq!(order, [(1, 0), (2, 0), (1, 1), (2, 1)]);
        assert_eq!(coverage.until(later(9)).without(none), Some(later(1)));
        // One that became small is not read in parts any more.
        coverage.begin(Reading {
            pid: 1,
            began: later(5),
            facts: facts(6),
            number: 0,
            at: 0,
        });
        coverage.add(1, facts(7), later(6));
        assert!(coverage.next().is_none());
    }
}

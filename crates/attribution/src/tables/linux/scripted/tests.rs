//! Whatever fails, no lookup names a process that did not hold the socket, every lookup ends, and
//! after the last fault lookups name all owners again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::faults::{Astray, ERRORS, Fault};
use super::world::{Change, Host, Kind, queries};
use crate::answer::{Error, Ownership, Process, Reason, SocketQuery, Verdict};
use crate::policy::{Initiator, LookupRequest};
use crate::tables::SocketTable;
use crate::tables::linux::LinuxOptions;
use crate::tables::linux::table::LinuxTable;

/// More calls than any lookup may make on such a small host.
const MOST_CALLS: usize = 20_000;
/// How old the knowledge of a fast lookup about listeners may be: their holders are valid for 5 ms,
/// and the list that contained them for as long.
const LISTENERS: Duration = Duration::from_millis(10);
/// How long after the last fault lookups may take to recover: the table reads a failed address
/// again within a second.
const RECOVERY: Duration = Duration::from_secs(10);

/// One step of a test.
#[derive(Debug, Clone)]
enum Step {
    Change(Change),
    /// A fault at each of the next calls, if there is one.
    Faults(Vec<Option<Fault>>),
    Find(usize),
    FindEach(Vec<usize>),
    List,
    FastLookup(usize, Initiator),
}

fn kinds() -> impl Strategy<Value = Kind> {
    let at = (any::<u16>(), any::<bool>());
    let ends = (any::<u16>(), any::<u16>());
    prop_oneof![
        at.prop_map(|(port, is_everywhere)| Kind::Listener {
            port,
            is_everywhere
        }),
        at.prop_map(|(port, is_everywhere)| Kind::Datagram {
            port,
            is_everywhere
        }),
        ends.prop_map(|(port, to)| Kind::Connection { port, to }),
        ends.prop_map(|(port, to)| Kind::ConnectedDatagram { port, to }),
    ]
}

fn changes() -> impl Strategy<Value = Change> {
    let number = || 0..64_usize;
    prop_oneof![
        2 => number().prop_map(Change::Start),
        2 => number().prop_map(Change::Exit),
        6 => (number(), kinds()).prop_map(|(process, kind)| Change::Open(process, kind)),
        2 => number().prop_map(Change::Close),
        2 => (number(), number(), any::<bool>())
            .prop_map(|(socket, to, keeps)| Change::Pass { socket, to, keeps }),
        1 => (number(), number()).prop_map(|(n, a)| Change::AddAddress(n, a)),
        1 => (number(), number()).prop_map(|(n, a)| Change::RemoveAddress(n, a)),
    ]
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => proptest::sample::select(ERRORS.to_vec()).prop_map(Fault::Error),
        3 => proptest::sample::select(Astray::ALL.to_vec()).prop_map(Fault::Astray),
        2 => changes().prop_map(Fault::Change),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![6 => Just(None), 1 => faults().prop_map(Some)];
    let opened = prop_oneof![
        Just(Initiator::Local),
        Just(Initiator::Remote),
        Just(Initiator::Unknown)
    ];
    prop_oneof![
        4 => changes().prop_map(Step::Change),
        3 => proptest::collection::vec(fault, 1..120).prop_map(Step::Faults),
        4 => any::<usize>().prop_map(Step::Find),
        2 => proptest::collection::vec(any::<usize>(), 1..6).prop_map(Step::FindEach),
        1 => Just(Step::List),
        2 => (any::<usize>(), opened).prop_map(|(query, opened)| Step::FastLookup(query, opened)),
    ]
}

/// The table on a scripted host, and the rules that it must never break.
struct Trial {
    host: Arc<Host>,
    table: LinuxTable,
    fast_lookup: Option<Box<dyn crate::tables::fast_lookup::FastLookup>>,
    queries: Vec<SocketQuery>,
}

impl Trial {
    /// `None` if such a host cannot be made.
    fn new() -> Option<Self> {
        let host = Host::new()?;
        for number in 0..6 {
            host.change(Change::Start(number / 2));
        }
        host.enter();
        let options = LinuxOptions {
            proc: host.proc(),
            send_watchers: false,
            // The size of the directory is no count of descriptors here.
            descriptor_counts: false,
            ..LinuxOptions::default()
        };
        let mut table = LinuxTable::with_options(&options).unwrap();
        let fast_lookup = table.fast_lookup();
        Some(Self {
            host,
            table,
            fast_lookup,
            queries: queries(),
        })
    }

    fn query(&self, number: usize) -> SocketQuery {
        self.queries[number % self.queries.len()]
    }

    fn run(&mut self, step: &Step) {
        let before = match step {
            // A fast lookup may know the holder of a listener from a moment before.
            Step::FastLookup(..) => LISTENERS,
            _ => Duration::ZERO,
        };
        let calls = self.host.begin(before);
        match step {
            Step::Change(change) => self.host.change(*change),
            Step::Faults(tape) => self.host.play(tape.iter().copied()),
            Step::Find(query) => {
                let query = self.query(*query);
                let found = self.table.find(&query);
                self.check(&query, &found);
            }
            Step::FindEach(queries) => {
                let queries: Vec<_> = queries.iter().map(|query| self.query(*query)).collect();
                let found = self.table.find_each(&queries);
                assert_eq!(found.len(), queries.len());
                for (query, found) in queries.iter().zip(&found) {
                    self.check(query, found);
                }
            }
            Step::List => {
                if let Ok(snapshot) = self.table.snapshot() {
                    for socket in snapshot.sockets() {
                        let namespace = socket.namespace.as_ref().map(|namespace| namespace.id);
                        let may = self.host.may_hold(socket.local, namespace);
                        assert_names(socket.owner.processes(), &may, &socket);
                    }
                }
            }
            Step::FastLookup(query, opened) => {
                let query = self.query(*query);
                let question = LookupRequest {
                    query,
                    packet_time: SystemTime::now(),
                    initiator: *opened,
                };
                let fast_lookup = self
                    .fast_lookup
                    .as_mut()
                    .map(|fast_lookup| fast_lookup.lookup(&question));
                if let Some(ownership) =
                    fast_lookup.and_then(crate::tables::fast_lookup::FastResult::ownership)
                {
                    self.check(&query, &Ok(ownership));
                }
            }
        }
        let calls = self.host.calls() - calls;
        assert!(calls < MOST_CALLS, "{calls} calls for {step:?}");
    }

    fn check(&self, query: &SocketQuery, found: &Result<Ownership, Error>) {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                assert_eq!(error.reason(), Reason::Failed);
                return;
            }
        };
        let may = self.host.may_be_named(query);
        assert_names(found.verdict.processes(), &may, query);
        if found.verdict == Verdict::Unknown(Reason::Kernel) {
            assert!(
                may.is_empty(),
                "{query} is said to be the kernel's, and is held by {may:?}"
            );
        }
    }

    /// Without faults, all answers are right soon.
    fn recover(&mut self) {
        self.host.end_faults();
        let deadline = Instant::now() + RECOVERY;
        for query in self.queries.clone() {
            let holders = self.host.holders(&query);
            loop {
                let found = self.table.find(&query);
                self.check(&query, &found);
                let is_right = found.as_ref().is_ok_and(|found| {
                    // A connection that has ended, with the same address elsewhere.
                    let is_over = found.verdict == Verdict::Unknown(Reason::Gone);
                    (found.verdict.is_named() || holders.is_empty() || is_over)
                        && found.verdict != Verdict::Unknown(Reason::Failed)
                });
                if is_right {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{query}: {found:?} and not {holders:?}"
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Checks that only allowed processes are named.
fn assert_names(named: &[Arc<Process>], may: &BTreeSet<String>, what: &dyn std::fmt::Debug) {
    for process in named {
        let is_right = may.contains(&process.name);
        assert!(
            is_right,
            "{process} is named for {what:?}, not one of {may:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        // Waiting for a failed recovery takes time.
        max_shrink_iters: 300,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn never_wrong_never_stuck_and_right_again(
        steps in proptest::collection::vec(steps(), 1..60),
    ) {
        // In a separate thread, which uses this host.
        let trial = std::thread::spawn(move || {
            let Some(mut trial) = Trial::new() else {
                flowner_testing::skipped!("a scripted host: inodes of files are too large here");
                return;
            };
            for step in &steps {
                trial.run(step);
            }
            trial.recover();
        });
        if let Err(panic) = trial.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The number of sequences: more with `FLOWNER_FAULT_CASES`.
fn cases() -> u32 {
    let given = std::env::var("FLOWNER_FAULT_CASES").ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(64)
}

//! Sockets whose holders are hard to find, and sockets without an owner to name.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "helper/act.rs"]
mod act;
mod patience;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use act::{Actor, wait_until_gone};
use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::{
    Initiator, LookupRequest, Ownership, Protocol, Reason, Socket, SocketQuery, SocketState,
    SocketTable, Verdict,
};

fn table() -> LinuxTable {
    LinuxTable::new().unwrap()
}

/// A table that knows the earlier sockets.
fn warm_table() -> LinuxTable {
    let mut table = table();
    table.snapshot().unwrap();
    table
}

fn pids(verdict: &Verdict) -> Vec<u32> {
    let processes = verdict.processes().iter();
    processes.map(|process| process.pid).collect()
}

fn udp(local: SocketAddr) -> SocketQuery {
    SocketQuery::new(Protocol::Udp, local, None)
}

/// The owner of a datagram socket by a lookup, and in a list of all.
fn both(table: &mut LinuxTable, local: SocketAddr) -> [Verdict; 2] {
    let one = table.find(&udp(local)).unwrap().verdict;
    let all = table.snapshot().unwrap();
    [one, all.find(&udp(local)).verdict]
}

/// Checks that a process is named, by a table that knows nothing yet and by one that does.
#[track_caller]
fn check_named(actor: &Actor, warm: &mut LinuxTable) {
    for (table, what) in [(&mut table(), "cold"), (warm, "warm")] {
        // Twice: a later lookup finds it again.
        for _ in 0..2 {
            for verdict in both(table, actor.address) {
                assert_eq!(pids(&verdict), [actor.pid], "{what}: {verdict:?}");
            }
        }
    }
    let listed = table().snapshot().unwrap().find(&udp(actor.address));
    assert_eq!(pids(&listed.verdict), [actor.pid], "{listed:?}");
    let process = &listed.verdict.processes()[0];
    assert_eq!(process.path, std::env::current_exe().ok());
    assert!(process.arguments.as_ref().is_some_and(|all| all.len() > 3));
}

/// Checks that no process is named, and that the answer does not name the kernel.
#[track_caller]
fn check_only_user(verdict: &Verdict) {
    let is_user = matches!(verdict, Verdict::Partial { user: Some(_), .. });
    assert!(is_user, "{verdict:?}");
}

/// Whether this process may read all others, which most of these tests need.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        flowner_testing::skipped!("only root may read all processes");
    }
    is_root
}

#[test]
fn a_thread_with_descriptors_of_its_own() {
    let mut warm = warm_table();
    let actor = Actor::new("thread-table 1");
    check_named(&actor, &mut warm);
}

/// The child has it in the table of its process, where a search looks first. In a network namespace of its
/// own: for a socket of another process that no search finds, a list reads the tables of all threads.
#[test]
fn a_child_of_a_thread_with_descriptors_of_its_own() {
    if is_root() {
        std::thread::spawn(check_child_of_thread).join().unwrap();
    }
}

fn check_child_of_thread() {
    act::enter_a_new_network();
    assert!(act::ip("link set lo up"));
    let actor = Actor::new("thread-table-child");
    let mut table = warm_table();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let query = SocketQuery::udp(actor.address, "127.0.0.1:9".parse().unwrap());
    let found = fast_lookup.lookup(&question(query)).ownership();
    let found = found.map_or(Vec::new(), |found| pids(&found.verdict));
    assert!(
        found.is_empty() || found.contains(&actor.pid),
        "wrong owner: {found:?}"
    );
    let found = table.find(&udp(actor.address)).unwrap().verdict;
    let found = pids(&found);
    assert!(found.len() == 2 && found.contains(&actor.pid), "{found:?}");
}

#[test]
fn a_thousand_threads() {
    let mut warm = warm_table();
    let actor = Actor::new("thread-table 1000");
    check_named(&actor, &mut warm);
    // A socket for which no search has found a holder.
    let flight = Actor::new("in-flight");
    let started = Instant::now();
    check_only_user(&warm.find(&udp(flight.address)).unwrap().verdict);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_process_whose_first_thread_has_exited() {
    let mut warm = warm_table();
    let actor = Actor::new("leader");
    check_named(&actor, &mut warm);
}

#[test]
fn a_fast_lookup_finds_a_new_thread_with_descriptors_of_its_own() {
    let mut table = warm_table();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let actor = Actor::new("thread-table 1");
    let found = fast_lookup
        .lookup(&question(udp(actor.address)))
        .ownership();
    let found = found.map_or(Vec::new(), |found| pids(&found.verdict));
    assert!(
        found.is_empty() || found == [actor.pid],
        "wrong owner: {found:?}"
    );
    check_named(&actor, &mut table);
}

#[test]
fn a_thread_in_a_network_namespace_of_its_own() {
    if !is_root() {
        return;
    }
    let mut warm = warm_table();
    let actor = Actor::new("thread-namespace 10.83.7.9");
    let query = SocketQuery::new(Protocol::Tcp, actor.address, None);
    for table in [&mut table(), &mut warm] {
        let found = table.find(&query).unwrap();
        assert_eq!(pids(&found.verdict), [actor.pid], "{found:?}");
        assert!(found.evidence.namespace.is_some(), "{found:?}");
        let all = table.snapshot_all_namespaces().unwrap();
        let is_it = |socket: &&Socket| socket.local == actor.address && socket.namespace.is_some();
        let listed: Vec<_> = all.sockets().iter().filter(is_it).collect();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(pids(&listed[0].owner), [actor.pid]);
    }
}

/// Whether `io_uring` is permitted here (`kernel.io_uring_disabled`).
fn may_use_rings() -> bool {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let may = text.is_ok_and(|text| text.trim() == "0");
    if !may {
        flowner_testing::skipped!("io_uring is disabled here");
    }
    may
}

#[test]
fn sockets_that_are_registered_with_io_uring() {
    if !may_use_rings() {
        return;
    }
    let mut warm = warm_table();
    for how in ["open", "closed", "passed"] {
        let actor = Actor::new(&format!("ring {how}"));
        check_named(&actor, &mut warm);
    }
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen() {
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let actor = Actor::new(&format!("bound {address}"));
        let query = SocketQuery::new(Protocol::Tcp, actor.address, None);
        let mut table = table();
        // By a table that knows nothing yet, for a process that is not among the newest.
        (0..1_000).for_each(|_| std::thread::spawn(|| {}).join().unwrap());
        let cold = table.find(&query).unwrap().verdict;
        let all = table.snapshot().unwrap();
        let is_it = |socket: &&Socket| {
            (socket.protocol, socket.local) == (Protocol::Tcp, actor.address)
                && socket.remote.is_none()
        };
        let listed: Vec<_> = all.sockets().iter().filter(is_it).collect();
        if listed.is_empty() {
            flowner_testing::skipped!("before Linux 6.8 the kernel does not list them");
            return;
        }
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0].state, Some(SocketState::Bound));
        let found = table.find(&query).unwrap();
        let listed = [&listed[0].owner, &all.find(&query).verdict];
        for verdict in [&cold, &found.verdict].into_iter().chain(listed) {
            assert_eq!(pids(verdict), [actor.pid], "{verdict:?}");
        }
        // It accepts no connection, so it owns no packets.
        let local = SocketAddr::new([127, 0, 0, 1].into(), actor.address.port());
        let stranger = SocketQuery::tcp(local, "127.0.0.1:9".parse().unwrap());
        let none = Verdict::Unknown(Reason::NotFound);
        assert_eq!(table.find(&stranger).unwrap().verdict, none);
        assert_eq!(all.find(&stranger).verdict, none);
    }
}

#[test]
fn a_listener_comes_before_a_socket_that_is_only_bound() {
    let actor = Actor::new("bound 0.0.0.0:0");
    let local = SocketAddr::new([127, 0, 0, 1].into(), actor.address.port());
    let domain = socket2::Domain::IPV4;
    let listener = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    listener.set_reuse_address(true).unwrap();
    if listener.bind(&local.into()).is_err() {
        // The other socket would have to allow it, too.
        return;
    }
    listener.listen(1).unwrap();
    let found = table().find(&SocketQuery::new(Protocol::Tcp, local, None));
    assert_eq!(pids(&found.unwrap().verdict), [std::process::id()]);
}

#[test]
fn descriptors_in_flight_are_not_the_kernels() {
    let check = || {
        let mut warm = warm_table();
        for act in ["in-flight", "unaccepted"] {
            let actor = Actor::new(act);
            for table in [&mut table(), &mut warm] {
                for verdict in both(table, actor.address) {
                    check_only_user(&verdict);
                }
            }
        }
    };
    check();
    let thread = std::thread::spawn(move || {
        if act::enter_where_nothing_is_hidden() {
            check();
        } else {
            flowner_testing::skipped!("no mount namespaces here");
        }
    });
    thread.join().unwrap();
}

fn question(query: SocketQuery) -> LookupRequest {
    LookupRequest::new(query, SystemTime::now(), Initiator::Local)
}

/// Two processes, of which the first may give its socket to the other.
fn giver_and_taker(what: &str) -> (Actor, Actor) {
    let name = format!("flowner-{what}-{}", std::process::id());
    let taker = Actor::new(&format!("take {name}"));
    (Actor::new(&format!("give {name}")), taker)
}

/// The last known holder of a socket may have passed it on.
#[test]
fn a_process_that_passed_its_socket_on_is_not_named() {
    let (mut giver, taker) = giver_and_taker("pass");
    let mut table = warm_table();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let query = udp(giver.address);
    assert_eq!(pids(&table.find(&query).unwrap().verdict), [giver.pid]);
    giver.tell("give");
    giver.tell("close");
    let fast_result = fast_lookup.lookup(&question(query)).ownership();
    let fast_result =
        fast_result.map_or(Vec::new(), |ownership: Ownership| pids(&ownership.verdict));
    assert!(
        !fast_result.contains(&giver.pid),
        "wrong owner: {fast_result:?}"
    );
    assert_eq!(pids(&table.find(&query).unwrap().verdict), [taker.pid]);
    let again = patience::fast_answer(&mut *fast_lookup, &question(query));
    assert_eq!(pids(&again.verdict), [taker.pid]);
}

/// Both hold it, including the process that was scanned a moment before it received the socket.
#[test]
fn a_process_that_received_a_socket_shares_it() {
    let (mut giver, taker) = giver_and_taker("share");
    let query = udp(giver.address);
    giver.tell("give");
    let mut both = [giver.pid, taker.pid];
    both.sort_unstable();
    for table in [&mut table(), &mut warm_table()] {
        assert_eq!(pids(&table.find(&query).unwrap().verdict), both);
    }
}

#[test]
fn at_the_limit_of_open_files_the_failure_is_reported() {
    let held = Actor::new("udp");
    Actor::new(&format!("limited {}", held.address));
}

/// In its own network namespace, with a tunnel.
#[test]
fn a_socket_of_the_kernel_belongs_to_it() {
    if !is_root() {
        return;
    }
    let thread = std::thread::spawn(|| {
        act::enter_a_new_network();
        let made = act::ip("link add vx0 type vxlan id 5 dstport 4789 local 127.0.0.1");
        if !made || !act::ip("link set lo up") || !act::ip("link set vx0 up") {
            flowner_testing::skipped!("no tunnels here");
            return;
        }
        if !act::enter_where_nothing_is_hidden() {
            flowner_testing::skipped!("no mount namespaces here");
            return;
        }
        let query = udp("127.0.0.1:4789".parse().unwrap());
        let kernel = Verdict::Unknown(Reason::Kernel);
        let mut table = table();
        // The table does not say so while descriptors of another test are in flight, or processes
        // come and go all the time.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let verdict = table.find(&query).unwrap().verdict;
            if verdict == kernel {
                break;
            }
            check_only_user(&verdict);
            if Instant::now() > deadline {
                flowner_testing::skipped!("processes come and go all the time");
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let listed = table.snapshot().unwrap().find(&query);
        assert_eq!(listed.verdict, kernel);
    });
    thread.join().unwrap();
}

/// A table that scanned everything a moment ago finds them, too.
#[test]
fn inherited_sockets_are_found_at_the_first_lookup() {
    for how in ["stays", "exits", "stays, execs", "exits, execs"] {
        let mut actor = Actor::new(&format!("inherited {how}"));
        let query = udp(actor.address);
        let (mut warm, mut known) = (warm_table(), warm_table());
        assert_eq!(pids(&known.find(&query).unwrap().verdict), [actor.pid]);
        let child = actor.fork();
        let mut expected = vec![child];
        if how.starts_with("stays") {
            expected.push(actor.pid);
            expected.sort_unstable();
        } else {
            wait_until_gone(actor.pid);
        }
        for (table, what) in [
            (&mut known, "known"),
            (&mut warm, "warm"),
            (&mut table(), "cold"),
        ] {
            let found = table.find(&query).unwrap().verdict;
            assert_eq!(pids(&found), expected, "{how}, {what}: {found:?}");
            let listed = table.snapshot().unwrap().find(&query).verdict;
            assert_eq!(pids(&listed), expected, "{how}, {what}: {listed:?}");
        }
    }
}

/// Reading their descriptors takes long, and they change all the time.
#[test]
fn a_process_with_many_descriptors_does_not_hide_other_owners() {
    let mut table = warm_table();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let hoards: Vec<_> = (0..3).map(|_| Actor::new("hoard 4000")).collect();
    let (mut longest, mut named) = (Duration::ZERO, 0);
    for _ in 0..30 {
        let actor = Actor::new("udp");
        let query = udp(actor.address);
        let began = Instant::now();
        let fast_result = fast_lookup.lookup(&question(query)).ownership();
        longest = longest.max(began.elapsed());
        let fast_result = fast_result.map_or(Vec::new(), |ownership| pids(&ownership.verdict));
        let found = pids(&table.find(&query).unwrap().verdict);
        assert_eq!(found, [actor.pid]);
        // On a busy host, there may be no time for it.
        let is_right = fast_result.is_empty() || fast_result == [actor.pid];
        assert!(is_right, "{fast_result:?}");
        named += usize::from(!fast_result.is_empty());
    }
    eprintln!("{named} of 30 are named by a fast lookup, of which the longest took {longest:?}");
    for hoard in &hoards {
        // There may be no time for it at first.
        let deadline = Instant::now() + Duration::from_secs(30);
        while pids(&table.find(&udp(hoard.address)).unwrap().verdict) != [hoard.pid] {
            assert!(Instant::now() < deadline, "{} is not named", hoard.pid);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

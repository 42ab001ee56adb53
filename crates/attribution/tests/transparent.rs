//! Transparent proxies, whose sockets have the ends of other hosts.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step fails the test"
)]

mod behind;
mod helper;
mod patience;

use std::time::SystemTime;

use behind::{Behind, is_run_elsewhere};
use flowner_attribution::capture::Confirmed;
use flowner_attribution::snapshot::linux::LinuxTable;
use flowner_attribution::{Initiator, LookupRequest, Ownership, SocketQuery, SocketTable};
use flowner_testing::namespace::ip;
use helper::Helper;

/// The packets of both have the same ends. Nothing tells them apart.
#[test]
fn a_transparent_proxy_has_the_ends_of_its_client() {
    const TEST: &str = "a_transparent_proxy_has_the_ends_of_its_client";
    if is_run_elsewhere(TEST, &["nft"]) {
        return;
    }
    let behind = Behind::new();
    // Nobody answers there.
    ip("neigh add 10.97.0.77 lladdr 02:00:00:00:00:77 dev n97 nud permanent");
    let client = behind.helper(0, &["tcp 10.98.0.2:5001 start=10.97.0.77:9"]);
    let query = SocketQuery::tcp(
        "10.98.0.2:5001".parse().unwrap(),
        "10.97.0.77:9".parse().unwrap(),
    );
    let mut table = LinuxTable::new().unwrap();
    let mut fast_lookup = table.fast_lookup().unwrap();
    let request = LookupRequest::new(query, SystemTime::now(), Initiator::Local);
    let known = patience::fast_answer(&mut *fast_lookup, &request);
    let pids = |answer: &Ownership| -> Vec<u32> {
        let named = answer.verdict.processes().iter();
        named.map(|process| process.pid).collect()
    };
    assert_eq!(pids(&known), [client.pid()], "{known:?}");
    let mut confirmed = || patience::confirmed(&mut *fast_lookup, &query, &known);
    assert_eq!(confirmed(), Confirmed::Same);
    let proxy = Helper::new(&["tcp 10.98.0.2:5001 transparent start=10.97.0.77:9"]);
    assert_eq!(confirmed(), Confirmed::Changed);
    let mut both = [client.pid(), proxy.pid()];
    both.sort_unstable();
    let mut named = pids(&table.find(&query).unwrap());
    named.sort_unstable();
    assert_eq!(named, both);
    let fast = fast_lookup.lookup(&request).ownership();
    assert_eq!(fast, None);
}

//! The holders of sockets beside those that the `listeners` crate names, on Linux.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "helper/act.rs"]
mod act;

use std::net::SocketAddr;

use act::{Actor, wait_until_gone};
use flowner_attribution::snapshot::portable::PortableTable;
use flowner_attribution::{Protocol, SocketQuery, SocketTable};

/// The pids of the owners of a datagram socket, in order.
fn named(local: SocketAddr) -> Vec<u32> {
    let query = SocketQuery::new(Protocol::Udp, local, None);
    let answer = PortableTable::new().unwrap().find(&query).unwrap();
    let processes = answer.verdict.processes().iter();
    processes.map(|process| process.pid).collect()
}

fn in_order(mut pids: Vec<u32>) -> Vec<u32> {
    pids.sort_unstable();
    pids
}

#[test]
fn a_child_that_has_a_socket_too_is_named_beside_its_parent() {
    for how in ["stays", "stays, execs", "exits"] {
        let mut actor = Actor::new(&format!("inherited {how}"));
        assert_eq!(named(actor.address), [actor.pid]);
        let child = actor.fork();
        let expected = if how == "exits" {
            wait_until_gone(actor.pid);
            vec![child]
        } else {
            in_order(vec![actor.pid, child])
        };
        assert_eq!(named(actor.address), expected, "{how}");
    }
}

#[test]
fn a_receiver_of_a_socket_is_named_beside_the_giver() {
    let name = format!("flowner-portable-{}", std::process::id());
    let taker = Actor::new(&format!("take {name}"));
    let mut giver = Actor::new(&format!("give {name}"));
    assert_eq!(named(giver.address), [giver.pid]);
    giver.tell("give");
    assert_eq!(named(giver.address), in_order(vec![giver.pid, taker.pid]));
    giver.tell("close");
    assert_eq!(named(giver.address), [taker.pid]);
}

#[test]
fn at_the_limit_of_open_files_a_lesser_table_reports_it_and_names_no_wrong_owner() {
    let holder = Actor::new("udp");
    drop(Actor::new(&format!("limited-best {}", holder.address)));
}

//! Sockets that receive what is sent to many: multicast groups and broadcast addresses.

use super::*;

#[test]
fn a_socket_of_a_group_sends_from_the_address_of_the_host() {
    if is_run_inside("groups::a_socket_of_a_group_sends_from_the_address_of_the_host") {
        return;
    }
    wires();
    let joins = format!(
        "udp 239.1.2.3:5007 broadcast join=239.1.2.3@{}",
        index("w0")
    );
    let member = Helper::new(&[&joins]);
    let mut tables = Tables::new();
    let sent = query(Protocol::Udp, "10.77.0.1:5007", "239.1.2.3:5007");
    let came = query(Protocol::Udp, "239.1.2.3:5007", "10.77.0.2:5007");
    tables.check(&sent, "w0", &[member.pid()]);
    tables.check(&came, "w0", &[member.pid()]);
    // A member of a group that is bound to its address receives no unicast.
    tables.check(
        &query(Protocol::Udp, "10.77.0.1:5007", "10.77.0.2:5007"),
        "w0",
        &[],
    );
    let everywhere = Helper::new(&["udp 0.0.0.0:5007 broadcast"]);
    for query in [&sent, &came] {
        tables.check(query, "w0", &[member.pid(), everywhere.pid()]);
    }
}

/// The host accepts packets to a group only on a device on which one of its sockets has joined the
/// group. Then all sockets on the port receive them, whether they joined or not
/// (`IP_MULTICAST_ALL`).
#[test]
fn a_group_without_members_reaches_no_socket() {
    if is_run_inside("groups::a_group_without_members_reaches_no_socket") {
        return;
    }
    wires();
    let mut tables = Tables::new();
    let everywhere = Helper::new(&["udp 0.0.0.0:5009 broadcast", "udp [::]:5010 broadcast"]);
    let of_group = Helper::new(&["udp 239.1.2.4:5009 broadcast", "udp [::]:5010 broadcast"]);
    for (group, from, port) in [
        ("239.1.2.4", "10.77.0.2:6000", 5009),
        ("[ff05::1:4]", "[fe80::2]:6000", 5010),
    ] {
        let came = query(Protocol::Udp, &format!("{group}:{port}"), from);
        tables.check(&came, "w0", &[]);
        tables.check(&came, "", &[]);
        // On another port, and on another device.
        let any = if group.starts_with('[') {
            "[::]"
        } else {
            "0.0.0.0"
        };
        let group = group.trim_matches(['[', ']']);
        let join =
            |device: &str| format!("udp {any}:5011 broadcast join={group}@{}", index(device));
        let other = Helper::new(&[&join("w1")]);
        tables.check(&came, "w0", &[]);
        tables.check(&came, "w1", &[everywhere.pid(), of_group.pid()]);
        tables.check(&came, "", &[everywhere.pid(), of_group.pid()]);
        let both = Helper::new(&[&join("w0")]);
        tables.check(&came, "w0", &[everywhere.pid(), of_group.pid()]);
        // Nothing reports that a member left.
        drop((other, both));
        tables.check(&came, "w0", &[]);
        tables.check(&came, "w1", &[]);
    }
    // A sender does not have to join.
    let sent = query(Protocol::Udp, "10.77.0.1:5009", "239.1.2.4:5009").as_sender();
    tables.check(&sent, "w0", &[everywhere.pid(), of_group.pid()]);
}

/// The kernel gives a connected socket the packets of its peer, and those of others to a member of
/// the group.
#[test]
fn a_connected_socket_beside_a_group_receives_from_its_peer() {
    if is_run_inside("groups::a_connected_socket_beside_a_group_receives_from_its_peer") {
        return;
    }
    wires();
    let mut tables = Tables::new();
    let peer = "10.77.0.2:6000";
    for (local, group, bound) in [
        ("10.77.0.1:5020", "10.77.0.1:5020", "10.77.0.1:5020"),
        ("10.77.0.1:5021", "0.0.0.0:5021", "10.77.0.1:5021"),
        ("10.77.0.1:5022", "0.0.0.0:5022", "0.0.0.0:5022"),
        ("10.77.0.1:5023", "10.77.0.1:5023", "0.0.0.0:5023"),
    ] {
        for share in ["", " share"] {
            let member = || Helper::new(&[&format!("udp {group} share")]);
            let connect = format!("udp {bound}{share} to={peer}");
            let connected = || Helper::new(&[&connect]);
            // The connected socket is opened before the members of the group, and after them.
            let (one, two, first);
            if share.is_empty() {
                (first, one, two) = (connected(), member(), member());
            } else {
                (one, two, first) = (member(), member(), connected());
            }
            tables.check(&query(Protocol::Udp, local, peer), "w0", &[first.pid()]);
            let others = query(Protocol::Udp, local, "10.77.0.3:6000");
            tables.check(&others, "w0", &[one.pid(), two.pid()]);
        }
    }
}

/// A broadcast reaches each matching socket.
#[test]
fn all_sockets_receive_a_broadcast_of_their_network() {
    if is_run_inside("groups::all_sockets_receive_a_broadcast_of_their_network") {
        return;
    }
    wires();
    ip("route add broadcast 10.99.0.7 dev w0 table local");
    let mut tables = Tables::new();
    let everywhere = Helper::new(&["udp 0.0.0.0:5008 broadcast"]);
    let on_device = Helper::new(&["udp 0.0.0.0:5008 broadcast dev=w0"]);
    let _other = Helper::new(&["udp 10.77.0.1:5008 broadcast"]);
    for (local, remote) in [
        ("10.77.0.255:5008", "10.77.0.2:6000"),
        ("10.99.0.7:5008", "10.77.0.2:6000"),
        ("255.255.255.255:5008", "10.77.0.2:6000"),
        ("127.255.255.255:5008", "127.0.0.1:6000"),
    ] {
        let came = query(Protocol::Udp, local, remote);
        tables.check(&came, "w0", &[everywhere.pid(), on_device.pid()]);
        tables.check(&came, "w1", &[everywhere.pid()]);
        let mut bound = Helper::new(&[&format!("udp {local} broadcast")]);
        let all = [everywhere.pid(), on_device.pid(), bound.pid()];
        tables.check(&came, "w0", &all);
        // A connected socket does not keep it from the others.
        let connected = format!("udp {local} broadcast to={remote}");
        bound = Helper::new(&[&connected]);
        let all = [everywhere.pid(), on_device.pid(), bound.pid()];
        tables.check(&came, "w0", &all);
    }
    // A route that is added later counts, too.
    ip("route add broadcast 10.99.0.8 dev w0 table local");
    let came = query(Protocol::Udp, "10.99.0.8:5008", "10.77.0.2:6000");
    tables.check(&came, "w0", &[everywhere.pid(), on_device.pid()]);
}

/// The same group on two links is two groups (RFC 4007).
#[test]
fn a_scope_distinguishes_groups_of_links() {
    if is_run_inside("groups::a_scope_distinguishes_groups_of_links") {
        return;
    }
    wires();
    let members = ["w0", "w1"].map(|device| {
        let index = index(device);
        let group = format!("udp [ff02::123%{index}]:5009 broadcast join=ff02::123@{index}");
        Helper::new(&[&group])
    });
    let [one, other] = members.each_ref().map(Helper::pid);
    let mut tables = Tables::new();
    let group = |scope: &str| {
        let local = format!("[ff02::123{scope}]:5009").parse().unwrap();
        SocketQuery::new(Protocol::Udp, local, None)
    };
    let came = |scope: &str| {
        query(
            Protocol::Udp,
            &format!("[ff02::123{scope}]:5009"),
            "[fe80::2]:1",
        )
    };
    let scopes = ["w0", "w1"].map(|device| format!("%{}", index(device)));
    for (scope, pid) in scopes.iter().zip([one, other]) {
        tables.check(&group(scope), "", &[pid]);
        tables.check(&came(scope), "", &[pid]);
        // A packet to the group of a link leaves on that link.
        let to = format!("[ff02::123{scope}]:5009");
        tables.check(&query(Protocol::Udp, "[fe80::1]:5009", &to), "", &[pid]);
    }
    tables.check(&group(""), "", &[one, other]);
    tables.check(&came(""), "w1", &[other]);
}

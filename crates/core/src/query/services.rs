//! Names of well-known services by protocol and port.
//!
//! The names are from IANA's Service Name and Transport Protocol Port Number Registry (RFC 6335),
//! limited to services on today's networks. If people know a service, or the usual user of a port,
//! by another name (`dns` for `domain`), this has that one, and IANA's name is an alias if it means
//! the same ([`ALIASES`]).

use flowner_flows::Protocol;

/// The name of the service at a responder's port, such as `https`.
///
/// A name is the purpose of the port, not the observed protocol.
///
/// ```
/// use flowner_core::flows::Protocol;
///
/// assert_eq!(flowner_core::service_name(Protocol::TCP, 443), Some("https"));
/// assert_eq!(flowner_core::service_name(Protocol::TCP, 49152), None);
/// ```
pub fn service_name(protocol: Protocol, port: u16) -> Option<&'static str> {
    let start = SERVICES.partition_point(|service| service.0 < port);
    SERVICES[start..]
        .iter()
        .take_while(|service| service.0 == port)
        .find(|service| service.1.includes(protocol))
        .map(|service| service.2)
}

/// The name that [`service_name`] gives, from a name or alias in any case.
pub(crate) fn canonical_name(name: &str) -> Option<&'static str> {
    let alias = ALIASES
        .iter()
        .find(|alias| alias.0.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |alias| alias.1);
    names().find(|known| known.eq_ignore_ascii_case(name))
}

/// Every name, by port; some repeat.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|service| service.2)
}

/// Protocols that a service uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Over {
    Tcp,
    Udp,
    Both,
}

use Over::{Both, Tcp, Udp};

impl Over {
    fn includes(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::TCP => self != Udp,
            Protocol::UDP => self != Tcp,
            _ => false,
        }
    }
}

/// Other names for services, for filters.
#[rustfmt::skip]
const ALIASES: &[(&str, &str)] = &[
    ("domain", "dns"), ("domain-s", "dns-tls"), ("dot", "dns-tls"), ("doq", "dns-tls"),
    ("www", "http"), ("bootps", "dhcp-server"), ("bootpc", "dhcp-client"),
    ("epmap", "msrpc"), ("microsoft-ds", "smb"), ("cifs", "smb"),
    ("ms-wbt-server", "rdp"), ("ms-sql-s", "mssql"), ("ms-sql-m", "mssql-browser"),
    ("rfb", "vnc"), ("isakmp", "ike"), ("ipsec-nat-t", "ike-nat-t"),
    ("imap2", "imap"), ("xmpp", "xmpp-client"), ("postgres", "postgresql"),
    ("stun-turn", "stun"), ("turn", "stun"), ("turns", "stuns"), ("secure-mqtt", "mqtts"),
    ("ws-discovery", "wsd"), ("afpovertcp", "afp"),
];

/// Sorted by port, then protocol.
#[rustfmt::skip]
const SERVICES: &[(u16, Over, &str)] = &[
    (7, Both, "echo"), (9, Both, "discard"), (13, Both, "daytime"), (17, Both, "qotd"),
    (19, Both, "chargen"), (20, Tcp, "ftp-data"), (21, Tcp, "ftp"), (22, Tcp, "ssh"),
    (23, Tcp, "telnet"), (25, Tcp, "smtp"), (37, Both, "time"), (43, Tcp, "whois"),
    (49, Tcp, "tacacs"), (53, Both, "dns"), (67, Udp, "dhcp-server"), (68, Udp, "dhcp-client"),
    (69, Udp, "tftp"), (70, Tcp, "gopher"), (79, Tcp, "finger"), (80, Both, "http"),
    (88, Both, "kerberos"), (102, Tcp, "iso-tsap"), (104, Tcp, "acr-nema"), (110, Tcp, "pop3"),
    (111, Both, "sunrpc"), (113, Tcp, "ident"), (119, Tcp, "nntp"), (123, Udp, "ntp"),
    (135, Both, "msrpc"), (137, Both, "netbios-ns"), (138, Both, "netbios-dgm"),
    (139, Tcp, "netbios-ssn"), (143, Tcp, "imap"), (161, Both, "snmp"), (162, Both, "snmptrap"),
    (177, Udp, "xdmcp"), (179, Tcp, "bgp"), (194, Tcp, "irc"), (319, Udp, "ptp-event"),
    (320, Udp, "ptp-general"), (389, Both, "ldap"), (427, Both, "svrloc"), (443, Both, "https"),
    (445, Tcp, "smb"), (464, Both, "kpasswd"), (465, Tcp, "submissions"), (500, Udp, "ike"),
    (502, Tcp, "modbus"), (512, Tcp, "exec"), (512, Udp, "biff"), (513, Tcp, "login"),
    (513, Udp, "who"), (514, Tcp, "shell"), (514, Udp, "syslog"), (515, Tcp, "printer"),
    (520, Udp, "rip"), (521, Udp, "ripng"), (546, Udp, "dhcpv6-client"),
    (547, Udp, "dhcpv6-server"), (548, Tcp, "afp"), (554, Both, "rtsp"), (563, Tcp, "nntps"),
    (587, Tcp, "submission"), (623, Udp, "asf-rmcp"), (631, Both, "ipp"), (636, Tcp, "ldaps"),
    (646, Both, "ldp"), (655, Both, "tinc"), (749, Tcp, "kerberos-adm"), (830, Tcp, "netconf-ssh"),
    (853, Both, "dns-tls"), (860, Tcp, "iscsi"), (873, Tcp, "rsync"), (989, Tcp, "ftps-data"),
    (990, Tcp, "ftps"), (992, Tcp, "telnets"), (993, Tcp, "imaps"), (995, Tcp, "pop3s"),
    (1080, Tcp, "socks"), (1099, Tcp, "rmiregistry"), (1194, Both, "openvpn"),
    (1352, Tcp, "lotusnote"), (1433, Tcp, "mssql"), (1434, Udp, "mssql-browser"),
    (1521, Tcp, "oracle"), (1645, Udp, "radius-old"), (1646, Udp, "radius-acct-old"),
    (1701, Udp, "l2tp"), (1719, Udp, "h323gatestat"), (1720, Tcp, "h323hostcall"),
    (1723, Tcp, "pptp"), (1812, Both, "radius"), (1813, Both, "radius-acct"), (1883, Tcp, "mqtt"),
    (1900, Udp, "ssdp"), (1985, Udp, "hsrp"), (2049, Both, "nfs"), (2181, Tcp, "zookeeper"),
    (2375, Tcp, "docker"), (2376, Tcp, "docker-s"), (2379, Tcp, "etcd-client"),
    (2380, Tcp, "etcd-server"), (2401, Tcp, "cvspserver"), (2404, Tcp, "iec-104"),
    (2628, Tcp, "dict"), (2947, Tcp, "gpsd"), (3050, Tcp, "firebird"), (3128, Tcp, "squid"),
    (3260, Tcp, "iscsi-target"), (3268, Tcp, "msft-gc"), (3269, Tcp, "msft-gc-ssl"),
    (3306, Tcp, "mysql"), (3389, Both, "rdp"), (3478, Both, "stun"), (3493, Tcp, "nut"),
    (3632, Tcp, "distcc"), (3689, Tcp, "daap"), (3690, Tcp, "svn"), (3702, Udp, "wsd"),
    (3784, Udp, "bfd-control"), (4190, Tcp, "sieve"), (4222, Tcp, "nats"), (4369, Tcp, "epmd"),
    (4460, Tcp, "ntske"), (4500, Udp, "ike-nat-t"), (4569, Udp, "iax"), (4789, Udp, "vxlan"),
    (5004, Udp, "rtp"), (5005, Udp, "rtcp"), (5060, Both, "sip"), (5061, Tcp, "sips"),
    (5222, Tcp, "xmpp-client"), (5223, Tcp, "xmpp-client-s"), (5228, Tcp, "google-push"),
    (5269, Tcp, "xmpp-server"), (5349, Both, "stuns"), (5351, Udp, "nat-pmp"), (5353, Udp, "mdns"),
    (5355, Both, "llmnr"), (5432, Tcp, "postgresql"), (5555, Tcp, "adb"), (5671, Tcp, "amqps"),
    (5672, Tcp, "amqp"), (5683, Both, "coap"), (5684, Both, "coaps"), (5900, Tcp, "vnc"),
    (5985, Tcp, "winrm"), (5986, Tcp, "winrm-s"), (6000, Tcp, "x11"), (6081, Udp, "geneve"),
    (6343, Udp, "sflow"), (6379, Tcp, "redis"), (6443, Tcp, "kubernetes"), (6514, Tcp, "syslog-tls"),
    (6653, Tcp, "openflow"), (6667, Tcp, "ircd"), (6697, Tcp, "ircs"), (6881, Both, "bittorrent"),
    (7680, Tcp, "windows-update"), (8009, Tcp, "ajp"), (8080, Tcp, "http-alt"),
    (8086, Tcp, "influxdb"), (8123, Tcp, "home-assistant"), (8291, Tcp, "winbox"),
    (8333, Tcp, "bitcoin"), (8443, Tcp, "https-alt"), (8883, Tcp, "mqtts"), (9000, Tcp, "cslistener"),
    (9042, Tcp, "cassandra"), (9090, Tcp, "prometheus"), (9092, Tcp, "kafka"),
    (9100, Tcp, "jetdirect"), (9200, Tcp, "elasticsearch"), (9300, Tcp, "elasticsearch-node"),
    (9418, Tcp, "git"), (10000, Tcp, "webmin"), (10050, Tcp, "zabbix-agent"),
    (10051, Tcp, "zabbix-trapper"), (10250, Tcp, "kubelet"), (11211, Both, "memcached"),
    (11371, Tcp, "hkp"), (22000, Both, "syncthing"), (27017, Tcp, "mongodb"),
    (27036, Both, "steam"), (41641, Udp, "tailscale"), (51820, Udp, "wireguard"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_unambiguous() {
        for pair in SERVICES.windows(2) {
            let [(port, over, _), (next_port, next_over, _)] = pair else {
                unreachable!("windows of two");
            };
            let is_split = (over, next_over) == (&Tcp, &Udp);
            assert!(
                port < next_port || (port == next_port && is_split),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn aliases_lead_to_names_and_hide_none() {
        for (alias, name) in ALIASES {
            assert!(names().any(|known| known == *name), "{name}");
            assert!(!names().any(|known| known == *alias), "{alias}");
        }
    }

    #[track_caller]
    fn check(protocol: Protocol, port: u16, expected: Option<&str>) {
        assert_eq!(service_name(protocol, port), expected);
    }

    #[test]
    fn services_are_found() {
        check(Protocol::TCP, 7, Some("echo"));
        check(Protocol::TCP, 443, Some("https"));
        check(Protocol::UDP, 443, Some("https"));
        check(Protocol::UDP, 53, Some("dns"));
        check(Protocol::TCP, 514, Some("shell"));
        check(Protocol::UDP, 514, Some("syslog"));
        check(Protocol::UDP, 22, None);
        check(Protocol(1), 7, None);
        check(Protocol::UDP, 51820, Some("wireguard"));
        check(Protocol::TCP, 0, None);
        check(Protocol::TCP, u16::MAX, None);
    }

    #[test]
    fn names_are_found_in_any_case_and_by_alias() {
        assert_eq!(canonical_name("HTTPS"), Some("https"));
        assert_eq!(canonical_name("Domain"), Some("dns"));
        assert_eq!(canonical_name("no-such"), None);
    }
}

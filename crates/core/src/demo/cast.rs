//! The actors of the made-up host and their conversations: plain data.

use std::net::IpAddr;

/// The host's addresses.
pub(super) const HOST_V4: &str = "192.168.1.20";
pub(super) const HOST_V6: &str = "2001:db8:5::20";
const LOOPBACK: &str = "127.0.0.1";

/// An owner of sockets, with its conversations.
pub(super) struct Actor {
    pub(super) owner: Owner,
    pub(super) talks: &'static [Talk],
}

/// The owner that the socket table reports for an actor's sockets.
pub(super) enum Owner {
    One(Who),
    /// Each conversation has a process of its own, with pids from here on.
    Each(Who),
    /// The workers of one server share one socket.
    Shared(Who, &'static [u32]),
    /// The socket table knows only the user.
    User(u32, &'static str),
    /// The socket table knows only the container.
    Container(&'static str),
    Gone,
    Denied,
    Kernel,
    /// flowner makes no lookup: neither end is on this host, or there are no sockets.
    Nobody,
}

/// A process.
pub(super) struct Who {
    pub(super) name: &'static str,
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) path: &'static str,
    pub(super) arguments: &'static [&'static str],
    pub(super) user: (u32, &'static str),
    pub(super) service: Option<&'static str>,
}

/// A kind of conversation.
pub(super) struct Talk {
    pub(super) kind: Kind,
    pub(super) protocol: u8,
    pub(super) local: &'static str,
    pub(super) remotes: &'static [&'static str],
    /// Their names, in the same order, where they have some.
    pub(super) names: &'static [&'static str],
    /// The responder's port.
    pub(super) port: u16,
    /// Seconds until the first conversation; negative if it began before the capture.
    pub(super) from: f32,
    /// Seconds from one beginning to the next, on average; 0 if there is only one conversation.
    pub(super) every: f32,
    /// Seconds that a conversation lasts, on average; 0 if it does not end.
    pub(super) lasts: f32,
    /// Seconds between two exchanges.
    pub(super) beat: f32,
    /// Bytes of payload sent and received in each exchange, at most.
    pub(super) sent: u32,
    pub(super) received: u32,
}

impl Talk {
    /// Whether the client says first, in TLS, which server it wants.
    pub(super) const fn says_server(&self) -> bool {
        matches!(self.kind, Kind::Outgoing)
            && self.protocol == TCP
            && self.port == 443
            && self.from >= 0.0
    }
}

/// The end that opens a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// This host.
    Outgoing,
    /// The other end.
    Incoming,
    /// The owner sends to a group; no host answers.
    Group,
}

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
/// The port of DNS.
pub(super) const DNS: u16 = 53;

const ADA: (u32, &str) = (1000, "ada");
const ROOT: (u32, &str) = (0, "root");

const fn who(name: &'static str, pid: u32, path: &'static str) -> Who {
    Who {
        name,
        pid,
        parent: 2_410,
        path,
        arguments: &[],
        user: ADA,
        service: None,
    }
}

const fn service(
    name: &'static str,
    pid: u32,
    path: &'static str,
    user: (u32, &'static str),
    unit: &'static str,
) -> Who {
    Who {
        parent: 1,
        user,
        service: Some(unit),
        ..who(name, pid, path)
    }
}

/// A connection to a web server.
const WEB: Talk = Talk {
    kind: Kind::Outgoing,
    protocol: TCP,
    local: HOST_V4,
    remotes: &[],
    names: &[],
    port: 443,
    from: 0.0,
    every: 0.0,
    lasts: 0.0,
    beat: 1.0,
    sent: 0,
    received: 0,
};

const CDN: &[&str] = &[
    "198.51.100.14",
    "198.51.100.37",
    "203.0.113.80",
    "203.0.113.129",
    "192.0.2.201",
];
const CDN_V6: &[&str] = &["2001:db8:80::a", "2001:db8:80::1:b", "2001:db8:43:7::9"];
const CDN_NAMES: &[&str] = &[
    "www.example.com",
    "images.cdn.example.com",
    "static.assets-eu-central-1.content.example.net",
    "news.example.org",
    "fonts.example.net",
];
const CDN_V6_NAMES: &[&str] = &["video.example.net", "video.example.net", "wiki.example.org"];

// One line for each kind of conversation.
#[rustfmt::skip]
pub(super) static CAST: &[Actor] = &[
    Actor {
        owner: Owner::One(Who {
            arguments: &["/usr/lib/firefox/firefox"],
            ..who("firefox", 3120, "/usr/lib/firefox/firefox")
        }),
        talks: &[
            Talk { remotes: CDN, names: CDN_NAMES, every: 3.4, lasts: 28.0, beat: 0.9, sent: 900, received: 38_000, ..WEB },
            Talk { remotes: CDN_V6, names: CDN_V6_NAMES, local: HOST_V6, every: 6.1, lasts: 40.0, beat: 1.1, sent: 700, received: 52_000, ..WEB },
            Talk { remotes: &["203.0.113.61"], names: &["video.example.net"], protocol: UDP, from: 45.0, every: 150.0, lasts: 95.0, beat: 0.25, sent: 160, received: 64_000, ..WEB },
        ],
    },
    Actor {
        owner: Owner::One(who("jitsi-meet", 4410, "/opt/jitsi-meet/jitsi-meet")),
        talks: &[
            Talk { remotes: &["203.0.113.17"], names: &["bridge.meet.example.org"], protocol: UDP, port: 10_000, from: 90.0, every: 900.0, lasts: 780.0, beat: 0.06, sent: 11_500, received: 16_500, ..WEB },
            Talk { remotes: &["203.0.113.18"], names: &["meet.example.org"], from: 88.0, every: 900.0, lasts: 800.0, beat: 4.0, sent: 900, received: 1_400, ..WEB },
        ],
    },
    Actor {
        owner: Owner::Each(Who {
            parent: 5101,
            user: (42, "_apt"),
            arguments: &["apt-get", "upgrade"],
            ..who("apt-get", 5120, "/usr/bin/apt-get")
        }),
        talks: &[Talk { remotes: &["192.0.2.10", "192.0.2.11"], names: &["packages.example.org", "packages.example.org"], from: 205.0, every: 260.0, lasts: 42.0, beat: 0.05, sent: 220, received: 61_000, ..WEB }],
    },
    Actor {
        owner: Owner::One(Who {
            parent: 1,
            arguments: &["restic", "backup", "/home/ada"],
            service: Some("backup.service"),
            ..who("restic", 5300, "/usr/bin/restic")
        }),
        talks: &[Talk { remotes: &["198.51.100.200", "198.51.100.201"], names: &["s3.backup.example.com", "s3.backup.example.com"], from: 330.0, every: 75.0, lasts: 62.0, beat: 0.08, sent: 58_000, received: 300, ..WEB }],
    },
    Actor {
        owner: Owner::One(who("thunderbird", 2944, "/usr/lib/thunderbird/thunderbird")),
        talks: &[
            Talk { remotes: &["192.0.2.25"], port: 993, from: -1.0, beat: 29.0, sent: 90, received: 2_400, ..WEB },
            Talk { remotes: &["192.0.2.25"], names: &["mail.example.org"], port: 465, from: 120.0, every: 190.0, lasts: 6.0, beat: 0.5, sent: 21_000, received: 160, ..WEB },
        ],
    },
    Actor {
        owner: Owner::One(who("signal-desktop", 3301, "/opt/Signal/signal-desktop")),
        talks: &[Talk { remotes: &["198.51.100.90"], from: -1.0, beat: 11.0, sent: 420, received: 900, ..WEB }],
    },
    Actor {
        owner: Owner::One(who("nheko", 3366, "/usr/bin/nheko")),
        talks: &[Talk { remotes: &["2001:db8:77::5"], local: HOST_V6, from: -1.0, beat: 7.0, sent: 700, received: 3_600, ..WEB }],
    },
    Actor {
        owner: Owner::One(Who {
            arguments: &["ssh", "build.example.org"],
            parent: 3980,
            ..who("ssh", 4021, "/usr/bin/ssh")
        }),
        talks: &[Talk { remotes: &["2001:db8:22::7"], local: HOST_V6, port: 22, from: -1.0, beat: 0.7, sent: 110, received: 800, ..WEB }],
    },
    Actor {
        owner: Owner::One(service("sshd", 812, "/usr/sbin/sshd", ROOT, "ssh.service")),
        talks: &[
            Talk { kind: Kind::Incoming, remotes: &["192.168.1.31"], port: 22, from: 12.0, every: 400.0, lasts: 280.0, beat: 1.6, sent: 2_600, received: 140, ..WEB },
            Talk { kind: Kind::Incoming, remotes: &["203.0.113.250", "198.51.100.6"], port: 22, from: 30.0, every: 48.0, lasts: 2.5, beat: 0.8, sent: 400, received: 320, ..WEB },
        ],
    },
    Actor {
        owner: Owner::Shared(
            service("nginx", 901, "/usr/sbin/nginx", (33, "www-data"), "nginx.service"),
            &[901, 902, 903],
        ),
        talks: &[Talk { kind: Kind::Incoming, remotes: &["192.168.1.31", "192.168.1.44", "203.0.113.40"], port: 8443, from: 3.0, every: 9.0, lasts: 5.0, beat: 0.6, sent: 14_000, received: 700, ..WEB }],
    },
    Actor {
        owner: Owner::One(service("systemd-resolved", 702, "/usr/lib/systemd/systemd-resolved", (997, "systemd-resolve"), "systemd-resolved.service")),
        talks: &[
            Talk { remotes: &["192.168.1.1"], protocol: UDP, port: 53, every: 1.7, lasts: 0.2, beat: 1.0, sent: 46, received: 140, ..WEB },
            Talk { remotes: &["192.0.2.53"], names: &["resolver.example.net"], port: 853, from: 20.0, every: 40.0, lasts: 18.0, beat: 2.0, sent: 140, received: 420, ..WEB },
        ],
    },
    Actor {
        owner: Owner::One(service("chronyd", 745, "/usr/sbin/chronyd", (110, "_chrony"), "chrony.service")),
        talks: &[Talk { remotes: &["192.0.2.123", "198.51.100.123"], names: &["0.time.example.org", "1.time.example.org"], protocol: UDP, port: 123, from: 8.0, every: 64.0, lasts: 0.3, beat: 1.0, sent: 48, received: 48, ..WEB }],
    },
    Actor {
        owner: Owner::One(who("syncthing", 2210, "/usr/bin/syncthing")),
        talks: &[
            Talk { remotes: &["192.168.1.44"], port: 22_000, from: -1.0, beat: 0.8, sent: 6_500, received: 5_200, ..WEB },
            Talk { kind: Kind::Group, remotes: &["192.168.1.255"], protocol: UDP, port: 21_027, from: 5.0, beat: 30.0, sent: 210, ..WEB },
        ],
    },
    Actor {
        owner: Owner::Each(Who {
            parent: 5540,
            arguments: &["git", "fetch", "origin"],
            ..who("git", 5544, "/usr/bin/git")
        }),
        talks: &[Talk { remotes: &["198.51.100.55"], names: &["git.example.com"], from: 60.0, every: 85.0, lasts: 4.0, beat: 0.3, sent: 1_500, received: 33_000, ..WEB }],
    },
    Actor {
        owner: Owner::Each(Who {
            parent: 3980,
            arguments: &["curl", "-sO", "https://downloads.example.org/data.json"],
            ..who("curl", 6300, "/usr/bin/curl")
        }),
        talks: &[Talk { remotes: &["203.0.113.99"], names: &["downloads.example.org"], from: 15.0, every: 31.0, lasts: 1.2, beat: 0.3, sent: 340, received: 18_000, ..WEB }],
    },
    Actor {
        owner: Owner::One(Who {
            parent: 3550,
            arguments: &["/usr/share/code/code", "--type=utility"],
            ..who("code", 3571, "/usr/share/code/code")
        }),
        talks: &[Talk { remotes: &["192.0.2.140", "192.0.2.141"], names: &["marketplace.example.com", "telemetry.example.com"], from: 22.0, every: 55.0, lasts: 20.0, beat: 2.0, sent: 3_200, received: 9_000, ..WEB }],
    },
    Actor {
        owner: Owner::One(Who {
            arguments: &["mpv", "https://radio.example.org/live"],
            parent: 3980,
            ..who("mpv", 3702, "/usr/bin/mpv")
        }),
        talks: &[Talk { remotes: &["203.0.113.111"], port: 8_000, from: -1.0, beat: 0.5, sent: 60, received: 12_400, ..WEB }],
    },
    Actor {
        owner: Owner::One(Who {
            parent: 5990,
            arguments: &["node", "server.js"],
            ..who("node", 6100, "/usr/bin/node")
        }),
        talks: &[Talk { local: LOOPBACK, remotes: &[LOOPBACK], port: 5_432, from: 2.0, every: 24.0, lasts: 60.0, beat: 0.9, sent: 900, received: 5_400, ..WEB }],
    },
    Actor {
        owner: Owner::One(service("postgres", 6010, "/usr/lib/postgresql/16/bin/postgres", (999, "postgres"), "postgresql.service")),
        // Its socket accepts the connections from node.
        talks: &[],
    },
    Actor {
        owner: Owner::One(service("avahi-daemon", 690, "/usr/sbin/avahi-daemon", (108, "avahi"), "avahi-daemon.service")),
        talks: &[Talk { kind: Kind::Group, remotes: &["224.0.0.251"], protocol: UDP, port: 5_353, from: 1.0, beat: 14.0, sent: 170, ..WEB }],
    },
    Actor {
        owner: Owner::One(who("kdeconnectd", 2603, "/usr/lib/kdeconnectd")),
        talks: &[Talk { kind: Kind::Incoming, remotes: &["192.168.1.52"], port: 1_716, from: 33.0, every: 180.0, lasts: 120.0, beat: 5.0, sent: 600, received: 2_100, ..WEB }],
    },
    Actor {
        owner: Owner::One(service("tailscaled", 880, "/usr/sbin/tailscaled", ROOT, "tailscaled.service")),
        talks: &[Talk { remotes: &["203.0.113.7"], protocol: UDP, port: 41_641, from: -1.0, beat: 1.0, sent: 1_700, received: 1_900, ..WEB }],
    },
    Actor {
        owner: Owner::One(service("packagekitd", 1180, "/usr/libexec/packagekitd", ROOT, "packagekit.service")),
        talks: &[Talk { remotes: &["192.0.2.10"], names: &["packages.example.org"], from: 140.0, every: 240.0, lasts: 7.0, beat: 0.4, sent: 300, received: 27_000, ..WEB }],
    },
    Actor {
        owner: Owner::User(1001, "grace"),
        talks: &[Talk { remotes: &["198.51.100.77", "2001:db8:80::a"], names: &["shop.example.com", "chat.example.com"], from: 40.0, every: 22.0, lasts: 30.0, beat: 1.4, sent: 800, received: 11_000, ..WEB }],
    },
    Actor {
        owner: Owner::Container("ci-runner"),
        talks: &[Talk { remotes: &["192.0.2.77"], names: &["registry.example.net"], from: 70.0, every: 60.0, lasts: 25.0, beat: 0.6, sent: 1_200, received: 7_000, ..WEB }],
    },
    Actor {
        owner: Owner::Kernel,
        talks: &[Talk { remotes: &["192.168.1.5"], port: 2_049, from: -1.0, beat: 3.1, sent: 5_600, received: 9_200, ..WEB }],
    },
    Actor {
        owner: Owner::Gone,
        talks: &[Talk { remotes: &["203.0.113.200", "198.51.100.31"], from: 18.0, every: 27.0, lasts: 0.3, beat: 0.2, sent: 420, received: 2_600, ..WEB }],
    },
    Actor {
        owner: Owner::Denied,
        talks: &[Talk { remotes: &["198.51.100.130"], from: 55.0, every: 95.0, lasts: 9.0, beat: 1.0, sent: 500, received: 3_000, ..WEB }],
    },
    Actor {
        owner: Owner::Nobody,
        talks: &[
            // A virtual machine, routed through this host.
            Talk { local: "192.168.122.10", remotes: &["192.0.2.44"], from: 25.0, every: 50.0, lasts: 35.0, beat: 0.8, sent: 600, received: 15_000, ..WEB },
            Talk { remotes: &["192.168.1.1"], protocol: ICMP, port: 0, from: 4.0, beat: 10.0, sent: 56, received: 56, ..WEB },
        ],
    },
];

/// The actor that owns the port of a service on this host, if that is not the actor of the
/// conversation.
pub(super) fn server(port: u16) -> Option<&'static Actor> {
    let holds = |actor: &&Actor| match &actor.owner {
        Owner::One(who) => who.name == "postgres" && port == 5_432,
        _ => false,
    };
    CAST.iter().find(holds)
}

/// What the resolver of the host is asked for, each name with an address.
pub(super) fn lookups() -> impl Iterator<Item = (&'static str, IpAddr)> {
    let asked = talks().filter(|talk| talk.kind == Kind::Outgoing);
    asked.flat_map(|talk| {
        let addresses = talk.remotes.iter().filter_map(|remote| remote.parse().ok());
        talk.names.iter().copied().zip(addresses)
    })
}

/// All conversations of all actors, in one list.
pub(super) fn talks() -> impl Iterator<Item = &'static Talk> {
    CAST.iter().flat_map(|actor| actor.talks)
}

//! Whether this host translates the addresses of a packet: what conntrack knows of it.
//!
//! A socket that is bound to a port gets nothing that is translated to another host, or that
//! another host sends behind an address of ours: only conntrack tells those packets from the
//! socket's own (`nfnetlink_conntrack.h`, `nf_conntrack-sysctl.rst`).

mod message;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use message::{Connection, NEW, Tuple, request};
#[cfg(feature = "fuzzing")]
pub(super) use message::{answers, listed};

use super::frame::Malformed;
use super::netlink::{Answer, Location, Netlink, Part};
use crate::query::unscoped;
use crate::{Protocol, SocketQuery};

/// How many connections there are in this network namespace: none where nothing is tracked.
const COUNT: &str = "sys/net/netfilter/nf_conntrack_count";
/// The list, where the kernel has it (`CONFIG_NF_CONNTRACK_PROCFS`).
const LIST: &str = "net/nf_conntrack";

/// What is known of the packets between two ends, of which one is an address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Translation {
    /// Nothing is tracked on this host, or these packets are not translated.
    None,
    /// They are translated, and another end stands behind ours.
    Behind,
    /// Conntrack has not seen them, or does not look at them.
    NotSeen,
    /// There is translation here, and this may not be asked.
    NotTold,
}

/// Asks conntrack of this network namespace.
#[derive(Debug)]
pub(super) struct Conntrack {
    /// Where the process file system is.
    proc: PathBuf,
    count: Option<File>,
    /// Opened when it is needed first, as it loads a module of the kernel.
    netlink: Option<Netlink>,
    /// Whether it was refused.
    is_denied: bool,
}

impl Conntrack {
    /// With the process file system at a path.
    pub(super) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            count: None,
            netlink: None,
            is_denied: false,
        }
    }

    /// A second one, for another thread.
    pub(super) fn another(&self) -> Self {
        Self::new(&self.proc)
    }

    /// What is known of the packets that a question is about, if it has two ends.
    pub(super) fn translation(&mut self, query: &SocketQuery) -> Translation {
        let Some(remote) = query.remote() else {
            return Translation::None;
        };
        let local = query.local();
        let is_within = local.ip().is_loopback() && remote.ip().is_loopback();
        let same_family = local.is_ipv4() == remote.is_ipv4();
        let has_ports = query.protocol() != Protocol::Raw;
        if is_within || !same_family || !has_ports || !self.may_translate() {
            return Translation::None;
        }
        let (local, remote) = (unscoped(local), unscoped(remote));
        match self.connection(query.protocol(), local, remote) {
            Ok(Some(connection)) if connection.keeps(local, remote) => Translation::None,
            Ok(Some(_)) => Translation::Behind,
            Ok(None) => Translation::NotSeen,
            Err(error) => {
                tracing::debug!(%error, "conntrack could not be asked");
                Translation::NotTold
            }
        }
    }

    /// Whether conntrack knows any connection.
    fn may_translate(&mut self) -> bool {
        // There when its module is loaded.
        if self.count.is_none() {
            self.count = File::open(self.proc.join(COUNT)).ok();
        }
        self.count.as_ref().is_some_and(|file| {
            let mut first = [b'0'];
            let read = file.read_at(&mut first, 0);
            // What cannot be read may be anything.
            read.is_err() || first != [b'0']
        })
    }

    /// The connection to which packets between these ends belong, in either direction.
    fn connection(
        &mut self,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<Connection>> {
        for (from, to) in [(local, remote), (remote, local)] {
            let tuple = Tuple { protocol, from, to };
            if let Some(found) = self.find(&tuple)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find(&mut self, tuple: &Tuple) -> io::Result<Option<Connection>> {
        if !self.is_denied {
            match self.ask(tuple) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.is_denied = true;
                }
                found => return found,
            }
        }
        let list = std::fs::read(self.proc.join(LIST))?;
        Ok(message::listed(&list).find(|connection| connection.has(tuple)))
    }

    fn ask(&mut self, tuple: &Tuple) -> io::Result<Option<Connection>> {
        if self.netlink.is_none() {
            let netfilter = rustix::net::netlink::NETFILTER;
            self.netlink = Some(Netlink::open(Some(netfilter), 0, Location::Own)?);
        }
        let Some(netlink) = &mut self.netlink else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut found = None;
        let asked = netlink.ask(
            Answer::One,
            |sequence| request(tuple, sequence),
            |part| {
                found = match part {
                    Part::Begin => None,
                    Part::Message(NEW, body) => message::connection(body)?,
                    Part::Message(..) => return Err(Malformed),
                };
                Ok(())
            },
        );
        match asked {
            Ok(()) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

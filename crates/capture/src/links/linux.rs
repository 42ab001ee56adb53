//! Linux: the group of rtnetlink(7) for devices, and the list of devices.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::Link;
use crate::netlink::{Malformed, Netlink, Notices, attributes, u32_at, whole_list};

/// `RTMGRP_LINK`.
const CHANGES: u32 = 1;
/// `RTM_NEWLINK`, `RTM_GETLINK`.
const NEW: u16 = 16;
const GET: u16 = 18;
/// `struct ifinfomsg`.
const BODY_LEN: usize = 16;
/// `IFLA_IFNAME`, `IFLA_LINK`, `IFLA_MASTER`, `IFLA_LINKINFO` with `IFLA_INFO_KIND` in it,
/// `IFLA_LINK_NETNSID` of `linux/if_link.h`.
const NAME: u16 = 3;
const LINK: u16 = 5;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const INFO_KIND: u16 = 1;
const LINK_NAMESPACE: u16 = 37;

#[derive(Debug)]
pub(super) struct Links {
    changes: Notices,
    netlink: Netlink,
    waker: Waker,
}

#[derive(Debug, Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Links {
    pub(super) fn watch() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            changes: Notices::open(CHANGES)?,
            netlink: Netlink::open(None)?,
            waker: Waker(Arc::new(eventfd(0, flags)?)),
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        whole_list(|links| {
            self.netlink.list(GET, &[0; BODY_LEN], |kind, body| {
                if kind == NEW {
                    links.push(link(body).ok_or(Malformed)?);
                }
                Ok(())
            })
        })
    }

    pub(super) fn wait(&mut self) -> bool {
        loop {
            let (changes, waker) = (self.changes.as_fd(), self.waker.0.as_fd());
            let of = |descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN);
            let mut all = [of(changes), of(waker)];
            // A signal ends the wait early; these arguments allow no other error.
            if poll(&mut all, None).is_err() {
                continue;
            }
            let [has_changed, is_stopped] = all.map(|it| !it.revents().is_empty());
            if is_stopped {
                return false;
            }
            if has_changed {
                self.changes.drain(|_| {});
                return true;
            }
        }
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl Waker {
    pub(super) fn ring(&self) {
        // This fails only after 2⁶⁴ calls, when the descriptor is readable already.
        let _rung = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

fn link(body: &[u8]) -> Option<Link> {
    let mut link = Link::new(u32_at(body, 4)?, "");
    for (attribute, value) in attributes(body.get(BODY_LEN..)?) {
        match attribute {
            NAME => link.name = text(value),
            LINK => link.link = u32_at(value, 0),
            MASTER => link.master = u32_at(value, 0).filter(|index| *index != 0),
            LINK_NAMESPACE => link.namespace = u32_at(value, 0).map(u32::cast_signed),
            LINK_INFO => {
                let mut kinds = attributes(value).filter(|(inner, _)| *inner == INFO_KIND);
                link.kind = kinds.next().map(|(_, kind)| text(kind));
            }
            _ => {}
        }
    }
    Some(link)
}

/// A text that ends with NUL.
fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned()
}

/// Parses any bytes as the kernel's description of a device.
///
/// # Panics
///
/// If the parser finds a device that the bytes do not contain.
#[cfg(feature = "fuzzing")]
pub fn fuzzing(bytes: &[u8]) {
    let Some(found) = link(bytes) else {
        return;
    };
    let has = |value: &[u8]| bytes.windows(value.len()).any(|window| window == value);
    assert!(has(&found.index.to_ne_bytes()));
    for index in [found.master, found.link].into_iter().flatten() {
        assert!(has(&index.to_ne_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use flowner_testing::namespace::{ip, is_run_inside};
    use proptest::prelude::*;

    use super::*;

    fn named<'a>(links: &'a [Link], name: &str) -> &'a Link {
        let mut links = links.iter();
        links.find(|link| link.name == name).unwrap()
    }

    #[test]
    fn the_loopback_device_is_listed() {
        let links = Links::watch().unwrap().list().unwrap();
        let loopback = named(&links, "lo");
        assert_eq!(Some(loopback.index), crate::system::index("lo"));
        assert_eq!((loopback.master, loopback.link), (None, None));
    }

    /// Runs in its own network namespace.
    #[test]
    fn stacked_devices_are_listed() {
        if is_run_inside(std::thread::current().name().unwrap()) {
            return;
        }
        let mut links = Links::watch().unwrap();
        ip("link add bridge0 type bridge");
        assert!(links.wait());
        ip("link add veth0 type veth peer name veth1");
        ip("link set veth0 master bridge0");
        let all = links.list().unwrap();
        let [bridge, one, other] = ["bridge0", "veth0", "veth1"].map(|name| named(&all, name));
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        assert_eq!(one.kind.as_deref(), Some("veth"));
        assert_eq!(
            (one.master, one.link),
            (Some(bridge.index), Some(other.index))
        );
        assert_eq!((other.master, other.link), (None, Some(one.index)));
        assert_eq!((one.namespace, other.namespace), (None, None));
        // The other end is in another network namespace: that of a separate process.
        let mut child = std::process::Command::new("unshare")
            .args(["-n", "sleep", "60"])
            .spawn()
            .unwrap();
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let pid = child.id().to_string();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while of(&pid) == of("self") {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        ip(&format!("link set veth1 netns {pid}"));
        let all = links.list().unwrap();
        assert!(named(&all, "veth0").namespace.is_some_and(|it| it >= 0));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_wait_is_ended() {
        let mut links = Links::watch().unwrap();
        let waker = links.waker();
        waker.ring();
        assert!(!links.wait());
        assert!(!links.wait());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = link(&bytes);
        }
    }
}

//! Linux: capabilities(7), and counters in sysfs.

use std::env;
use std::fs;
use std::path::Path;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::shell_word;

/// From the modules of libpcap: `pcap-bt-linux.c`, `pcap-dbus.c`, `pcap-netfilter-linux.c`,
/// `pcap-usb-linux.c`.
pub(crate) const NO_NETWORKS: &[&str] = &["bluetooth", "dbus-", "nflog", "nfqueue", "usbmon"];

/// Devices whose packets the kernel cuts to the snap length, so that their length is unknown
/// (`nfnetlink_log`, `nfnetlink_queue`).
pub(crate) const CUTS_SILENTLY: &[&str] = &["nflog", "nfqueue"];

/// See `pcap_platform_finddevs`.
pub(crate) const PSEUDO_DEVICES: &[&str] = &["any"];

/// Its packets have the index of their device, in the header of cooked captures.
pub(crate) const ALL: Option<&str> = Some("any");

/// `AF_INET6`, by which a filter knows IPv6 on BSD loopback.
pub(crate) const AF_INET6: u8 = 10;

/// The group whose members may run a program that may capture, rather than every user of the host.
const GROUP: &str = "flowner";

pub(crate) fn permission_remedy() -> String {
    let program = env::current_exe().unwrap_or_else(|_| "PROGRAM".into());
    let program = shell_word(&program.display().to_string());
    // A change of owner or mode removes capabilities, so these come last. Before they are set, no
    // user outside of the group may run the file any more.
    format!(
        "run it with sudo; or allow only the members of a group to capture: `sudo groupadd \
         --system --force {GROUP} && sudo chown root:{GROUP} {program} && sudo chmod 750 {program} \
         && sudo setcap cap_net_raw,cap_net_admin=ep {program}`"
    )
}

/// `rx_bytes` and `tx_bytes` of Documentation/ABI/testing/sysfs-class-net-statistics in
/// the kernel.
pub(crate) fn traffic(device: &str) -> Option<u64> {
    let statistics = Path::new("/sys/class/net").join(device).join("statistics");
    let read = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(statistics.join(name)).ok()?;
        text.trim().parse().ok()
    };
    Some(read("rx_bytes")?.saturating_add(read("tx_bytes")?))
}

/// `SIOCGIFINDEX` of netdevice(7).
pub(crate) fn index(device: &str) -> Option<u32> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?;
    rustix::net::netdevice::name_to_index(&socket, device).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_a_command_that_can_be_pasted() {
        let program = env::current_exe().unwrap().display().to_string();
        let remedy = permission_remedy();
        assert!(remedy.contains(&format!("=ep {program}`")));
        // No other user may run it before it has them.
        let narrowed = remedy.find("chmod 750").unwrap();
        assert!(remedy.find("chown root:").unwrap() < narrowed);
        assert!(narrowed < remedy.find("setcap").unwrap());
    }

    #[test]
    fn the_loopback_device_has_counters() {
        assert!(traffic("lo").is_some());
        assert_eq!(traffic("no-such-device"), None);
    }
}

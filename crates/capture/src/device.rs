//! The network devices of this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::error::Error;
use crate::message::message;
use crate::system;

/// A network device from which this host can capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name in the operating system, for [`LiveOptions::device`](crate::LiveOptions): `eth0`,
    /// `en0`, on Windows `\Device\NPF_{…}`.
    pub name: String,
    /// Its name for people, if the operating system has one. On Windows it is the only readable
    /// name.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Whether it is connected.
    pub link: LinkStatus,
    flags: pcap::IfFlags,
}

/// An address of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// The address itself.
    pub ip: IpAddr,
    /// The bits that identify the network.
    pub netmask: Option<IpAddr>,
    /// The broadcast address of its network; IPv4 only.
    pub broadcast: Option<IpAddr>,
}

/// Whether a device is connected; for a wireless one, to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkStatus {
    /// The operating system does not report it.
    Unknown,
    /// The device is connected.
    Connected,
    /// The device is not connected.
    Disconnected,
    /// The device connects to nothing: a loopback device.
    NotApplicable,
}

impl Device {
    /// Whether it is switched on.
    pub fn is_up(&self) -> bool {
        self.flags.contains(pcap::IfFlags::UP)
    }

    /// Whether it is switched on and ready for packets.
    pub fn is_running(&self) -> bool {
        self.flags.contains(pcap::IfFlags::RUNNING)
    }

    /// Whether it carries this host's packets to itself.
    pub fn is_loopback(&self) -> bool {
        self.flags.contains(pcap::IfFlags::LOOPBACK)
    }

    /// Whether it is a radio.
    pub fn is_wireless(&self) -> bool {
        self.flags.contains(pcap::IfFlags::WIRELESS)
    }

    /// The bytes that it has carried since it came up, both ways, independent of any capture;
    /// `None` if the system does not report them (Linux only).
    pub fn carried(&self) -> Option<u64> {
        system::traffic(&self.name)
    }

    /// The kernel's index of the device, as in [`RawPacket::device`]; `None` if it has none, like
    /// `any` (Linux only).
    ///
    /// [`RawPacket::device`]: crate::RawPacket::device
    pub fn index(&self) -> Option<u32> {
        system::index(&self.name)
    }

    /// Whether it stands for other devices, like `any` of Linux.
    pub fn is_pseudo(&self) -> bool {
        self.is_named_as(system::PSEUDO_DEVICES)
    }

    fn is_network(&self) -> bool {
        is_of_a_network(&self.name)
    }

    fn is_named_as(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.name.starts_with(prefix))
    }

    fn owns(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
    }
}

/// Whether a device with this name is a network device.
pub(crate) fn is_of_a_network(name: &str) -> bool {
    !system::NO_NETWORKS
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The devices of this host, in libpcap's order: likely ones first.
///
/// Leaves out devices without flows that libpcap lists: USB, Bluetooth, D-Bus, logs of packet
/// filters.
///
/// Needs no privilege on Linux and the BSDs.
///
/// # Errors
///
/// [`Error::Devices`] if the operating system fails to list them.
pub fn devices() -> Result<Vec<Device>, Error> {
    let devices = pcap::Device::list().map_err(|error| Error::Devices {
        message: message(error),
    })?;
    let devices = devices.into_iter().map(Device::from);
    Ok(devices.filter(Device::is_network).collect())
}

/// Whether all these devices exist.
///
/// # Errors
///
/// [`Error::NoSuchDevice`] for the first that does not.
pub(crate) fn check(names: &[String]) -> Result<(), Error> {
    let known = devices()?;
    let is_known = |name: &String| known.iter().any(|device| device.name == *name);
    match names.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(Error::NoSuchDevice {
            device: name.clone(),
            available: known.iter().map(|device| device.name.clone()).collect(),
        }),
    }
}

/// Whether the packets of [`Source::all`](crate::Source::all) have the same link type on every
/// device, so that one file can contain all of them: on Linux.
pub const fn all_begin_alike() -> bool {
    system::ALL.is_some()
}

/// The device that a user without a choice most likely wants:
///
/// the one with the default route; else, of the devices that are up, the one that has carried the
/// most bytes (Linux) or that libpcap lists first; else the loopback device. Never a device that
/// stands for all others, like `any` of Linux.
pub fn default_device(devices: &[Device]) -> Option<&Device> {
    choose(devices, &default_route_addresses(), system::traffic)
}

fn choose<'a>(
    devices: &'a [Device],
    routed: &[IpAddr],
    traffic: impl Fn(&str) -> Option<u64>,
) -> Option<&'a Device> {
    let real = || devices.iter().filter(|device| !device.is_pseudo());
    let with_route = || real().find(|device| routed.iter().any(|ip| device.owns(*ip)));
    let busiest = || {
        let up = real().filter(|device| device.is_up() && !device.is_loopback());
        // `max` returns the last of equal elements, but the first is wanted.
        up.rev()
            .max_by_key(|device| (device.is_running(), traffic(&device.name)))
    };
    let loopback = || real().find(|device| device.is_loopback());
    with_route().or_else(busiest).or_else(loopback)
}

/// The local addresses from which the kernel would send to the internet.
///
/// Connecting a datagram socket consults the routing table and sends nothing. The destinations are
/// reserved for documentation (RFC 5737, RFC 3849).
fn default_route_addresses() -> Vec<IpAddr> {
    let v4 = (
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::new(192, 0, 2, 1).into(),
    );
    let v6 = (
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    );
    [v4, v6]
        .into_iter()
        .filter_map(|(from, to)| route_source(from, to))
        .collect()
}

fn route_source(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
    socket.connect(SocketAddr::new(to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

impl From<pcap::Device> for Device {
    fn from(device: pcap::Device) -> Self {
        Self {
            name: device.name,
            description: device.desc,
            addresses: device.addresses.into_iter().map(Address::from).collect(),
            link: device.flags.connection_status.into(),
            flags: device.flags.if_flags,
        }
    }
}

impl From<pcap::Address> for Address {
    fn from(address: pcap::Address) -> Self {
        Self {
            ip: address.addr,
            netmask: address.netmask,
            broadcast: address.broadcast_addr,
        }
    }
}

impl From<pcap::ConnectionStatus> for LinkStatus {
    fn from(status: pcap::ConnectionStatus) -> Self {
        match status {
            pcap::ConnectionStatus::Unknown => Self::Unknown,
            pcap::ConnectionStatus::Connected => Self::Connected,
            pcap::ConnectionStatus::Disconnected => Self::Disconnected,
            pcap::ConnectionStatus::NotApplicable => Self::NotApplicable,
        }
    }
}

#[cfg(test)]
mod tests {
    use pcap::IfFlags;

    use super::*;

    fn device(name: &str, ip: Option<[u8; 4]>, flags: IfFlags) -> Device {
        let address = |ip| Address {
            ip: IpAddr::from(ip),
            netmask: None,
            broadcast: None,
        };
        Device {
            name: name.to_owned(),
            description: None,
            addresses: ip.into_iter().map(address).collect(),
            link: LinkStatus::Unknown,
            flags,
        }
    }

    #[test]
    fn default_is_the_route_then_the_busiest_then_the_first_then_loopback() {
        let up = IfFlags::UP | IfFlags::RUNNING;
        let lo = || device("lo", Some([127, 0, 0, 1]), up | IfFlags::LOOPBACK);
        let a = || device("a", Some([10, 0, 0, 1]), up);
        let b = || device("b", Some([10, 0, 0, 2]), up);
        let idle = || device("idle", None, IfFlags::UP);
        let down = || device("down", None, IfFlags::empty());
        let check = |devices: &[Device], routed: &[[u8; 4]], expected: Option<&str>| {
            let routed: Vec<_> = routed.iter().map(|ip| IpAddr::from(*ip)).collect();
            let busiest_b = |name: &str| (name == "b").then_some(1_000);
            let chosen = choose(devices, &routed, busiest_b);
            assert_eq!(chosen.map(|device| device.name.as_str()), expected);
        };
        check(&[lo(), a(), b()], &[[10, 0, 0, 1]], Some("a"));
        check(&[lo(), a(), b()], &[[192, 168, 0, 1]], Some("b"));
        check(&[lo(), a(), b()], &[], Some("b"));
        check(&[lo(), a(), a()], &[], Some("a"));
        check(&[lo(), idle(), a()], &[], Some("a"));
        check(&[down(), lo()], &[], Some("lo"));
        check(&[down()], &[], None);
        check(&[], &[], None);
    }

    #[test]
    fn first_of_equals_is_chosen() {
        let devices = ["a", "b"].map(|name| device(name, None, IfFlags::UP));
        let chosen = choose(&devices, &[], |_| None).unwrap();
        assert_eq!(chosen.name, "a");
    }

    #[test]
    fn names_identify_devices_that_are_no_networks() {
        for prefix in system::NO_NETWORKS {
            let name = format!("{prefix}0");
            assert!(!device(&name, None, IfFlags::UP).is_network(), "{name}");
        }
        for name in ["any", "eth0", "en0", "bnep0", "lo"] {
            assert!(device(name, None, IfFlags::UP).is_network(), "{name}");
        }
    }

    #[test]
    fn this_host_has_devices_and_a_default_one() {
        let devices = devices().unwrap();
        assert!(devices.iter().all(|device| !device.name.is_empty()));
        let chosen = default_device(&devices).unwrap();
        assert!(!chosen.is_pseudo());
    }

    #[test]
    #[cfg(unix)]
    fn the_loopback_device_has_the_loopback_address() {
        let devices = devices().unwrap();
        let loopback = devices.iter().find(|device| device.is_loopback()).unwrap();
        assert!(loopback.owns(Ipv4Addr::LOCALHOST.into()));
        assert!(loopback.is_up() && !loopback.is_wireless());
    }
}

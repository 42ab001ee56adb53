//! Network prefixes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address or a prefix: an [`IpNet`] with zero host bits, in which an IPv4 address in IPv6 form
/// is an IPv4 address, as everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// The network of `address`; `None` if the prefix is too long for it.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let (address, prefix) = match address {
            IpAddr::V6(v6) if prefix >= 96 => match v6.to_ipv4_mapped() {
                Some(v4) => (v4.into(), prefix - 96),
                None => (address, prefix),
            },
            _ => (address, prefix),
        };
        Some(Self(IpNet::new(address, prefix).ok()?.trunc()))
    }

    /// Its first address.
    pub fn address(self) -> IpAddr {
        self.0.network()
    }

    /// The length of the prefix.
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether this is one of its addresses.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl From<IpAddr> for Network {
    /// A single address.
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            format!(
                "`{text}` is not a valid address; expected one like 10.0.0.1, fe80::1 or 10.0.0.0/8"
            )
        })?;
        let max = if address.is_ipv4() { 32 } else { 128 };
        prefix
            .map_or(Some(max), |prefix| prefix.parse().ok())
            .and_then(|prefix| Self::new(address, prefix))
            .ok_or_else(|| format!("the prefix of `{text}` must be a number up to {max}"))
    }
}

impl fmt::Display for Network {
    /// The single address, or the first one with the prefix length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

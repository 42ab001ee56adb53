//! Addresses with the same beginning.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An address, or all with the same beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Bits behind the prefix are zero.
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of `address`; `None` if no address has so many bits.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix.into())?);
                let address = Ipv4Addr::from_bits(v4.to_bits() & mask.unwrap_or(0)).into();
                Some(Self { address, prefix })
            }
            // As everywhere, an IPv4 address in IPv6 form is an IPv4 address.
            IpAddr::V6(v6) if prefix >= 96 && v6.to_ipv4_mapped().is_some() => {
                Self::new(v6.to_ipv4_mapped()?.into(), prefix - 96)
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix.into())?);
                let address = Ipv6Addr::from_bits(v6.to_bits() & mask.unwrap_or(0)).into();
                Some(Self { address, prefix })
            }
        }
    }

    /// Its first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits all of its addresses have in common.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether this is one of its addresses.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Self::new(address, self.prefix) == Some(self)
    }
}

impl From<IpAddr> for Network {
    /// The one address alone.
    fn from(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, prefix).unwrap_or(Self { address, prefix })
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        match (self.address, self.prefix) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => Ok(()),
            (_, prefix) => write!(f, "/{prefix}"),
        }
    }
}

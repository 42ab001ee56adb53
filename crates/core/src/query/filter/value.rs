//! What stands behind a key, and how it is written.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::model::prefix::Network;

/// Text that is searched in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    lower: String,
}

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self {
            lower: text.to_lowercase(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.lower
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.lower.eq_ignore_ascii_case(text) || self.lower == text.to_lowercase()
    }

    /// Whether an address with a port can contain it.
    pub(super) fn is_part_of_address(&self) -> bool {
        let mut bytes = self.lower.bytes();
        bytes.all(|byte| byte.is_ascii_hexdigit() || b".:[]".contains(&byte))
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        if text.is_ascii() {
            let needle = self.lower.as_bytes();
            let mut windows = text.as_bytes().windows(needle.len().max(1));
            needle.is_empty() || windows.any(|window| window.eq_ignore_ascii_case(needle))
        } else {
            text.to_lowercase().contains(&self.lower)
        }
    }
}

/// One port or a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl Ports {
    /// Port 0 stands for "no ports", as in ICMP, and is in no range.
    pub(super) const fn contains(self, port: u16) -> bool {
        port != 0 && self.first <= port && port <= self.last
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |part: &str| {
            part.parse().map_err(|_| {
                format!(
                    "`{part}` is not a valid port; expected a number up to 65535, or a range like 8000-9000"
                )
            })
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!(
                "the range `{text}` is empty; did you mean {last}-{first}?"
            ));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => first.fmt(f),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// Addresses, ports, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Network(Network),
    Ports(Ports),
    Both(Network, Ports),
}

impl Endpoint {
    pub(super) fn contains(self, address: SocketAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(address.ip()),
            Self::Ports(ports) => ports.contains(address.port()),
            Self::Both(network, ports) => {
                network.contains(address.ip()) && ports.contains(address.port())
            }
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let Some((network, rest)) = bracketed.split_once(']') else {
                return Err(format!("`{text}` has a `[` without `]`"));
            };
            return match rest.strip_prefix(':') {
                Some(ports) => Ok(Self::Both(network.parse()?, ports.parse()?)),
                None if rest.is_empty() => Ok(Self::Network(network.parse()?)),
                None => Err(format!(
                    "`{rest}` stands behind the `]`; expected `:` and a port"
                )),
            };
        }
        match text.split_once(':') {
            Some(("", ports)) if !ports.starts_with(':') => Ok(Self::Ports(ports.parse()?)),
            // More than one colon is IPv6, which takes a port in brackets only.
            Some((network, ports)) if !ports.contains(':') => {
                Ok(Self::Both(network.parse()?, ports.parse()?))
            }
            _ => Ok(Self::Network(text.parse()?)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Ports(ports) => write!(f, ":{ports}"),
            Self::Both(network, ports) if network.address().is_ipv6() => {
                write!(f, "[{network}]:{ports}")
            }
            Self::Both(network, ports) => write!(f, "{network}:{ports}"),
        }
    }
}

/// Reads a whole number with a unit: `10`, `10k`, `1Mi`, `1GB`.
///
/// # Errors
/// What is wrong with the text, as a sentence.
pub fn amount(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let factor = match unit.strip_suffix('b').unwrap_or(&unit) {
        "" => Some(1),
        "k" => Some(1_000),
        "m" => Some(1_000_000),
        "g" => Some(1_000_000_000),
        "t" => Some(1_000_000_000_000),
        "ki" => Some(1 << 10),
        "mi" => Some(1 << 20),
        "gi" => Some(1 << 30),
        "ti" => Some(1_u64 << 40),
        _ => None,
    };
    let (Some(factor), false) = (factor, number.is_empty()) else {
        return Err(format!(
            "`{text}` is not a valid amount; expected a whole number, such as 1500, 10k, 1M or 1Mi"
        ));
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is more than can be counted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = String> + fmt::Display>(text: &str, expected: &str) {
        let parsed: Result<T, _> = text.parse();
        let shown = parsed.map_or_else(|error| error, |value| value.to_string());
        assert!(shown.starts_with(expected), "{text}: {shown}");
    }

    #[test]
    fn networks() {
        check::<Network>("10.0.0.1", "10.0.0.1");
        check::<Network>("10.1.2.3/8", "10.0.0.0/8");
        check::<Network>("10.1.2.3/32", "10.1.2.3");
        check::<Network>("1.2.3.4/0", "0.0.0.0/0");
        check::<Network>("fe80::1/10", "fe80::/10");
        check::<Network>("::1/0", "::/0");
        check::<Network>("::ffff:10.1.2.3", "10.1.2.3");
        check::<Network>("::ffff:10.1.2.3/104", "10.0.0.0/8");
        check::<Network>("10.0.0.1/33", "the prefix of `10.0.0.1/33`");
        check::<Network>("10.0.0.1/", "the prefix of");
        check::<Network>("fe80::1/129", "the prefix of");
        check::<Network>("10.0.0", "`10.0.0` is not a valid address");
        check::<Network>("", "`` is not a valid address");
    }

    #[track_caller]
    fn check_contains(network: &str, address: &str, expected: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), expected);
    }

    #[test]
    fn networks_contain_addresses() {
        check_contains("10.0.0.0/8", "10.255.0.1", true);
        check_contains("10.0.0.0/8", "11.0.0.1", false);
        check_contains("0.0.0.0/0", "11.0.0.1", true);
        check_contains("0.0.0.0/0", "::1", false);
        check_contains("::/0", "::1", true);
        check_contains("::/0", "10.0.0.1", false);
        check_contains("fe80::/10", "fe81::1", true);
    }

    #[test]
    fn ports() {
        check::<Ports>("443", "443");
        check::<Ports>("8000-9000", "8000-9000");
        check::<Ports>("80-80", "80");
        check::<Ports>(
            "9000-8000",
            "the range `9000-8000` is empty; did you mean 8000-9000?",
        );
        check::<Ports>("65536", "`65536` is not a valid port");
        check::<Ports>("80-", "`` is not a valid port");
        check::<Ports>("1-2-3", "`2-3` is not a valid port");
        check::<Ports>("https", "`https` is not a valid port");
    }

    #[test]
    fn endpoints() {
        check::<Endpoint>("10.0.0.1", "10.0.0.1");
        check::<Endpoint>("10.0.0.1:80", "10.0.0.1:80");
        check::<Endpoint>("10.0.0.0/8:80-90", "10.0.0.0/8:80-90");
        check::<Endpoint>(":443", ":443");
        check::<Endpoint>("::1", "::1");
        check::<Endpoint>("::", "::");
        check::<Endpoint>("[::1]", "::1");
        check::<Endpoint>("[::1]:80", "[::1]:80");
        check::<Endpoint>("[fe80::/10]:80", "[fe80::/10]:80");
        check::<Endpoint>("[::1", "`[::1` has a `[`");
        check::<Endpoint>("[::1]80", "`80` stands behind");
        check::<Endpoint>("10.0.0.1:", "`` is not a valid port");
        check::<Endpoint>("443", "`443` is not a valid address");
    }

    #[test]
    fn amounts() {
        let check = |text, expected| assert_eq!(amount(text), Ok(expected), "{text}");
        check("0", 0);
        check("1500", 1500);
        check("10k", 10_000);
        check("1M", 1_000_000);
        check("2GiB", 2 << 30);
        check("1kb", 1000);
        for bad in [
            "",
            "k",
            "1.5M",
            "-1",
            "1x",
            "10 k",
            "18446744073709551616",
            "99999999T",
        ] {
            assert!(amount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_is_found_in_any_case() {
        let check = |needle, text, expected| {
            assert_eq!(
                Text::new(needle).is_in(text),
                expected,
                "{needle} in {text}"
            );
        };
        check("Fire", "FIREFOX", true);
        check("fox", "firefox", true);
        check("firefoxes", "firefox", false);
        check("ÄRGER", "großer Ärger", true);
        check("ä", "a", false);
        check("x", "", false);
    }
}

//! The host from whose side the app shows a capture file.

use std::fmt;
use std::str::FromStr;

use flowner_core::filter::Network;
use flowner_core::{Config, LocalAddressSource, ReadOptions};

/// Whose addresses count as the host's own. Directions and remote ends depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Viewpoint {
    /// The file's, if it tells, else that of the address that stands out.
    #[default]
    Guessed,
    /// Nobody's: all traffic was passing by.
    Nobody,
    /// These networks'; of a single host, a network of one address.
    Of(Vec<Network>),
}

impl Viewpoint {
    /// The settings of a monitor that follow from it.
    pub fn apply(&self, config: &mut Config) {
        config.read = ReadOptions {
            infer_local_addresses: *self == Self::Guessed,
            ..config.read.clone()
        };
        if let Self::Of(networks) = self {
            config.local_networks.clone_from(networks);
        }
    }

    /// The same, with the text that the user typed.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(mut before), Self::Of(more)) => {
                before.extend(more);
                Self::Of(before)
            }
            (_, other) => other,
        }
    }
}

impl FromStr for Viewpoint {
    type Err = String;

    /// Addresses and networks apart by commas or spaces; `none`; or nothing, for a guess.
    fn from_str(text: &str) -> Result<Self, String> {
        let words = || {
            text.split([',', ' '])
                .map(str::trim)
                .filter(|it| !it.is_empty())
        };
        match (words().next(), words().nth(1)) {
            (None, _) => Ok(Self::Guessed),
            (Some("none"), None) => Ok(Self::Nobody),
            _ => words()
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map(Self::Of),
        }
    }
}

impl fmt::Display for Viewpoint {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guessed => Ok(()),
            Self::Nobody => f.write_str("none"),
            Self::Of(networks) => {
                let words: Vec<_> = networks.iter().map(ToString::to_string).collect();
                f.write_str(&words.join(", "))
            }
        }
    }
}

/// The capturing host, in words.
pub fn tell(viewpoint: &Viewpoint, source: &LocalAddressSource) -> String {
    let list = |addresses: &[std::net::IpAddr]| {
        let words: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        words.join(" and ")
    };
    match (viewpoint, source) {
        (_, LocalAddressSource::Recorded(addresses)) => {
            format!("seen from {}, as the file says", list(addresses))
        }
        (_, LocalAddressSource::Inferred(addresses)) => {
            format!("seen from {}, which is a guess", list(addresses))
        }
        (Viewpoint::Of(_), _) => format!("seen from {viewpoint}"),
        (Viewpoint::Guessed | Viewpoint::Nobody, _) => "the capturing host is unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_typed() {
        let of = |networks: &[&str]| {
            Viewpoint::Of(networks.iter().map(|it| it.parse().unwrap()).collect())
        };
        let cases = [
            ("", Viewpoint::Guessed),
            (" ", Viewpoint::Guessed),
            ("none", Viewpoint::Nobody),
            ("10.0.0.1", of(&["10.0.0.1"])),
            ("10.0.0.0/8, fe80::1", of(&["10.0.0.0/8", "fe80::1"])),
            ("10.0.0.1 10.0.0.2", of(&["10.0.0.1", "10.0.0.2"])),
        ];
        for (text, expected) in cases {
            let parsed: Viewpoint = text.parse().unwrap();
            assert_eq!(parsed, expected, "{text}");
            assert_eq!(parsed.to_string().parse(), Ok(expected), "{text}");
        }
        for wrong in ["nobody", "none, 10.0.0.1", "10.0.0.0/99"] {
            assert!(wrong.parse::<Viewpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_guess_is_called_one() {
        let address = vec![[10, 0, 0, 1].into()];
        let words = tell(
            &Viewpoint::Guessed,
            &LocalAddressSource::Inferred(address.clone()),
        );
        assert_eq!(words, "seen from 10.0.0.1, which is a guess");
        let words = tell(&Viewpoint::Guessed, &LocalAddressSource::Recorded(address));
        assert_eq!(words, "seen from 10.0.0.1, as the file says");
        let words = tell(&"10.0.0.0/8".parse().unwrap(), &LocalAddressSource::Given);
        assert_eq!(words, "seen from 10.0.0.0/8");
        let words = tell(&Viewpoint::Nobody, &LocalAddressSource::Unknown);
        assert_eq!(words, "the capturing host is unknown");
    }
}

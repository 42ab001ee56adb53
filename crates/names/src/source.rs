//! Where a name comes from.

use std::fmt;
use std::str::FromStr;

/// Where a name comes from, the strongest evidence first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// The client of this very connection named the server as it began TLS.
    Tls,
    /// The same in QUIC.
    Quic,
    /// The client of this very connection named the host in a request of HTTP/1.
    Http,
    /// The client asked this proxy for the host: the name is that of the far end, and not of the
    /// address.
    Proxy,
    /// A DNS answer that led to the address before the flow began.
    Dns,
    /// An answer of multicast DNS: what a host of the local network says of itself.
    Mdns,
    /// An answer of LLMNR, of the same kind.
    Llmnr,
    /// This host's hosts file.
    Hosts,
    /// A capture file has the name: whoever wrote it says so, on evidence that the file may not have.
    Recorded,
    /// A reverse lookup: what the owner of the address calls it.
    Reverse,
}

impl Source {
    /// All of them, the strongest first.
    pub const ALL: [Self; 10] = [
        Self::Tls,
        Self::Quic,
        Self::Http,
        Self::Proxy,
        Self::Dns,
        Self::Mdns,
        Self::Llmnr,
        Self::Hosts,
        Self::Recorded,
        Self::Reverse,
    ];

    /// As text, such as `tls`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Quic => "quic",
            Self::Http => "http",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
            Self::Hosts => "hosts",
            Self::Recorded => "recorded",
            Self::Reverse => "reverse",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Text that is the name of no source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseSourceError {
    text: String,
}

impl fmt::Display for ParseSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Source::ALL.map(Source::name).join(", ");
        write!(
            f,
            "`{}` is not a valid source of a name; expected one of {names}",
            self.text
        )
    }
}

impl std::error::Error for ParseSourceError {}

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|source| source.name() == text)
            .ok_or_else(|| ParseSourceError {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_strength_is_their_order() {
        for source in Source::ALL {
            assert_eq!(source.name().parse(), Ok(source));
        }
        assert!(Source::ALL.is_sorted());
        let error = "sni".parse::<Source>().unwrap_err().to_string();
        assert!(error.contains("tls, quic"), "{error}");
    }
}

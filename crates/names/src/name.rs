//! A name that came from the network, in a form that can be shown.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The most bytes of a name as text (RFC 1035, section 2.3.4: 255 octets on the wire, of which the
/// text has two less; escapes may make it longer, and such a name is no name).
pub const MAX_NAME: usize = 253;
/// The most bytes of one label.
const MAX_LABEL: usize = 63;

/// The name of a host or of a service: labels with dots between them, without the one at the end.
///
/// Whatever the network says, it holds at most [`MAX_NAME`] bytes of lower-case ASCII: letters,
/// digits, hyphens, underscores; every other byte of a label is escaped as `\046` (RFC 1035, section
/// 5.1). Names in other scripts stay punycode (`xn--…`), so that no two names look alike.
///
/// A clone shares the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// From text such as that of a `Host` header. `None` if it is empty, too long, has an empty label,
    /// or is an address.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b".").unwrap_or(text);
        if text.is_empty() || is_address(text) {
            return None;
        }
        Self::from_labels(text.split(|&byte| byte == b'.'))
    }

    /// From the labels of a message. None of them: the root, which is written as a dot.
    #[must_use]
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut builder = Builder::default();
        for label in labels {
            builder.label(label)?;
        }
        builder.finish()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a name below `domain`, or that itself. `example.com` has `www.example.com`
    /// in it, and not `badexample.com`.
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        let Some(rest) = self.0.strip_suffix(domain) else {
            return false;
        };
        !domain.is_empty() && (rest.is_empty() || rest.ends_with('.'))
    }

    /// Without the labels that name a service and not a host: `example.com` of
    /// `_8443._https.example.com`.
    pub(crate) fn host(&self) -> Self {
        let mut rest = &*self.0;
        while rest.starts_with('_')
            && let Some((_, others)) = rest.split_once('.')
        {
            rest = others;
        }
        if rest.len() == self.0.len() {
            return self.clone();
        }
        Self(rest.into())
    }
}

/// Whether text is an address. Most names have neither a digit at their end nor a colon.
fn is_address(text: &[u8]) -> bool {
    let may_be = text.last().is_some_and(u8::is_ascii_digit) || text.contains(&b':');
    may_be && std::str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// A name whose labels come one after the other. It takes no memory until it is complete.
#[derive(Debug)]
pub(crate) struct Builder {
    text: [u8; MAX_NAME],
    len: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            text: [0; MAX_NAME],
            len: 0,
        }
    }
}

impl Builder {
    /// `None` if the label is none, or the name too long.
    pub(crate) fn label(&mut self, label: &[u8]) -> Option<()> {
        if label.is_empty() || label.len() > MAX_LABEL {
            return None;
        }
        if self.len > 0 {
            self.push(b".")?;
        }
        for &byte in label {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => self.push(&[byte])?,
                b'A'..=b'Z' => self.push(&[byte.to_ascii_lowercase()])?,
                _ => {
                    let digit = |number: u8| b'0' + number % 10;
                    self.push(&[b'\\', digit(byte / 100), digit(byte / 10), digit(byte)])?;
                }
            }
        }
        Some(())
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len + bytes.len();
        self.text.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// The name; without a label that is the root.
    pub(crate) fn finish(&self) -> Option<Name> {
        let text = match self.len {
            0 => ".",
            len => std::str::from_utf8(&self.text[..len]).ok()?,
        };
        Some(Name(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        Name::from_text(bytes).map(|name| name.to_string())
    }

    #[test]
    fn names_as_they_occur() {
        assert_eq!(text(b"WWW.Example.COM."), Some("www.example.com".into()));
        assert_eq!(
            text(b"_dmarc.example.org"),
            Some("_dmarc.example.org".into())
        );
        assert_eq!(
            text(b"xn--bcher-kva.example"),
            Some("xn--bcher-kva.example".into())
        );
        for nothing in [
            &b""[..],
            b".",
            b"a..b",
            b"192.0.2.1",
            b"2001:db8::1",
            &[b'a'; 64],
        ] {
            assert_eq!(text(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_would_change_a_terminal_is_escaped() {
        assert_eq!(text(b"a\x1b[31m.b c"), Some(r"a\027\09131m.b\032c".into()));
        assert_eq!(
            text("bücher.de".as_bytes()),
            Some(r"b\195\188cher.de".into())
        );
        // A dot within a label is not one between labels.
        let name = Name::from_labels([&b"a.b"[..], b"c"]).unwrap();
        assert_eq!(name.as_str(), r"a\046b.c");
    }

    #[test]
    fn a_suffix_is_one_of_labels() {
        let name = Name::from_text(b"www.example.com").unwrap();
        for domain in ["www.example.com", "example.com", "com"] {
            assert!(name.is_within(domain), "{domain}");
        }
        for domain in ["ample.com", "a.www.example.com", "", "org"] {
            assert!(!name.is_within(domain), "{domain}");
        }
    }

    #[test]
    fn a_service_is_at_a_host() {
        let host = |text: &str| Name::from_text(text.as_bytes()).unwrap().host();
        assert_eq!(host("_8443._https.example.com").as_str(), "example.com");
        assert_eq!(host("www.example.com").as_str(), "www.example.com");
        assert_eq!(host("_only").as_str(), "_only");
    }

    proptest! {
        #[test]
        fn every_name_is_bounded_and_plain(labels in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..70), 0..20)) {
            if let Some(name) = Name::from_labels(labels.iter().map(Vec::as_slice)) {
                let text = name.as_str();
                prop_assert!(!text.is_empty() && text.len() <= MAX_NAME);
                prop_assert!(text.bytes().all(|byte| matches!(byte,
                    b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'\\')));
            }
        }
    }
}

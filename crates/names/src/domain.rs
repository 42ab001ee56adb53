//! The part of a name that somebody registered.

/// The registrable domain of a host's name by the public suffix list: `example.co.uk` of
/// `www.example.co.uk`. A suffix alone, such as `co.uk`, and a name of one label that is none, such
/// as `printer`, have none.
///
/// The list is the one of the crate [`psl`] at the time of building, with its private part:
/// `user.github.io` is a domain of its own. The name is expected in lower case, and with labels of
/// other scripts either as Unicode or as punycode.
#[must_use]
pub fn registrable_domain(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let domain = psl::domain_str(name)?;
    // By the list's last rule every unknown top label is a suffix, so that `db.internal` would be
    // a domain somebody registered. Whoever groups by domains wants that, too.
    Some(domain)
}

#[cfg(test)]
mod tests {
    use super::registrable_domain;

    #[test]
    fn of_names_as_they_occur() {
        for (name, domain) in [
            ("www.example.com", Some("example.com")),
            ("example.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("co.uk", None),
            ("com", None),
            ("printer", None),
            ("db.internal", Some("db.internal")),
            ("pages.user.github.io", Some("user.github.io")),
            (
                "xn--85x722f.xn--55qx5d.cn",
                Some("xn--85x722f.xn--55qx5d.cn"),
            ),
            ("_dmarc.example.org", Some("example.org")),
            ("", None),
            (".", None),
        ] {
            assert_eq!(registrable_domain(name), domain, "{name}");
        }
    }
}

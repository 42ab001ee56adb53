//! The hosts file: names that this host has for addresses.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most that is read of a file, in bytes. Lists that block advertisements have some MiB, and
/// name hundreds of thousands of hosts for one address.
const MAX_BYTES: u64 = 16 << 20;
/// Names that are kept for one address. The first one is the canonical name (hosts(5)).
const MAX_NAMES: usize = 8;
/// Addresses that names are kept for.
const MAX_ADDRESSES: usize = 65_536;

/// The names of a hosts file, by address (hosts(5); on Windows the same format).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    names: HashMap<IpAddr, Vec<String>>,
}

impl Hosts {
    /// Reads the text of such a file. Lines that are none are left out, and so is what is not
    /// UTF-8.
    ///
    /// Addresses that no packet has as its remote end, `0.0.0.0` and `::`, get no names: lists that
    /// block hosts use them for what must not be reached.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut hosts = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            hosts.take(line);
        }
        hosts
    }

    fn take(&mut self, line: &str) {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(address_of) else {
            return;
        };
        if !self.names.contains_key(&address) && self.names.len() >= MAX_ADDRESSES {
            return;
        }
        let names = self.names.entry(address).or_default();
        for word in words {
            if names.len() >= MAX_NAMES {
                break;
            }
            let name = word.trim_end_matches('.').to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    /// The names of an address, the canonical one first. What the file says is untrusted text like
    /// any other: it is neither validated nor masked here.
    #[must_use]
    pub fn names_of(&self, address: IpAddr) -> &[String] {
        self.names
            .get(&address.to_canonical())
            .map_or(&[], Vec::as_slice)
    }

    /// All addresses with their names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &[String])> {
        let pairs = self.names.iter();
        pairs.map(|(address, names)| (*address, names.as_slice()))
    }
}

/// Without a scope, which `fe80::1%lo0` has on macOS.
fn address_of(word: &str) -> Option<IpAddr> {
    let address = word.split('%').next()?.parse::<IpAddr>().ok()?;
    (!address.is_unspecified()).then(|| address.to_canonical())
}

/// A hosts file that is read again when it has changed.
#[derive(Debug)]
pub struct HostsFile {
    path: PathBuf,
    stamp: Option<(Option<SystemTime>, u64)>,
    hosts: Hosts,
}

impl HostsFile {
    /// This system's file. It is not read yet.
    #[must_use]
    pub fn of_system() -> Self {
        Self::at(system_path())
    }

    /// Another file. It is not read yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            stamp: None,
            hosts: Hosts::default(),
        }
    }

    /// What was read last.
    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Reads the file if it has changed since then, and says whether it has. It waits for the file
    /// system.
    ///
    /// # Errors
    /// When the file cannot be read. What was read last stays.
    pub fn refresh(&mut self) -> io::Result<bool> {
        let stamp = Some(stamp(&std::fs::metadata(&self.path)?));
        if self.stamp == stamp {
            return Ok(false);
        }
        let mut text = Vec::new();
        File::open(&self.path)?
            .take(MAX_BYTES)
            .read_to_end(&mut text)?;
        self.hosts = Hosts::parse(&text);
        self.stamp = stamp;
        Ok(true)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn stamp(metadata: &Metadata) -> (Option<SystemTime>, u64) {
    (metadata.modified().ok(), metadata.len())
}

/// Where the systems have it: hosts(5), and below the directory of Windows.
fn system_path() -> PathBuf {
    match std::env::var_os("SystemRoot") {
        Some(root) if std::path::MAIN_SEPARATOR == '\\' => {
            Path::new(&root).join(r"System32\drivers\etc\hosts")
        }
        _ => PathBuf::from("/etc/hosts"),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_as_people_have_it() {
        let text = b"# comment\r\n\
            127.0.0.1\tlocalhost\n\
            192.0.2.7 Printer.Example.org. printer # upstairs\r\n\
            192.0.2.7   printer  scanner\n\
            ::ffff:192.0.2.8 mapped\n\
            fe80::1%lo0 localhost\n\
            0.0.0.0 ads.example.com\n\
            not-an-address name\n\
            \xff\xfe 1\n\
            192.0.2.9";
        let hosts = Hosts::parse(text);
        assert_eq!(
            hosts.names_of(ip("192.0.2.7")),
            ["printer.example.org", "printer", "scanner"]
        );
        assert_eq!(hosts.names_of(ip("::ffff:192.0.2.7")).len(), 3);
        assert_eq!(hosts.names_of(ip("192.0.2.8")), ["mapped"]);
        assert_eq!(hosts.names_of(ip("fe80::1")), ["localhost"]);
        assert!(hosts.names_of(ip("0.0.0.0")).is_empty());
        assert!(hosts.names_of(ip("192.0.2.9")).is_empty());
        assert!(hosts.names_of(ip("192.0.2.10")).is_empty());
    }

    #[test]
    fn a_list_of_hosts_that_are_blocked_takes_little() {
        let mut text = String::new();
        for number in 0..200_000 {
            writeln!(text, "127.0.0.1 ads{number}.example.com").unwrap();
        }
        for number in 0..100_000_u32 {
            let address = std::net::Ipv4Addr::from(number + 0x0a00_0000);
            writeln!(text, "{address} host{number}").unwrap();
        }
        let hosts = Hosts::parse(text.as_bytes());
        assert_eq!(hosts.names_of(ip("127.0.0.1")).len(), MAX_NAMES);
        assert_eq!(hosts.iter().count(), MAX_ADDRESSES);
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let mut file = HostsFile::at(path.clone());
        assert!(file.refresh().is_err());
        std::fs::write(&path, "192.0.2.7 one\n").unwrap();
        assert!(file.refresh().unwrap());
        assert!(!file.refresh().unwrap());
        std::fs::write(&path, "192.0.2.7 two three\n").unwrap();
        assert!(file.refresh().unwrap());
        assert_eq!(file.hosts().names_of(ip("192.0.2.7")), ["two", "three"]);
        // What was read last stays while it is replaced.
        std::fs::remove_file(&path).unwrap();
        assert!(file.refresh().is_err());
        assert_eq!(file.hosts().names_of(ip("192.0.2.7")), ["two", "three"]);
    }
}

//! Whether rules of this network namespace translate addresses: chains of `nf_tables`, which
//! `iptables` writes as well, and the tables of legacy `iptables`.

use std::io;
use std::path::Path;
use std::time::Instant;

use crate::policy::freshness::{NO_RULE_TRANSLATES, RULES_TRANSLATE};
use crate::tables::linux::netlink::exchange::{Answer, Netlink, Part};
use crate::tables::linux::netlink::frame::{Malformed, attributes, header};

/// The legacy tables that were ever used in this network namespace, by name.
const OLDER: [&str; 2] = ["net/ip_tables_names", "net/ip6_tables_names"];
/// `NFNL_SUBSYS_NFTABLES` with `NFT_MSG_GETCHAIN`, and with `NFT_MSG_NEWCHAIN`
/// (`nf_tables.h`).
const GET: u16 = 10 << 8 | 4;
const NEW: u16 = 10 << 8 | 3;
/// `NFTA_CHAIN_TYPE`, which only base chains have.
const TYPE: u16 = 7;
/// `struct nfgenmsg`.
const BODY_LEN: usize = 4;
/// `NLA_TYPE_MASK`.
const KIND: u16 = !(3 << 14);

/// What is known about the rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    known: Option<(Instant, bool)>,
}

impl Rules {
    /// Whether any rule translates; true also if that is unknown.
    pub(super) fn translate(&mut self, proc: &Path, netlink: &mut Netlink, now: Instant) -> bool {
        if let Some((at, do_translate)) = self.known {
            let good_for = if do_translate {
                RULES_TRANSLATE
            } else {
                NO_RULE_TRANSLATES
            };
            if now.saturating_duration_since(at) < good_for {
                return do_translate;
            }
        }
        // The legacy tables come first: a request for chains loads a kernel module.
        let do_translate = are_older(proc) || are_chains(netlink).unwrap_or(true);
        self.known = Some((now, do_translate));
        do_translate
    }
}

fn are_older(proc: &Path) -> bool {
    let is_it = |names: String| names.lines().any(|name| name == "nat");
    OLDER.iter().any(|path| {
        let names = std::fs::read_to_string(proc.join(path));
        names.is_ok_and(is_it)
    })
}

fn are_chains(netlink: &mut Netlink) -> io::Result<bool> {
    let mut is_any = false;
    netlink.ask(Answer::Dump, request, |part| {
        match part {
            Part::Begin => is_any = false,
            Part::Message(NEW, body) => is_any |= translates(body)?,
            Part::Message(..) => return Err(Malformed),
        }
        Ok(())
    })?;
    Ok(is_any)
}

/// A request for the chains of all families.
fn request(sequence: u32) -> Vec<u8> {
    let mut bytes = header(BODY_LEN, GET, super::super::frame::DUMP, sequence).to_vec();
    bytes.extend([0; BODY_LEN]);
    bytes
}

/// Whether a chain translates.
fn translates(body: &[u8]) -> Result<bool, Malformed> {
    for attribute in attributes(body.get(BODY_LEN..).ok_or(Malformed)?) {
        let (kind, value) = attribute?;
        if kind & KIND == TYPE {
            return Ok(value.strip_suffix(b"\0").unwrap_or(value) == b"nat");
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A name, and a type if it has one.
    fn chain(kind: Option<&[u8]>) -> Vec<u8> {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut body = vec![2, 0, 0, 0];
        body.extend(attribute(3, b"nat\0"));
        body.extend(kind.map_or_else(Vec::new, |kind| attribute(TYPE, kind)));
        body
    }

    #[test]
    fn the_type_of_a_chain_decides() {
        assert_eq!(translates(&chain(Some(b"nat\0"))), Ok(true));
        assert_eq!(translates(&chain(Some(b"filter\0"))), Ok(false));
        // Other chains jump to this one.
        assert_eq!(translates(&chain(None)), Ok(false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            let _ = translates(&bytes);
        }
    }
}

//! Messages of DNS (RFC 1035), and of multicast DNS (RFC 6762) and LLMNR (RFC 4795), which have the
//! same form.
//!
//! Read as far as they were captured: the questions and addresses of a message that was cut count.
//! (Libraries for DNS read a whole message or nothing, and reserve as much memory as its header
//! asks for.)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::Cursor;
use crate::Name;
use crate::name::Builder;

/// Records of a message that are read. An answer has a few, that of a large pool some dozens.
const MAX_RECORDS: usize = 128;
/// Questions that are read. Multicast DNS asks several at once.
const MAX_QUESTIONS: usize = 32;
/// Pointers that are followed within one name: more have no use, and may go round in a circle.
const MAX_POINTERS: usize = 32;
/// Labels of a name: 255 bytes have no more.
const MAX_LABELS: usize = 128;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
const DNAME: u16 = 39;
const SVCB: u16 = 64;
const HTTPS: u16 = 65;
/// The Internet. Multicast DNS uses the highest bit for something else.
const CLASS: u16 = 1;
const CLASS_MASK: u16 = 0x7fff;

/// What one message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// By which an answer fits its question; 0 in multicast DNS.
    pub id: u16,
    /// Whether it is an answer.
    pub is_response: bool,
    /// 0: no error; 3: there is no such name (RFC 6895).
    pub response_code: u8,
    /// What is asked for. One question, but for multicast DNS.
    pub questions: Vec<Question>,
    /// The addresses in an answer, by the names that they are asked for with.
    pub addresses: Vec<Address>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The name, a dot for the root.
    pub name: Name,
    /// The type of the records that are wanted, such as 28 (AAAA).
    pub kind: u16,
}

/// An address that a name has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Address {
    /// The name that was asked for, and not the one at the end of a chain of aliases. In multicast
    /// DNS the name of the record.
    pub name: Name,
    /// The address, or a hint at it (RFC 9460).
    pub address: IpAddr,
    /// How long it is valid: the shortest of the records that lead to it.
    pub life: Duration,
}

/// Whether this is a whole question of DNS and nothing else, as a resolver sends it: to be told from other
/// protocols on ports that are not those of DNS.
#[must_use]
pub fn is_query(bytes: &[u8]) -> bool {
    /// One question, no answer, at most one record with options.
    const COUNTS: [u8; 7] = [0, 1, 0, 0, 0, 0, 0];
    const OPTIONS: u16 = 41;
    let Some((header, _)) = bytes.split_first_chunk::<12>() else {
        return false;
    };
    // Bits that a question may have: recursion is wanted, data is authentic, is not to be checked.
    let has_bits = header[2] & !0x01 == 0 && header[3] & !0x30 == 0;
    if !has_bits || header[4..11] != COUNTS || header[11] > 1 {
        return false;
    }
    let mut cursor = Cursor::new(&bytes[header.len()..]);
    let Some((question, CLASS)) = question(bytes, &mut cursor) else {
        return false;
    };
    let has_options = || {
        let mut cursor = cursor;
        let root = cursor.u8()?;
        let kind = cursor.u16()?;
        let _sizes = cursor.take(6)?;
        cursor.block()?;
        (root == 0 && kind == OPTIONS && cursor.is_empty()).then_some(())
    };
    let ends = if header[11] == 0 {
        cursor.is_empty()
    } else {
        has_options().is_some()
    };
    ends && question.kind != 0
}

/// Reads a message; `None` if its bytes are none.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let id = cursor.u16()?;
    let flags = cursor.u16()?;
    // The standard kind of questions, and a bit that must be zero.
    let is_query = flags & 0x7840 == 0;
    let questions = usize::from(cursor.u16()?);
    let answers = usize::from(cursor.u16()?);
    let others = usize::from(cursor.u16()?) + usize::from(cursor.u16()?);
    if !is_query || questions > MAX_QUESTIONS {
        return None;
    }
    let mut message = Message {
        id,
        is_response: flags & 0x8000 != 0,
        response_code: flags.to_be_bytes()[1] & 0xf,
        ..Message::default()
    };
    for _ in 0..questions {
        let Some((question, class)) = question(bytes, &mut cursor) else {
            // Cut before the first question, or nonsense.
            return (!message.questions.is_empty()).then_some(message);
        };
        if class & CLASS_MASK == CLASS {
            message.questions.push(question);
        }
    }
    if message.is_response && message.response_code == 0 {
        // The one question of a message stands behind its header, where nearly all records point to.
        let first = message.questions.first();
        let at_begin = first.filter(|_| questions == 1).map(|it| &it.name);
        let records = Records::read(bytes, cursor, answers + others, at_begin);
        message.addresses = records.addresses(first);
    }
    Some(message)
}

fn question<'a>(bytes: &'a [u8], cursor: &mut Cursor<'a>) -> Option<(Question, u16)> {
    let name = name(bytes, cursor)?;
    let kind = cursor.u16()?;
    let class = cursor.u16()?;
    Some((Question { name, kind }, class))
}

/// The name at a place, which may lead to others by pointers.
fn name<'a>(bytes: &'a [u8], cursor: &mut Cursor<'a>) -> Option<Name> {
    let mut builder = Builder::default();
    let mut labels = 0;
    let mut pointers = 0;
    // Where it goes on after the first pointer does not matter to the place of the caller.
    let mut elsewhere = None;
    loop {
        let place = elsewhere.as_mut().unwrap_or(&mut *cursor);
        match place.u8()? {
            0 => return builder.finish(),
            length @ 1..=63 => {
                builder.label(place.take(length.into())?)?;
                labels += 1;
            }
            high @ 0xc0.. => {
                let at = usize::from(high & 0x3f) << 8 | usize::from(place.u8()?);
                elsewhere = Some(Cursor::new(bytes.get(at..)?));
                pointers += 1;
            }
            // Other kinds of labels are history (RFC 6891, section 5).
            _ => return None,
        }
        if pointers > MAX_POINTERS || labels > MAX_LABELS {
            return None;
        }
    }
}

/// What the records say, before anybody follows aliases.
#[derive(Debug, Default)]
struct Records {
    aliases: Vec<(Name, Name, Duration)>,
    addresses: Vec<Address>,
}

impl Records {
    /// Those that can be read, the first ones first.
    fn read<'a>(
        bytes: &'a [u8],
        mut cursor: Cursor<'a>,
        count: usize,
        at_begin: Option<&Name>,
    ) -> Self {
        let mut records = Self::default();
        for _ in 0..count.min(MAX_RECORDS) {
            if records.record(bytes, &mut cursor, at_begin).is_none() {
                break;
            }
        }
        records
    }

    /// `None` at the end of what was captured.
    fn record<'a>(
        &mut self,
        bytes: &'a [u8],
        cursor: &mut Cursor<'a>,
        at_begin: Option<&Name>,
    ) -> Option<()> {
        /// A pointer to the first byte behind the header.
        const TO_BEGIN: [u8; 2] = [0xc0, 12];
        let owner = match at_begin {
            Some(name) if cursor.rest().starts_with(&TO_BEGIN) => {
                cursor.take(TO_BEGIN.len())?;
                name.clone()
            }
            _ => name(bytes, cursor)?,
        };
        let kind = cursor.u16()?;
        let class = cursor.u16()?;
        // With the highest bit it is none at all (RFC 2181, section 8).
        let life = i32::try_from(cursor.u32()?).map_or(0, i32::unsigned_abs);
        let life = Duration::from_secs(life.into());
        let length = usize::from(cursor.u16()?);
        // Names in it may point to anywhere in the message.
        let mut data = *cursor;
        let content = cursor.take(length)?;
        if class & CLASS_MASK != CLASS {
            return Some(());
        }
        match kind {
            A => {
                if let Ok(octets) = <[u8; 4]>::try_from(content) {
                    self.push(owner, Ipv4Addr::from(octets).into(), life);
                }
            }
            AAAA => {
                if let Ok(octets) = <[u8; 16]>::try_from(content) {
                    self.push(owner, Ipv6Addr::from(octets).into(), life);
                }
            }
            CNAME | DNAME => {
                if kind == CNAME
                    && let Some(target) = name(bytes, &mut data)
                {
                    self.aliases.push((owner, target, life));
                }
            }
            SVCB | HTTPS => {
                let _unreadable = self.service(owner, content, life);
            }
            _ => {}
        }
        Some(())
    }

    fn push(&mut self, name: Name, address: IpAddr, life: Duration) {
        self.addresses.push(Address {
            name,
            address,
            life,
        });
    }

    /// A service's record (RFC 9460): where it is, and hints at its addresses.
    fn service(&mut self, owner: Name, content: &[u8], life: Duration) -> Option<()> {
        /// The keys of the hints.
        const IPV4: u16 = 4;
        const IPV6: u16 = 6;
        let mut cursor = Cursor::new(content);
        let _priority = cursor.u16()?;
        // It is never compressed, and the root means the owner itself.
        let target = name(content, &mut cursor)?;
        while !cursor.is_empty() {
            let key = cursor.u16()?;
            let value = cursor.block()?;
            if key == IPV4 {
                for octets in value.as_chunks::<4>().0 {
                    self.push(owner.clone(), Ipv4Addr::from(*octets).into(), life);
                }
            } else if key == IPV6 {
                for octets in value.as_chunks::<16>().0 {
                    self.push(owner.clone(), Ipv6Addr::from(*octets).into(), life);
                }
            }
        }
        if target.as_str() != "." {
            self.aliases.push((owner, target, life));
        }
        Some(())
    }

    /// The addresses that the question's name leads to. Without a question, as in multicast DNS, each
    /// under its own name.
    fn addresses(mut self, question: Option<&Question>) -> Vec<Address> {
        let Some(question) = question else {
            return self.addresses;
        };
        if self.aliases.is_empty() {
            return self.of_name(&question.name);
        }
        let mut reached = vec![(question.name.clone(), Duration::MAX)];
        // Each alias leads on once, in whatever order the records came.
        let mut at = 0;
        while let Some((name, life)) = reached.get(at).cloned() {
            at += 1;
            let (followed, rest) = self
                .aliases
                .into_iter()
                .partition::<Vec<_>, _>(|(owner, ..)| *owner == name);
            self.aliases = rest;
            let targets = followed.into_iter();
            reached.extend(targets.map(|(_, target, own)| (target, own.min(life))));
        }
        let host = question.name.host();
        let mut found: Vec<Address> = Vec::new();
        for address in self.addresses {
            let Some((_, life)) = reached.iter().find(|(name, _)| *name == address.name) else {
                continue;
            };
            if found.iter().any(|known| known.address == address.address) {
                continue;
            }
            found.push(Address {
                name: host.clone(),
                life: address.life.min(*life),
                ..address
            });
        }
        found
    }
    /// The same where there are no aliases.
    fn of_name(mut self, name: &Name) -> Vec<Address> {
        let host = name.host();
        let mut found = 0;
        for at in 0..self.addresses.len() {
            let Address {
                name: of, address, ..
            } = &self.addresses[at];
            let mut before = self.addresses[..found].iter();
            if of != name || before.any(|known| known.address == *address) {
                continue;
            }
            self.addresses.swap(found, at);
            self.addresses[found].name.clone_from(&host);
            found += 1;
        }
        self.addresses.truncate(found);
        self.addresses
    }
}

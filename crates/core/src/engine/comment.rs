//! Owners in the comments of packets: readable in Wireshark, and parsed again.
//! [`recording`](crate::recording#the-comments) describes the form. Pure.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use flowner_attribution::{
    Evidence, Match, NetworkNamespace, Ownership, Process, Reason, Source, Unit, UnitKind, User,
    UserId, Verdict,
};

use crate::model::community_id::CommunityId;
use crate::model::packet_ref::PacketEnd;
use crate::model::principal::{Owner, Principal};
use crate::model::text::is_hidden;

/// The number of processes that a written comment may name.
const MAX_PROCESSES: usize = 8;
/// The number of processes that a parsed comment may name. More never share a socket in practice,
/// and the app would show each of them.
pub(super) const MAX_CLAIMED: usize = 64;
/// Valid pids: 0 is the kernel's, and none exceeds the highest limit of Linux (`PID_MAX_LIMIT`,
/// include/linux/threads.h).
pub(super) const PIDS: RangeInclusive<u32> = 1..=4_194_304;
/// The prefix of our comments.
const PREFIX: &str = "flowner:";

/// The comment that names the owner of one end of a packet, and the flow's Community ID for other
/// monitors.
pub(crate) fn write(end: PacketEnd, owner: &Owner, community: Option<CommunityId>) -> String {
    let Owner {
        ownership,
        principal,
    } = owner;
    let mut line = Line(PREFIX.to_owned());
    let program = match principal {
        Principal::Program(program) => Some(program.name.as_str()),
        Principal::Several(_)
        | Principal::Unit(_)
        | Principal::User(_)
        | Principal::Unattributed => None,
    };
    match &ownership.verdict {
        Verdict::Process(process) => line.process(program, process),
        Verdict::Shared(processes) => {
            for process in processes.iter().take(MAX_PROCESSES) {
                line.process(None, process);
            }
            if processes.len() > MAX_PROCESSES {
                line.put("more", &(processes.len() - MAX_PROCESSES).to_string());
            }
        }
        Verdict::Partial { user, unit } => {
            line.user(user.as_ref());
            line.unit(unit.as_ref());
        }
        Verdict::Unknown(_) => {}
    }
    line.put("verdict", ownership.verdict.name());
    if let Verdict::Unknown(reason) = ownership.verdict {
        line.put("reason", reason.name());
    }
    if let Some(matched) = ownership.evidence.matched {
        line.put("match", matched.name());
    }
    if let Some(namespace) = &ownership.evidence.namespace {
        line.put("namespace", &namespace.id.to_string());
        if let Some(name) = &namespace.name {
            line.put("namespace-name", name);
        }
    }
    if let Some(id) = community {
        line.put("community-id", &id.to_string());
    }
    line.put("end", end.name());
    line.0
}

/// Whether a comment claims an owner. If [`read`] then finds none, the claim is refused: it is
/// malformed, contradicts itself, or names an impossible process.
pub(crate) fn is_claim(comment: &str) -> bool {
    comment.starts_with(PREFIX)
}

/// The owner in a comment, if the comment is one of ours and may be true. `observed_at`: the time
/// of the packet.
pub(crate) fn read(comment: &str, observed_at: SystemTime) -> Option<(PacketEnd, Ownership)> {
    let mut rest = comment.strip_prefix(PREFIX)?;
    let mut parsed = Parsed::default();
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            break;
        }
        let (key, value) = next_pair(&mut rest)?;
        parsed.take(key, value)?;
    }
    parsed.into_ownership(observed_at)
}

/// A comment under construction.
struct Line(String);

impl Line {
    fn put(&mut self, key: &str, value: &str) {
        self.0.push(' ');
        self.0.push_str(key);
        self.0.push('=');
        if !value.is_empty() && value.chars().all(is_plain) {
            self.0.push_str(value);
            return;
        }
        self.0.push('"');
        for character in value.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                other if is_hidden(other) => {
                    // Writing to a string does not fail.
                    let _ = write!(self.0, "\\u{{{:x}}}", u32::from(other));
                }
                other => self.0.push(other),
            }
        }
        self.0.push('"');
    }

    fn process(&mut self, program: Option<&str>, process: &Process) {
        self.put("program", program.unwrap_or(&process.name));
        self.put("pid", &process.pid.to_string());
        if program.is_some_and(|program| program != process.name) {
            self.put("process", &process.name);
        }
        self.user(process.user.as_ref());
        if let Some(started) = process.started {
            self.put(
                "started",
                &humantime::format_rfc3339_nanos(started).to_string(),
            );
        }
        if let Some(path) = &process.path {
            self.put("path", &path.to_string_lossy());
        }
        if process.path_deleted {
            self.put("path-deleted", "yes");
        }
        self.unit(process.unit.as_ref());
    }

    fn user(&mut self, user: Option<&User>) {
        let Some(user) = user else { return };
        if let Some(name) = &user.name {
            self.put("user", name);
        }
        self.put("uid", &user.id.to_string());
    }

    fn unit(&mut self, unit: Option<&Unit>) {
        if let Some(unit) = unit {
            self.put(unit.kind.name(), &unit.name);
            if let Some(user) = unit.user {
                self.put("unit-uid", &user.to_string());
            }
        }
    }
}

/// Whether a character needs no quotes.
fn is_plain(character: char) -> bool {
    !(character.is_whitespace() || is_hidden(character) || matches!(character, '"' | '\\' | '='))
}

/// The next key and value; `None` if the text does not have this form.
fn next_pair<'a>(rest: &mut &'a str) -> Option<(&'a str, Cow<'a, str>)> {
    let (key, text) = rest.split_once('=')?;
    let (value, text) = match text.strip_prefix('"') {
        None => {
            let end = text.find(' ').unwrap_or(text.len());
            (Cow::Borrowed(&text[..end]), &text[end..])
        }
        Some(quoted) => {
            let (value, text) = unquote(quoted)?;
            (Cow::Owned(value), text)
        }
    };
    *rest = text;
    Some((key, value))
}

/// The text between quotes, after the first one; and the rest after the second.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        let (at, character) = characters.next()?;
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'u' => {
                    let rest = characters.as_str().strip_prefix('{')?;
                    let (digits, _) = rest.split_once('}')?;
                    value.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                    // The digits, which are ASCII, and both brackets.
                    characters.nth(digits.len() + 1)?;
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// The content of a comment so far.
#[derive(Default)]
struct Parsed {
    end: Option<PacketEnd>,
    verdict: Option<String>,
    reason: Option<Reason>,
    matched: Option<Match>,
    namespace: Option<NetworkNamespace>,
    /// The name of a program whose pid has not come yet.
    program: Option<String>,
    processes: Vec<Process>,
    user: Option<User>,
    unit: Option<Unit>,
    /// Whether there are more processes than the named ones.
    has_more: bool,
}

impl Parsed {
    /// `None` if the value is invalid for its key. Ignores unknown keys, which later versions may
    /// write.
    fn take(&mut self, key: &str, value: Cow<'_, str>) -> Option<()> {
        match key {
            "end" => {
                self.end = Some(PacketEnd::ALL.into_iter().find(|end| end.name() == value)?);
            }
            "verdict" => self.verdict = Some(value.into_owned()),
            "reason" => {
                // A later version may have more reasons than this one. The owner is unknown either
                // way.
                self.reason = Some(value.parse().unwrap_or(Reason::Other));
            }
            "match" => self.matched = value.parse().ok(),
            "namespace" => {
                let id = value.parse().ok()?;
                self.namespace = Some(NetworkNamespace::new(id, None));
            }
            "namespace-name" => self.namespace.as_mut()?.name = Some(value.into_owned()),
            "program" => self.program = Some(value.into_owned()),
            "pid" => {
                let name = self.program.take()?;
                let pid = value.parse().ok().filter(|pid| PIDS.contains(pid))?;
                if self.processes.len() >= MAX_CLAIMED {
                    return None;
                }
                self.processes.push(Process::new(pid, name));
            }
            "more" => {
                // It counts beside named processes: without any, or as zero, it does not come from
                // us.
                let more: u32 = value.parse().ok()?;
                if more == 0 || self.processes.len() < MAX_PROCESSES {
                    return None;
                }
                self.has_more = true;
            }
            "user" => {
                let name = Some(value.into_owned());
                *self.user() = Some(User::new(0, name));
            }
            "uid" => {
                let id: UserId = value.parse().ok()?;
                match self.user() {
                    Some(user) => user.id = id,
                    none => *none = Some(User::new(id, None)),
                }
            }
            _ => return self.take_of_process(key, value),
        }
        Some(())
    }

    fn take_of_process(&mut self, key: &str, value: Cow<'_, str>) -> Option<()> {
        let kind = UnitKind::ALL.into_iter().find(|kind| kind.name() == key);
        if let Some(kind) = kind {
            let unit = Some(Unit::new(kind, value));
            match self.processes.last_mut() {
                Some(process) => process.unit = unit,
                None => self.unit = unit,
            }
            return Some(());
        }
        match key {
            "unit-uid" => {
                let unit = match self.processes.last_mut() {
                    Some(process) => &mut process.unit,
                    None => &mut self.unit,
                };
                unit.as_mut()?.user = Some(value.parse().ok()?);
            }
            "process" => self.processes.last_mut()?.name = value.into_owned(),
            "started" => {
                let started = humantime::parse_rfc3339(&value).ok()?;
                self.processes.last_mut()?.started = Some(started);
            }
            "path" => self.processes.last_mut()?.path = Some(PathBuf::from(value.into_owned())),
            "path-deleted" => self.processes.last_mut()?.path_deleted = value == "yes",
            _ => {}
        }
        Some(())
    }

    /// The user of the last named process, or else the user who is the only known part of the
    /// owner.
    fn user(&mut self) -> &mut Option<User> {
        match self.processes.last_mut() {
            Some(process) => &mut process.user,
            None => &mut self.user,
        }
    }

    fn into_ownership(self, observed_at: SystemTime) -> Option<(PacketEnd, Ownership)> {
        let count = self.processes.len();
        let mut processes = self.processes.into_iter().map(Arc::new);
        let verdict = match (self.verdict?.as_str(), count) {
            ("shared", 1..) => Verdict::Shared(processes.collect()),
            // Only one process may have these facts.
            _ if self.has_more => return None,
            ("process", 1) => Verdict::Process(processes.next()?),
            ("partial", 0) => Verdict::Partial {
                user: self.user,
                unit: self.unit,
            },
            ("unknown", 0) => Verdict::Unknown(self.reason?),
            _ => return None,
        };
        let evidence = {
            let mut evidence = Evidence::new(self.matched, observed_at, Source::Recorded);
            evidence.namespace = self.namespace.map(Arc::new);
            evidence
        };
        Some((self.end?, Ownership::new(verdict, evidence)))
    }
}

#[cfg(test)]
#[path = "comment/tests.rs"]
mod tests;

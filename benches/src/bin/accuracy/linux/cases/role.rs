//! Roles of the processes that a case starts, with the options that they read.

use std::fmt::Display;

/// A role and its options, `name=value` (see `actors/stream.rs`).
#[derive(Debug, Clone)]
pub(super) struct Role(Vec<String>);

impl Role {
    /// Takes what is sent to it. Of a kind of sender, its transport counts.
    pub(super) fn sink(kind: &str, from: impl Display) -> Self {
        let transport = if kind == "tcp" { "tcp" } else { "udp" };
        Self::new("sink", transport).with("from", from)
    }

    /// Has a socket, and sends nothing.
    pub(super) fn silent(kind: &str, from: impl Display) -> Self {
        Self::new("silent", kind).with("from", from)
    }

    /// Sends so many messages.
    pub(super) fn stream(kind: &str, from: impl Display, to: impl Display, count: usize) -> Self {
        let role = Self::new("stream", kind).with("from", from).with("to", to);
        role.with("count", count)
    }

    /// Another role with a socket of a kind.
    pub(super) fn new(name: &str, kind: &str) -> Self {
        Self(vec![name.to_owned()]).with("kind", kind)
    }

    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.0.push(format!("{name}={value}"));
        self
    }

    /// The socket stays for so long after the last message, in milliseconds.
    pub(super) fn lingers(self, milliseconds: u32) -> Self {
        self.with("linger", milliseconds)
    }

    /// As arguments.
    pub(super) fn words(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

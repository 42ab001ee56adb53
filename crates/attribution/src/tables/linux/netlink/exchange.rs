//! Requests to the kernel through a netlink socket, one at a time.
//!
//! Each request has a number. An answer counts only if the kernel sent it to this socket with that
//! number, so leftovers of an earlier request do not count. After an error, this discards messages
//! that are still on their way. It repeats a few times a dump that the kernel reports as
//! interrupted, or that was truncated or lost. No wait for an answer is longer than a moment.

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::Protocol;

use super::frame;
use super::frame::{DISTURBED, Frame, Malformed};
use super::link::Received;
use crate::tables::linux::sys::Link;

/// The kernel fills at most 32 KiB at a time (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;
/// A truncated answer is requested again with a larger buffer, up to this size.
const MOST_BUFFER: usize = 1024 * 1024;
/// How often a request is repeated after an error that may pass.
const ATTEMPTS: usize = 4;
/// How long the answer to one request may take, however many parts it has.
const DEADLINE: Duration = Duration::from_secs(5);
/// The number of repetitions of interrupted calls.
const INTERRUPTIONS: usize = 100;
/// The number of parts or notifications that are discarded at a time.
const MOST_DRAINED: usize = 4_096;

/// A connection to one part of the kernel, in the network namespace of the thread that
/// opened it.
#[derive(Debug)]
pub(crate) struct Netlink {
    link: Link,
    /// The port to which the kernel sends answers.
    port: u32,
    part: Option<Protocol>,
    groups: u32,
    location: Location,
    buffer: Vec<u8>,
    sequence: u32,
    /// Whether a notification came, or may have been lost.
    has_news: bool,
    /// Whether a notification counts, by its type and the bytes after its header.
    counts: fn(u16, &[u8]) -> bool,
}

/// The network namespace in which a socket is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// The namespace of all threads except those that enter another one.
    Own,
    /// A namespace that a thread has entered: no other thread can open the socket again.
    Entered,
}

/// The parts of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// It begins, perhaps for the second time: earlier parts do not count.
    Begin,
    /// A message: its type, and the bytes after its header.
    Message(u16, &'a [u8]),
}

/// Whether an answer is one message, or many with a final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    One,
    Dump,
}

/// Why a request has no answer.
enum Trouble {
    /// The kernel refused it: nothing else follows.
    Refused(Errno),
    /// A call failed.
    Failed(io::Error),
    /// The answer was unusable, but the next one may be good.
    Spoilt(&'static str),
}

impl Netlink {
    /// Opens the socket, which receives notifications of these groups.
    pub(crate) fn open(
        part: Option<Protocol>,
        groups: u32,
        location: Location,
    ) -> io::Result<Self> {
        let link = Link::open(part, groups)?;
        Ok(Self {
            port: link.port()?,
            link,
            part,
            groups,
            location,
            buffer: vec![0; BUFFER],
            sequence: 0,
            has_news: false,
            counts: |_, _| true,
        })
    }

    /// The same, but counts only notifications that `counts` accepts.
    pub(crate) fn counting(self, counts: fn(u16, &[u8]) -> bool) -> Self {
        Self { counts, ..self }
    }

    /// Whether the kernel lists no more than a request asks for.
    pub(crate) const fn is_strict(&self) -> bool {
        self.link.is_strict()
    }

    /// Sends a request, which the closure makes for a number, and passes each message of the answer
    /// to `take`. If this fails, the caller must not use the messages.
    ///
    /// # Errors
    ///
    /// The error of the kernel, and [`io::ErrorKind::TimedOut`] or [`io::ErrorKind::InvalidData`]
    /// if it did not answer, or not in a valid form.
    pub(crate) fn ask<R: AsRef<[u8]>>(
        &mut self,
        answer: Answer,
        request: impl Fn(u32) -> R,
        mut take: impl FnMut(Part<'_>) -> Result<(), Malformed>,
    ) -> io::Result<()> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.sequence = self.sequence.wrapping_add(1);
            let result = self.ask_once(answer, request(self.sequence).as_ref(), &mut take);
            let Err(trouble) = result else {
                return Ok(());
            };
            if let Trouble::Refused(error) = trouble
                && !may_pass(error)
            {
                return Err(error.into());
            }
            self.recover();
            if attempts >= ATTEMPTS || !trouble.may_pass() {
                return Err(trouble.into());
            }
        }
    }

    /// Whether notifications came since the last call, or may have been lost.
    pub(crate) fn take_news(&mut self) -> bool {
        // If the socket cannot be read, there may be notifications.
        let is_whole = self.drain().is_ok();
        !is_whole | std::mem::take(&mut self.has_news)
    }

    fn ask_once(
        &mut self,
        answer: Answer,
        request: &[u8],
        take: &mut impl FnMut(Part<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Trouble> {
        let malformed = |Malformed| Trouble::Spoilt("a malformed message");
        take(Part::Begin).map_err(malformed)?;
        uninterrupted(|| self.link.send(request)).map_err(Trouble::Failed)?;
        let mut deadline = None;
        let mut is_disturbed = false;
        loop {
            let received = self.receive(true).map_err(Trouble::Failed)?;
            let Some(bytes) = self.buffer.get(..received.length) else {
                self.grow(received.length);
                return Err(Trouble::Spoilt("a message that was cut off"));
            };
            let messages = received.is_from_kernel.then(|| frame::messages(bytes));
            for message in messages.into_iter().flatten() {
                let (header, frame) = message.map_err(malformed)?;
                if header.port != self.port || header.sequence != self.sequence {
                    // The rest of an answer to an earlier request is no notification.
                    self.has_news |= header.port != self.port && self.is_counted(frame);
                    continue;
                }
                is_disturbed |= header.flags & DISTURBED != 0;
                match frame {
                    Frame::Error(0) | Frame::Nothing => {}
                    Frame::Error(number) => {
                        let number = Errno::from_raw_os_error(number.wrapping_neg());
                        return Err(Trouble::Refused(number));
                    }
                    Frame::Lost => return Err(Trouble::Spoilt("messages that were lost")),
                    Frame::Done if is_disturbed => {
                        return Err(Trouble::Spoilt("what changed while it was listed"));
                    }
                    Frame::Done if answer == Answer::Dump => return Ok(()),
                    Frame::Done => return Err(Trouble::Spoilt("the end of a list")),
                    Frame::Other(kind, body) => {
                        take(Part::Message(kind, body)).map_err(malformed)?;
                        if answer == Answer::One {
                            return Ok(());
                        }
                    }
                }
            }
            // Usually the answer has one part.
            let now = Instant::now();
            if *deadline.get_or_insert(now + DEADLINE) <= now {
                return Err(Trouble::Failed(Errno::TIMEDOUT.into()));
            }
        }
    }

    /// Receives into the buffer.
    fn receive(&mut self, waits: bool) -> io::Result<Received> {
        uninterrupted(|| self.link.receive(&mut self.buffer, waits))
    }

    fn grow(&mut self, length: usize) {
        let wanted = length.next_power_of_two().min(MOST_BUFFER);
        self.buffer.resize(wanted.max(self.buffer.len()), 0);
    }

    /// Discards the rest of an answer. If that does not end, opens the socket again if possible:
    /// the rest has another number anyway.
    fn recover(&mut self) {
        if self.drain().is_ok() || self.location == Location::Entered {
            return;
        }
        match Self::open(self.part, self.groups, self.location) {
            Ok(opened) => {
                let sequence = self.sequence;
                *self = Self {
                    sequence,
                    // Notifications may have been lost in the meantime.
                    has_news: true,
                    counts: self.counts,
                    ..opened
                };
            }
            Err(error) => tracing::debug!(%error, "a netlink socket was not opened again"),
        }
    }

    /// Discards the messages that have arrived.
    fn drain(&mut self) -> io::Result<()> {
        for _ in 0..MOST_DRAINED {
            match self.receive(false) {
                Ok(received) => self.has_news |= self.is_news(received),
                // A message was lost because there was no room for it.
                Err(error) if is(&error, Errno::NOBUFS) => self.has_news = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::Other.into())
    }

    /// Whether a received message is a notification.
    fn is_news(&self, received: Received) -> bool {
        let Some(bytes) = self.buffer.get(..received.length) else {
            return true;
        };
        let is_none = |message: Result<(frame::Header, Frame<'_>), Malformed>| {
            message.is_ok_and(|(header, frame)| header.port == self.port || !self.is_counted(frame))
        };
        received.is_from_kernel && !frame::messages(bytes).all(is_none)
    }

    fn is_counted(&self, frame: Frame<'_>) -> bool {
        match frame {
            Frame::Other(kind, body) => (self.counts)(kind, body),
            _ => true,
        }
    }
}

impl Trouble {
    /// Whether the next attempt may succeed.
    fn may_pass(&self) -> bool {
        match self {
            Self::Refused(error) => may_pass(*error),
            // Waiting twice for an answer that does not come takes too long.
            Self::Failed(error) => {
                Errno::from_io_error(error).is_some_and(may_pass)
                    && error.kind() != io::ErrorKind::WouldBlock
            }
            Self::Spoilt(_) => true,
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(error) => error.into(),
            Trouble::Failed(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Self::new(io::ErrorKind::TimedOut, "no answer came in time")
            }
            Trouble::Failed(error) => error,
            Trouble::Spoilt(what) => {
                let message = format!("the answer was {what}");
                Self::new(io::ErrorKind::InvalidData, message)
            }
        }
    }
}

/// Errors that may be gone at the next attempt: no room for a moment, another dump on this socket.
fn may_pass(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOBUFS | Errno::AGAIN | Errno::BUSY | Errno::INTR | Errno::NOMEM
    )
}

/// Repeats a call that a signal interrupts.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..INTERRUPTIONS {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
    call()
}

fn is(error: &io::Error, number: Errno) -> bool {
    Errno::from_io_error(error) == Some(number)
}

//! The faults of a script.

use rustix::io::Errno;

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails.
    Error(Errno),
    /// Something of the host changes before it.
    Change(super::world::Change),
    /// A fault hits the next answer of the kernel.
    Astray(Astray),
}

/// A fault of an answer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Astray {
    /// The kernel returns an error instead.
    Refused(Errno),
    /// A part is lost, and the socket reports it.
    Overrun,
    /// A part is lost, and a message reports it.
    OverrunMessage,
    /// It is late: it arrives before the answer to the next request.
    Late,
    /// Every part arrives twice.
    Twice,
    /// All but the last part arrive in another order.
    Reordered,
    /// A part is truncated, and its length shows it.
    CutOff,
    /// A part ends within a message.
    Malformed,
    /// Its end is missing.
    Endless,
    /// A whole list arrives at once, including its end.
    AtOnce,
    /// The list changed meanwhile, and the kernel reports it.
    Disturbed,
    /// Another process sends an answer first.
    Forged,
    /// An answer without a request arrives first.
    WrongNumber,
    /// An answer to another socket arrives first.
    WrongPort,
    /// A message without content arrives first.
    Empty,
}

impl Astray {
    pub(crate) const ALL: [Self; 18] = [
        Self::Refused(Errno::NOMEM),
        Self::Refused(Errno::BUSY),
        Self::Refused(Errno::PERM),
        Self::Refused(Errno::INVAL),
        Self::Overrun,
        Self::OverrunMessage,
        Self::Late,
        Self::Twice,
        Self::Reordered,
        Self::CutOff,
        Self::Malformed,
        Self::Endless,
        Self::AtOnce,
        Self::Disturbed,
        Self::Forged,
        Self::WrongNumber,
        Self::WrongPort,
        Self::Empty,
    ];
}

/// The errors of failing calls.
pub(crate) const ERRORS: [Errno; 9] = [
    Errno::MFILE,
    Errno::NFILE,
    Errno::ACCESS,
    Errno::PERM,
    Errno::NOMEM,
    Errno::NOBUFS,
    Errno::INTR,
    Errno::AGAIN,
    Errno::IO,
];

//! What a script lets go wrong.

use rustix::io::Errno;

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call fails.
    Error(Errno),
    /// Something of the host changes before it.
    Change(super::world::Change),
    /// Something befalls the next answer of the kernel.
    Astray(Astray),
}

/// What may befall an answer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Astray {
    /// The kernel says an error instead.
    Refused(Errno),
    /// A part is lost, and the socket says so.
    Overrun,
    /// A part is lost, and a message says so.
    OverrunMessage,
    /// It is late: it comes before the answer to the next question.
    Late,
    /// Every part comes twice.
    Twice,
    /// All but the last part come in another order.
    Reordered,
    /// A part is cut off, and its length says so.
    CutOff,
    /// A part ends within a message.
    Malformed,
    /// Its end is missing.
    Endless,
    /// All of a list comes at once, its end included.
    AtOnce,
    /// The list changed meanwhile, and the kernel says so.
    Disturbed,
    /// Another process sends an answer first.
    Forged,
    /// An answer to nobody's question comes first.
    WrongNumber,
    /// An answer to another socket comes first.
    WrongPort,
    /// A message that says nothing comes first.
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

/// With what calls fail.
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

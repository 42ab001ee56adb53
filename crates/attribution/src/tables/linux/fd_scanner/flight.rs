//! Sockets in flight from one process to another (unix(7), `SCM_RIGHTS`): no process has a
//! descriptor for them, and the kernel does not show which they are.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::{FdScanner, lock};
use crate::tables::linux::procfs::proc::{Proc, ReadBuffers, Table, read};

impl FdScanner {
    /// Whether some socket may be in flight.
    pub(super) fn is_any_in_flight(&self, buffers: &mut ReadBuffers) -> bool {
        !self.shows_flights(buffers) || self.has_unaccepted(buffers) || self.is_any_sent(buffers)
    }

    /// Whether the kernel shows how many descriptors wait in a unix socket: since Linux 5.6
    /// (`unix_show_fdinfo` in `net/unix/af_unix.c`).
    fn shows_flights(&self, buffers: &mut ReadBuffers) -> bool {
        let Ok((one, _other)) = UnixStream::pair() else {
            return false;
        };
        let own = self.proc.process(std::process::id());
        let number = one.as_raw_fd().unsigned_abs();
        own.is_ok_and(|own| {
            let info = Proc::info(&own, (0, number), buffers);
            info.is_ok_and(|info| waiting(info).is_some())
        })
    }

    /// Whether some connection of unix sockets is not accepted yet: the kernel does not show the
    /// descriptors that wait in it. Such a socket has no inode yet.
    fn has_unaccepted(&self, buffers: &mut ReadBuffers) -> bool {
        let root = self.proc.root();
        let text = read(root, c"thread-self/net/unix", usize::MAX, buffers);
        text.map_or(true, has_unaccepted)
    }

    fn is_any_sent(&self, buffers: &mut ReadBuffers) -> bool {
        let pids = self.index().pids();
        pids.into_iter().any(|pid| {
            let began = Instant::now();
            if !lock(&self.budget).has_any(began) {
                return true;
            }
            let is_any = self.is_any_sent_to(pid, buffers);
            lock(&self.budget).spend(began.elapsed());
            is_any
        })
    }

    fn is_any_sent_to(&self, pid: u32, buffers: &mut ReadBuffers) -> bool {
        let sockets: Vec<(u32, u32)> = {
            let index = self.index();
            let Some(known) = index.scanned(pid).filter(|known| known.holds_any()) else {
                return false;
            };
            let place = |(table, number)| match table {
                Table::Process => (0, number),
                Table::Thread(thread) => (thread, number),
                // `fdinfo` describes the ring.
                Table::Ring { thread, descriptor } => (thread, descriptor),
            };
            known.descriptors().map(place).collect()
        };
        let Ok(directory) = self.proc.process(pid) else {
            return false;
        };
        sockets.into_iter().any(|place| {
            let info = Proc::info(&directory, place, buffers);
            info.is_ok_and(|info| waiting(info).is_some_and(|count| count > 0))
        })
    }
}

/// The number of descriptors that wait in a unix socket, from its `fdinfo`.
fn waiting(info: &[u8]) -> Option<u32> {
    let mut lines = info.split(|byte| *byte == b'\n');
    let count = lines.find_map(|line| line.strip_prefix(b"scm_fds:"))?;
    std::str::from_utf8(count).ok()?.trim().parse().ok()
}

/// Whether `/proc/net/unix` (proc(5)) has a socket without an inode.
fn has_unaccepted(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').skip(1);
    lines.any(|line| {
        let mut fields = line.split(u8::is_ascii_whitespace);
        let mut fields = fields.by_ref().filter(|field| !field.is_empty());
        fields.nth(6) == Some(b"0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_that_wait() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t10\nino:\t41308\nscm_fds: 3\n";
        assert_eq!(waiting(text.as_bytes()), Some(3));
        assert_eq!(waiting(b"pos:\t0\n"), None);
        assert_eq!(waiting(b"scm_fds: \xff\n"), None);
    }

    #[test]
    fn connections_that_wait() {
        let first = "Num       RefCount Protocol Flags    Type St Inode Path\n";
        let held = "ffff8: 00000002 00000000 00010000 0001 01 27166 /run/x 0\n";
        let waits = "ffff9: 00000002 00000000 00000000 0001 02     0 @x\n";
        assert!(!has_unaccepted(format!("{first}{held}").as_bytes()));
        assert!(has_unaccepted(format!("{first}{held}{waits}").as_bytes()));
    }
}

//! The parser of `/proc/PID/fdinfo` of an `io_uring`. Pure: any text gives values or nothing.

use super::proc::Descriptor;

/// The sockets among the files that are registered with a ring.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Registered {
    /// By the number of the slot.
    pub(crate) sockets: Vec<Descriptor>,
    /// Whether no other registered file may be a socket.
    pub(crate) is_all: bool,
}

/// Parses the lines below `UserFiles:`, such as `    0: socket:[41264]` (`__io_uring_show_fdinfo`
/// in `io_uring/fdinfo.c`). They are missing while the ring is in use. Before Linux 6.3, they do
/// not identify the socket.
pub(crate) fn registered(text: &[u8]) -> Registered {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines();
    let mut found = Registered::default();
    let Some(count) = lines.find_map(|line| line.strip_prefix("UserFiles:")) else {
        return found;
    };
    found.is_all = count.trim().parse::<u32>().is_ok();
    for line in lines {
        let Some((slot, name)) = line.split_once(": ") else {
            break;
        };
        let Ok(number) = slot.trim_start().parse() else {
            break;
        };
        match name.strip_prefix("socket:[") {
            Some(rest) => match rest.strip_suffix(']').and_then(|inode| inode.parse().ok()) {
                Some(inode) => found.sockets.push(Descriptor { inode, number }),
                None => found.is_all = false,
            },
            // A path, or a file of a file system without paths.
            None => found.is_all &= name.starts_with('/') || name.contains(":["),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 writes it.
    const RECORDED: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t41313\nSqMask:\t0x7\n\
        SqHead:\t0\nSqTail:\t0\nCachedSqHead:\t0\nCqMask:\t0xf\nCqHead:\t0\nCqTail:\t0\n\
        CachedCqTail:\t0\nSQEs:\t0\nCQEs:\t0\nSqThread:\t-1\nSqThreadCpu:\t-1\n\
        SqTotalTime:\t0\nSqWorkTime:\t0\nUserFiles:\t4\n    0: socket:[41264]\n    2: /dev/null\n\
        \u{20}   3: socket:[7]\nUserBufs:\t0\nPollList:\nCqOverflowList:\nNAPI:\tdisabled\n";

    fn socket(number: u32, inode: u32) -> Descriptor {
        Descriptor { inode, number }
    }

    #[test]
    fn the_format_of_this_kernel() {
        let expected = Registered {
            sockets: vec![socket(0, 41264), socket(3, 7)],
            is_all: true,
        };
        assert_eq!(registered(RECORDED.as_bytes()), expected);
    }

    #[test]
    fn a_file_that_may_be_a_socket_is_not_skipped() {
        let is_all = |text: &str| registered(text.as_bytes()).is_all;
        // The ring is in use, or an older kernel gives only the protocol.
        assert!(!is_all("SqMask:\t0x7\n"));
        assert!(!is_all("UserFiles:\t1\n    0: TCP\nUserBufs:\t0\n"));
        assert!(!is_all("UserFiles:\t1\n    0: socket:[x]\n"));
        assert!(is_all(
            "UserFiles:\t2\n    0: anon_inode:[eventfd]\n    1: pipe:[8]\n"
        ));
        assert!(is_all("UserFiles:\t0\nUserBufs:\t0\n"));
    }

    proptest! {
        #[test]
        fn each_socket_is_found(sockets in prop::collection::btree_map(0..9_999_u32, any::<u32>(), 0..20)) {
            let line = |(slot, inode): (&u32, &u32)| format!("{slot:5}: socket:[{inode}]\n");
            let lines: String = sockets.iter().map(line).collect();
            let text = format!("SqMask:\t0x7\nUserFiles:\t{}\n{lines}UserBufs:\t0\n", sockets.len());
            let expected: Vec<_> = sockets.iter().map(|(slot, inode)| socket(*slot, *inode)).collect();
            prop_assert_eq!(registered(text.as_bytes()), Registered { sockets: expected, is_all: true });
        }

        #[test]
        fn any_text_is_survived(text in any::<Vec<u8>>(), lines in "(UserFiles:\t[0-9]{0,3}\n)?([ 0-9:a-z\\[\\]/]{0,20}\n){0,9}") {
            registered(&text);
            registered(lines.as_bytes());
        }
    }
}

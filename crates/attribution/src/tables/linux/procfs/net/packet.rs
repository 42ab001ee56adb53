//! `/proc/net/packet` (`packet_seq_show` in `net/packet/af_packet.c`). Pure. It shows neither
//! filters nor rings.

use crate::answer::PacketSocket;
use crate::tables::linux::netlink::message::DiagSocket;
use crate::tables::linux::netlink::packet_diag::{socket, socket_kind};

/// The sockets of the list. Skips other lines, such as the heading.
pub(super) fn parse(text: &[u8]) -> impl Iterator<Item = DiagSocket> {
    text.split(|byte| *byte == b'\n').filter_map(line)
}

/// `sk RefCnt Type Proto Iface R Rmem User Inode`.
fn line(line: &[u8]) -> Option<DiagSocket> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let kind = fields.nth(2)?.parse::<u8>().ok()?;
    let ether_type = u16::from_str_radix(fields.next()?, 16).ok()?;
    let device = fields.next()?.parse::<u32>().ok()?;
    let uid = fields.nth(2)?.parse().ok()?;
    let inode = fields.next()?.parse::<u32>().ok()?;
    let facts = PacketSocket::new(socket_kind(kind), ether_type);
    let device = Some(device).filter(|index| *index != 0);
    Some(socket(facts, device, (inode, uid)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::answer::PacketKind;

    #[test]
    fn lines_of_the_kernel_are_parsed() {
        let text = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
            00000000a1b2c3d4 3      3    0003   2     1 0      1000   34567 \n\
            00000000a1b2c3d5 3      2    888e   0     1 512    0      34568 \n";
        let found: Vec<_> = parse(text.as_bytes()).collect();
        let parsed = found.iter().map(|one| {
            let facts = one.packet.unwrap();
            (facts.kind, facts.ether_type, one.device, one.uid, one.inode)
        });
        let expected = [
            (PacketKind::Frame, 3, Some(2), 1_000, 34_567),
            (PacketKind::Datagram, 0x888e, None, 0, 34_568),
        ];
        assert_eq!(parsed.collect::<Vec<_>>(), expected);
        // The list does not show whether they can only receive.
        assert!(found.iter().all(|one| !one.packet.unwrap().may_send_ip()));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in any::<Vec<u8>>(), lines in "[ :0-9a-f\n]{0,200}") {
            parse(&text).for_each(drop);
            parse(lines.as_bytes()).for_each(drop);
        }
    }
}

//! OpenBSD: its loopback (`LOOP`) is 12, `ENC` 13, raw IP (`RAW`) 14, `ATM_RFC1483` 11, `ATM_CLIP` 19.

pub(crate) const fn in_files(number: i32) -> Option<i32> {
    match number {
        12 => Some(108),
        13 => Some(109),
        14 => Some(101),
        11 => Some(100),
        19 => Some(106),
        _ => None,
    }
}

#[cfg(feature = "pcap")]
pub(crate) const fn of_files(number: i32) -> Option<i32> {
    match number {
        108 => Some(12),
        109 => Some(13),
        101 => Some(14),
        100 => Some(11),
        106 => Some(19),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::LinkType;

    #[test]
    fn numbers_of_this_system() {
        assert_eq!(LinkType::from_number(12), Some(LinkType::Loop));
        assert_eq!(LinkType::from_number(14), Some(LinkType::RawIp));
    }
}

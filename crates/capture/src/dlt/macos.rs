//! macOS: raw IP (`RAW`) is 12, `ATM_RFC1483` 11, `ATM_CLIP` 19, and `PKTAP` has the number that
//! is `USER2` elsewhere.

pub(crate) const fn in_files(number: i32) -> Option<i32> {
    match number {
        12 => Some(101),
        11 => Some(100),
        19 => Some(106),
        149 => Some(258),
        _ => None,
    }
}

#[cfg(feature = "pcap")]
pub(crate) const fn of_files(number: i32) -> Option<i32> {
    match number {
        101 => Some(12),
        100 => Some(11),
        106 => Some(19),
        258 => Some(149),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::LinkType;

    #[test]
    fn numbers_of_this_system() {
        assert_eq!(LinkType::from_number(12), Some(LinkType::RawIp));
        assert_eq!(LinkType::from_number(149), Some(LinkType::Pktap));
    }
}

//! Linux: `flags` of Documentation/ABI/testing/sysfs-class-net in the kernel.

use std::fs;
use std::path::Path;

/// `IFF_UP` of netdevice(7).
const UP: u32 = 1;

pub(super) fn is_up(device: &str) -> Option<bool> {
    let path = Path::new("/sys/class/net").join(device).join("flags");
    let text = fs::read_to_string(path).ok()?;
    let flags = u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()?;
    Some(flags & UP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_neither_up_nor_down() {
        assert!(is_up("lo").is_some());
        assert_eq!(is_up("no-such-device"), None);
    }
}

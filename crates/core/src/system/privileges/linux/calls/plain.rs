//! Processors on which each call has one number, and path arguments come with a directory.

pub(in crate::system::privileges::platform) const fn twin(_: i64) -> Option<i64> {
    None
}

pub(in crate::system::privileges::platform) const NEVER: &[i64] = &[];
pub(in crate::system::privileges::platform) const EXECUTE_X32: &[i64] = &[];
pub(in crate::system::privileges::platform) const CHANGE: &[i64] = &[];
pub(in crate::system::privileges::platform) const OPEN: &[i64] = &[];

//! Where flows go while a monitor runs: to whoever reads its events, and into files.

pub(crate) mod events;
pub(crate) mod record;

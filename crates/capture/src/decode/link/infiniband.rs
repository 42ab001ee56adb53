//! IP over InfiniBand (RFC 4391).

use super::{Layer, Step};
use crate::decode::span::Span;

/// A global routing header, which may be zeros, then an ether type 2 bytes and reserved 2.
pub(super) fn ip_over_infiniband(frame: Span<'_>) -> Step<'_> {
    let (_, rest) = frame.split::<40>()?;
    let ([t0, t1, _, _], rest) = rest.split()?;
    Ok((Layer::EtherType(u16::from_be_bytes([t0, t1])), rest))
}

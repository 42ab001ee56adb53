//! The ports of the conversations that the made-up host opens.

/// The number of ports for each kind of conversation that this host opens; the ranges follow each
/// other.
const PORTS_EACH: u16 = 600;
const FIRST_PORT: u16 = 34_000;

/// The port of the conversation with this number, of a kind.
pub(super) fn port_of(talk: usize, number: u32) -> u16 {
    let place = u16::try_from(number % u32::from(PORTS_EACH)).unwrap_or(0);
    first_port(talk) + place
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "there are not that many kinds"
)]
pub(super) const fn first_port(talk: usize) -> u16 {
    FIRST_PORT + (talk as u16) * PORTS_EACH
}

/// The kind and the number of the conversation on a port, if one may use it.
pub(super) fn conversation(port: u16) -> Option<(usize, u32)> {
    let place = port.checked_sub(FIRST_PORT)?;
    Some((
        usize::from(place / PORTS_EACH),
        u32::from(place % PORTS_EACH),
    ))
}

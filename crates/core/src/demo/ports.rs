//! The ports that the made-up host takes for the conversations that it opens.

/// Ports of conversations that this host opens: so many for each kind, one after the
/// other.
const PORTS_EACH: u16 = 600;
const FIRST_PORT: u16 = 34_000;

/// The port of the so-manieth conversation of a kind.
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

/// Of which kind the conversation on a port may be, and the so-manieth it is.
pub(super) fn conversation(port: u16) -> Option<(usize, u32)> {
    let place = port.checked_sub(FIRST_PORT)?;
    Some((
        usize::from(place / PORTS_EACH),
        u32::from(place % PORTS_EACH),
    ))
}

//! Protocols that begin in the clear and change to TLS: where their `ClientHello` begins.

/// The most of a client's commands before that, in bytes.
const MAX_COMMANDS: usize = 2_048;
/// FTP, SMTP, POP3, IMAP, submission, `ManageSieve`, XMPP.
const PORTS: [u16; 9] = [21, 25, 110, 143, 587, 2_525, 4_190, 5_222, 5_269];
/// The commands, in upper case, at the end of what is sent in the clear (RFC 3207, 9051, 2595, 4217).
const COMMANDS: [&[u8]; 3] = [b"STARTTLS\r\n", b"STLS\r\n", b"AUTH TLS\r\n"];
/// `SSLRequest` of PostgreSQL, a message of eight bytes.
const POSTGRES: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Length and number of the `SSLRequest` of MySQL, and the flag that makes it one.
const MYSQL: [u8; 4] = [32, 0, 0, 1];
const MYSQL_LENGTH: usize = 36;
const MYSQL_TLS: u8 = 0x08;
/// The name of the operation of LDAP (RFC 4511, section 4.14).
const LDAP: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// Where the part in the clear ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// After so many bytes.
    At(usize),
    NotYet,
    Never,
}

/// Of what a client sent to this port.
pub(super) fn end(stream: &[u8], port: u16) -> End {
    if let Some(end) = binary(stream) {
        return end;
    }
    if !PORTS.contains(&port) || stream.len() > MAX_COMMANDS {
        return End::Never;
    }
    let upper = stream.to_ascii_uppercase();
    let after = |command: &&[u8]| {
        let at = upper
            .windows(command.len())
            .position(|part| part == *command)?;
        Some(at + command.len())
    };
    if let Some(at) = COMMANDS.iter().filter_map(after).min() {
        return End::At(at);
    }
    // XMPP's element ends wherever it does (RFC 6120, section 5.4).
    if let Some(begin) = upper.windows(9).position(|part| part == b"<STARTTLS")
        && let Some(length) = upper[begin..].iter().position(|&byte| byte == b'>')
    {
        return End::At(begin + length + 1);
    }
    End::NotYet
}

/// Protocols whose request is one message.
fn binary(stream: &[u8]) -> Option<End> {
    if stream.starts_with(&POSTGRES) {
        return Some(End::At(POSTGRES.len()));
    }
    if stream.starts_with(&MYSQL) && stream.get(5)? & MYSQL_TLS != 0 {
        return Some(if stream.len() < MYSQL_LENGTH {
            End::NotYet
        } else {
            End::At(MYSQL_LENGTH)
        });
    }
    // A sequence with a length of one byte (X.690), around it.
    if let [0x30, length @ 0..=0x7f, content @ ..] = stream {
        let message = content.get(..usize::from(*length))?;
        let is_it = message.windows(LDAP.len()).any(|part| part == LDAP);
        return is_it.then_some(End::At(2 + message.len()));
    }
    // RDP: a request for a connection in a packet of TPKT (RFC 1006).
    if let [3, 0, 0, length, ..] = stream {
        let length = usize::from(*length);
        return (stream.get(5)? & 0xf0 == 0xe0 && stream.len() >= length)
            .then_some(End::At(length));
    }
    None
}

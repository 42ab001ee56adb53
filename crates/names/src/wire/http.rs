//! The host that a request of HTTP/1 is for (RFC 9112).

use super::{Parsed, ServerName};
use crate::Name;

/// The most of a request that is read, in bytes.
pub const MAX_REQUEST: usize = 8 << 10;
/// Header fields of a request.
const MAX_FIELDS: usize = 64;
/// What requests begin with. Others are too rare to be worth a buffer.
const METHODS: [&[u8]; 10] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PROPFIND ",
];

/// Reads the first bytes of a client's stream.
#[must_use]
pub fn read(stream: &[u8]) -> Parsed {
    if !begins_like_a_request(stream) {
        return Parsed::Other;
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(stream) {
        Ok(httparse::Status::Complete(_)) => Parsed::Complete(server_name(&request)),
        Ok(httparse::Status::Partial) if stream.len() < MAX_REQUEST => {
            // The field that matters may be there already.
            match server_name(&request) {
                Some(name) => Parsed::Complete(Some(name)),
                None => Parsed::Partial,
            }
        }
        Ok(httparse::Status::Partial) | Err(_) => Parsed::Other,
    }
}

/// Whether it is the beginning of a request, as far as there is one.
fn begins_like_a_request(stream: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let common = method.len().min(stream.len());
        method[..common] == stream[..common]
    })
}

fn server_name(request: &httparse::Request<'_, '_>) -> Option<ServerName> {
    let target = request.path?;
    let is_connect = request.method == Some("CONNECT");
    // A proxy gets the whole of the address (RFC 9112, section 3.2.2).
    let absolute = target.split_once("://").map(|(_, rest)| rest);
    let of_target = match (is_connect, absolute) {
        (true, _) => Some(target),
        (false, Some(rest)) => rest.split(['/', '?']).next(),
        (false, None) => None,
    };
    let host = if let Some(authority) = of_target {
        authority.as_bytes()
    } else {
        let mut fields = request.headers.iter();
        let field = fields.find(|field| field.name.eq_ignore_ascii_case("host"))?;
        field.value.trim_ascii()
    };
    Some(ServerName {
        name: Name::from_text(without_port(host))?,
        may_be_outer: false,
        is_proxied: of_target.is_some(),
    })
}

/// Without a user and a port. Addresses in brackets are no names.
fn without_port(authority: &[u8]) -> &[u8] {
    let mut parts = authority.rsplit(|&byte| byte == b'@');
    let host = parts.next().unwrap_or_default();
    if host.starts_with(b"[") {
        return &[];
    }
    host.split(|&byte| byte == b':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Wherever a request is cut, it names the host that the whole names, or none yet.
        #[test]
        fn a_part_says_nothing_else(
            target in prop::sample::select(vec!["/", "/a?b=c", "http://www.example.com/x", "*"]),
            before in "[A-Z][a-z]{0,8}: [ -~]{0,20}",
            host in "[a-z]{1,12}\\.example\\.com(:[0-9]{1,5})?",
            newline in prop::sample::select(vec!["\r\n", "\n"]),
        ) {
            let lines = [format!("GET {target} HTTP/1.1"), before, format!("Host: {host}")];
            let request = lines.join(newline) + newline + newline;
            let whole = read(request.as_bytes());
            for cut in 0..request.len() {
                let part = read(&request.as_bytes()[..cut]);
                prop_assert!(part == Parsed::Partial || part == whole, "{cut} of {request:?}: {part:?}");
            }
        }
    }
}

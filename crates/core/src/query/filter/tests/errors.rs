//! What is no filter, and what the error says.

use super::*;

/// The message, and what is marked.
#[track_caller]
fn check_error(expression: &str, marked: &str, message: &str) {
    let error = Filter::parse(expression).unwrap_err();
    assert_eq!(
        &expression[error.span.clone()],
        marked,
        "{}",
        error.render()
    );
    assert!(error.message.starts_with(message), "{}", error.render());
    assert_eq!(error.expression, expression);
}

#[test]
fn errors_name_the_key() {
    check_error(
        "a prot:tcp",
        "prot",
        "unknown key `prot`; did you mean `proto`?",
    );
    check_error(
        "progarm:x",
        "progarm",
        "unknown key `progarm`; did you mean `program`?",
    );
    check_error(
        "c:\\x",
        "c",
        "unknown key `c`; known are program, pid, user",
    );
    check_error("port=443", "=", "port is written as in port:8000-9000");
    check_error("a bytes:5", ":", "bytes is written as in bytes>10k");
    check_error(
        "a port: b",
        "port:",
        "port needs a value, as in port:8000-9000",
    );
    check_error("bytes>", "bytes>", "bytes needs a value, as in bytes>10k");
    check_error("user:\"\"", "user:\"\"", "user needs a value");
}

#[test]
fn errors_name_the_value() {
    check_error(
        "port:9-8 a",
        "9-8",
        "the range `9-8` is empty; did you mean 8-9?",
    );
    check_error("port:http", "http", "`http` is not a valid port");
    check_error("!host:10.0.0", "10.0.0", "`10.0.0` is not a valid address");
    check_error("remote:[::1:5", "[::1:5", "`[::1:5` has a `[` without `]`");
    check_error("pid:x", "x", "`x` is not a valid process id");
    check_error("proto:tpc", "tpc", "`tpc` is not a valid protocol");
    check_error(
        "service:htps",
        "htps",
        "`htps` is not a valid service name; did you mean `https`?",
    );
    check_error(
        "service:8443",
        "8443",
        "`8443` is not a valid service name; ports are chosen",
    );
    check_error(
        "state:x",
        "x",
        "`x` is not a valid state; expected one of bound, close-wait, closed, closing, datagram",
    );
    check_error(
        "dir:up",
        "up",
        "`up` is not a valid direction; expected one of outgoing, incoming",
    );
    check_error(
        "verdict:ok",
        "ok",
        "`ok` is not a valid verdict; expected one of process, shared",
    );
    check_error(
        "reason:x",
        "x",
        "`x` is not a valid reason; expected one of no-such-socket, process-exited",
    );
    check_error(
        "match:x",
        "x",
        "`x` is not a valid kind of match; expected one of five-tuple",
    );
    check_error("bytes>1.5M", "1.5M", "`1.5M` is not a valid amount");
}

#[test]
fn errors_name_what_is_missing() {
    check_error("(a or b", "(", "this `(` is never closed");
    check_error("((a)", "(", "this `(` is never closed");
    check_error("a) b", ")", "this `)` closes no `(`");
    check_error("a or", "or", "`or` needs a term behind it");
    check_error("a | | b", "|", "`|` needs a term behind it");
    check_error("or a", "or", "a term is missing before this `or`");
    check_error("(and a)", "and", "a term is missing before this `and`");
    check_error("a and", "and", "`and` needs a term behind it");
    check_error("a and or b", "and", "`and` needs a term behind it");
    check_error("a !", "!", "`!` needs a term behind it");
    check_error("(not)", "not", "`not` needs a term behind it");
    check_error("(", "(", "this `(` is never closed");
    check_error("a (  )", "(  )", "this group is empty");
    check_error("\"\"", "\"\"", "there is no text");
    check_error("a \"b", "\"b", "this quote is never closed");
}

#[test]
fn no_nesting_overflows_the_stack() {
    let many = 100_000;
    let open = "(".repeat(many);
    let error = Filter::parse(&open).unwrap_err();
    assert_eq!(error.span, 64..65);
    assert!(Filter::parse(&format!("{open}a{}", ")".repeat(many))).is_err());
    assert!(Filter::parse(&"!(".repeat(many)).is_err());
    let negated = Filter::parse(&format!("{}a", "!".repeat(many + 1))).unwrap();
    assert_eq!(negated.to_string(), "!a");
    let wide = Filter::parse(&"(a) or ".repeat(many)).unwrap_err();
    assert_eq!(&wide.expression[wide.span], "or");
}

//! Filters that a click asks for, in the language that is typed.

use flowner_core::attribution::{Reason, UnitKind};
use flowner_core::text::mask;
use flowner_core::{Coverage, HostGroup, Principal, Service};

/// The flows of a principal.
pub fn of_principal(principal: &Principal) -> String {
    match principal {
        Principal::Program(program) => term("program", &program.name),
        Principal::Several(programs) => {
            let terms = programs
                .iter()
                .map(|program| term("program", &program.name));
            terms.collect::<Vec<_>>().join(" ")
        }
        Principal::Unit(unit) => match unit.kind {
            UnitKind::Service | UnitKind::Container | UnitKind::Flatpak | UnitKind::Snap => {
                format!("verdict:partial {}", term("unit", &unit.name))
            }
            _ => term("unit", &unit.name),
        },
        Principal::User(user) => {
            let name = user.name.clone().unwrap_or_else(|| user.id.to_string());
            format!("verdict:partial {}", term("user", &name))
        }
        Principal::Unattributed => "verdict:unknown".to_owned(),
    }
}

/// The flows with a host.
pub fn of_host(host: &HostGroup) -> Option<String> {
    Some(match host {
        HostGroup::Name(name) => term("name", name.as_str()),
        HostGroup::Address(address) => format!("host:{address}"),
        // Of a later version.
        _ => return None,
    })
}

/// The flows of a service.
pub fn of_service(service: Service) -> String {
    if service.port == 0 {
        format!("proto:{}", service.protocol)
    } else {
        format!("proto:{} port:{}", service.protocol, service.port)
    }
}

/// The flows whose owners are known in this way.
pub fn of_coverage(coverage: Coverage) -> Option<String> {
    Some(match coverage {
        Coverage::Named => "verdict:process or verdict:shared".to_owned(),
        Coverage::Partial => "verdict:partial".to_owned(),
        Coverage::Unknown(reason) => of_reason(reason),
        Coverage::Unresolved => return None,
    })
}

fn of_reason(reason: Reason) -> String {
    format!("reason:{}", reason.name())
}

/// A key and a text as it is shown, by which it is found, too; quoted where the language needs it.
fn term(key: &str, text: &str) -> String {
    let text = &*mask(text);
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        format!("{key}:{text}")
    } else {
        format!("{key}:\"{}\"", text.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use flowner_core::attribution::{Process, Unit, User};
    use flowner_core::flows::Protocol;
    use flowner_core::{Filter, Name, Program};

    #[track_caller]
    fn check(query: &str, expected: &str) {
        assert_eq!(query, expected);
        assert!(Filter::parse(query).is_ok(), "{query}");
    }

    #[test]
    fn what_a_click_asks_for_can_be_typed() {
        let program =
            |name: &str| Principal::Program(Arc::new(Program::of(&Process::new(1, name))));
        check(&of_principal(&program("firefox")), "program:firefox");
        check(
            &of_principal(&program("a \"b\"")),
            "program:\"a \"\"b\"\"\"",
        );
        check(
            &of_principal(&program("a\u{202e}b")),
            r#"program:"a\u{202e}b""#,
        );
        let unit = Unit::new(UnitKind::Service, "ssh.service");
        check(
            &of_principal(&Principal::Unit(unit)),
            "verdict:partial unit:ssh.service",
        );
        let user = User::new(7, None);
        check(
            &of_principal(&Principal::User(user)),
            "verdict:partial user:7",
        );
        check(&of_principal(&Principal::Unattributed), "verdict:unknown");
        let address = HostGroup::Address("2001:db8::1".parse().unwrap());
        check(&of_host(&address).unwrap(), "host:2001:db8::1");
        let named = |name: &[u8]| HostGroup::Name(Name::from_text(name).unwrap());
        check(
            &of_host(&named(b"www.example.com")).unwrap(),
            "name:www.example.com",
        );
        check(
            &of_host(&named(b"a\x1bb.example")).unwrap(),
            r#"name:"a\027b.example""#,
        );
        let service = |protocol, port| Service { protocol, port };
        check(
            &of_service(service(Protocol::TCP, 443)),
            "proto:tcp port:443",
        );
        check(&of_service(service(Protocol::ICMP, 0)), "proto:icmp");
        for reason in Reason::ALL {
            let query = of_coverage(Coverage::Unknown(reason)).unwrap();
            assert!(Filter::parse(&query).is_ok(), "{query}");
        }
    }
}

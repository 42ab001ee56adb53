//! Any text, and any expression.

use flowner_attribution::{Match, Reason};
use flowner_flows::{Direction, Protocol, State};
use proptest::prelude::*;

use crate::model::prefix::Network;
use crate::query::filter::Filter;
use crate::query::filter::expression::Expression;
use crate::query::filter::lex::Relation;
use crate::query::filter::term::{Measure, Term};
use crate::query::filter::value::{Endpoint, Ports, Text};
use crate::samples::flow;

fn texts() -> impl Strategy<Value = Text> {
    let texts = prop_oneof![".{1,8}", "[a-z():\"| !&]{1,6}", "and|or|not"];
    let is_no_network = |text: &String| text.parse::<Network>().is_err();
    texts
        .prop_filter("is read as a network", is_no_network)
        .prop_map(|text| Text::new(&text))
}

fn networks() -> impl Strategy<Value = Network> {
    (any::<std::net::IpAddr>(), any::<u8>())
        .prop_filter_map("no prefix of its family", |(ip, prefix)| {
            Network::new(ip, prefix)
        })
}

fn ports() -> impl Strategy<Value = Ports> {
    any::<(u16, u16)>().prop_map(|(a, b)| Ports {
        first: a.min(b),
        last: a.max(b),
    })
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        networks().prop_map(Endpoint::Network),
        ports().prop_map(Endpoint::Ports),
        (networks(), ports()).prop_map(|(network, ports)| Endpoint::Both(network, ports)),
    ]
}

fn terms() -> impl Strategy<Value = Term> {
    let measures = proptest::sample::select(Measure::ALL.to_vec());
    let relations = prop_oneof![
        Just(Relation::Less),
        Just(Relation::LessOrEqual),
        Just(Relation::Equal),
        Just(Relation::NotEqual),
        Just(Relation::GreaterOrEqual),
        Just(Relation::Greater),
    ];
    prop_oneof![
        texts().prop_map(Term::Anywhere),
        texts().prop_map(Term::Program),
        texts().prop_map(Term::User),
        texts().prop_map(Term::Unit),
        texts().prop_map(Term::Country),
        any::<u32>().prop_map(Term::Asn),
        texts().prop_map(Term::Network),
        any::<u32>().prop_map(Term::Pid),
        networks().prop_map(Term::Host),
        endpoints().prop_map(Term::Local),
        endpoints().prop_map(Term::Remote),
        ports().prop_map(Term::Port),
        any::<u8>().prop_map(|number| Term::Protocol(Protocol(number))),
        Just(Term::Service("https")),
        proptest::sample::select(State::ALL.to_vec()).prop_map(|state| Term::State(state.name())),
        proptest::sample::select(Direction::ALL.to_vec()).prop_map(Term::Direction),
        texts().prop_map(Term::Device),
        Just(Term::Verdict("partial")),
        proptest::sample::select(Reason::ALL.to_vec()).prop_map(Term::Reason),
        Just(Term::Match(Match::History)),
        (measures, relations, any::<u64>()).prop_map(|(m, r, n)| Term::Amount(m, r, n)),
    ]
}

fn expressions() -> impl Strategy<Value = Expression> {
    terms()
        .prop_map(Expression::Term)
        .prop_recursive(8, 64, 4, |inner| {
            let several = prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                inner.prop_map(Expression::not),
                several.clone().prop_map(Expression::all),
                several.prop_map(Expression::any),
            ]
        })
}

/// What people write, in any order.
fn fragments() -> impl Strategy<Value = String> {
    let fragments = [
        "(",
        ")",
        "!",
        " ",
        "or",
        "and",
        "not",
        "|",
        "&",
        "\"",
        ":",
        "<",
        ">=",
        "port:",
        "443",
        "9-8",
        "bytes",
        "1M",
        "host:",
        "10.0.0.0/8",
        "[::1]",
        "ä",
        "state:closed",
        "a",
    ];
    prop::collection::vec(prop::sample::select(fragments.to_vec()), 0..24)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_shown_is_read_as_the_same(expression in expressions()) {
        let text = expression.to_string();
        let filter = Filter { expression: Some(expression) };
        prop_assert_eq!(Filter::parse(&text), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_a_filter_or_an_error_with_a_place(text in prop_oneof![fragments(), ".*"]) {
        match Filter::parse(&text) {
            Ok(filter) => {
                filter.matches(&flow(0));
                prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
            }
            Err(error) => {
                prop_assert!(error.expression.get(error.span.clone()).is_some());
                let rendered = error.render();
                let lines: Vec<_> = rendered.lines().collect();
                prop_assert!(lines.len() == 3 && lines[2].contains('^'), "{}", rendered);
            }
        }
    }
}

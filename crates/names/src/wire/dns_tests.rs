use std::time::Duration;

use proptest::prelude::*;

use super::dns::{Message, is_query, read};
use crate::samples::{Record, announcement, failure, query, response};

/// Name, address and seconds of each.
fn addresses(message: &Message) -> Vec<(String, String, u64)> {
    let addresses = message.addresses.iter();
    addresses
        .map(|address| {
            let (name, ip) = (address.name.to_string(), address.address.to_string());
            (name, ip, address.life.as_secs())
        })
        .collect()
}

fn one(name: &str, address: &str, life: u64) -> (String, String, u64) {
    (name.to_owned(), address.to_owned(), life)
}

#[test]
fn a_question_and_its_answer() {
    let asked = read(&query(7, "WWW.Example.com")).unwrap();
    assert!(!asked.is_response);
    assert_eq!((asked.id, asked.questions[0].kind), (7, 1));
    assert_eq!(asked.questions[0].name.as_str(), "www.example.com");
    let records = [
        Record::Address("www.example.com", "192.0.2.1", 60),
        Record::Address("www.example.com", "2001:db8::1", 30),
    ];
    let answer = read(&response(7, "www.example.com", &records)).unwrap();
    assert!(answer.is_response);
    assert_eq!(
        addresses(&answer),
        [
            one("www.example.com", "192.0.2.1", 60),
            one("www.example.com", "2001:db8::1", 30)
        ]
    );
}

#[test]
fn the_name_is_that_of_the_question_in_whatever_order_aliases_come() {
    let records = [
        Record::Address("edge.cdn.example", "192.0.2.9", 300),
        Record::Alias("b.example", "edge.cdn.example", 20),
        Record::Alias("www.example.com", "b.example", 600),
        // What nobody asked for, and no alias leads to.
        Record::Address("bank.example", "192.0.2.66", 300),
    ];
    for turn in 0..records.len() {
        let mut records = records.to_vec();
        records.rotate_left(turn);
        let answer = read(&response(1, "www.example.com", &records)).unwrap();
        assert_eq!(
            addresses(&answer),
            [one("www.example.com", "192.0.2.9", 20)]
        );
    }
}

#[test]
fn aliases_in_a_circle_end() {
    let records = [
        Record::Alias("a.example", "b.example", 1),
        Record::Alias("b.example", "a.example", 1),
        Record::Address("b.example", "192.0.2.1", 9),
    ];
    let answer = read(&response(1, "a.example", &records)).unwrap();
    assert_eq!(addresses(&answer), [one("a.example", "192.0.2.1", 1)]);
}

#[test]
fn hints_of_services_are_addresses() {
    let records = [
        Record::Https(
            "_8443._https.example.com",
            "svc.example.net",
            &["192.0.2.1", "2001:db8::7"],
        ),
        Record::Address("svc.example.net", "192.0.2.2", 60),
    ];
    let answer = read(&response(1, "_8443._https.example.com", &records)).unwrap();
    assert_eq!(
        addresses(&answer),
        [
            one("example.com", "192.0.2.1", 300),
            one("example.com", "2001:db8::7", 300),
            one("example.com", "192.0.2.2", 60)
        ]
    );
    let itself = [Record::Https("example.com", ".", &["192.0.2.1"])];
    let answer = read(&response(1, "example.com", &itself)).unwrap();
    assert_eq!(addresses(&answer), [one("example.com", "192.0.2.1", 300)]);
}

#[test]
fn a_name_that_does_not_exist_has_no_address() {
    let answer = read(&failure(1, "nowhere.example", 3)).unwrap();
    assert_eq!(answer.response_code, 3);
    assert!(answer.addresses.is_empty());
    assert_eq!(answer.questions[0].name.as_str(), "nowhere.example");
}

#[test]
fn multicast_dns_names_without_being_asked() {
    let records = [Record::Address("printer.local", "192.0.2.7", 120)];
    let told = read(&announcement(&records)).unwrap();
    assert_eq!(addresses(&told), [one("printer.local", "192.0.2.7", 120)]);
}

#[test]
fn names_are_followed_through_pointers() {
    let mut bytes = response(1, "www.example.com", &[]);
    bytes[7] = 1;
    // `www` anew, and the rest from the question.
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    let answer = read(&bytes).unwrap();
    assert_eq!(
        addresses(&answer),
        [one("www.example.com", "192.0.2.1", 60)]
    );
    // A pointer to itself.
    let at = bytes.len() - 16;
    bytes[at + 1] = u8::try_from(at).unwrap();
    assert!(read(&bytes).unwrap().addresses.is_empty());
}

#[test]
fn a_message_that_was_cut_counts_as_far_as_it_goes() {
    let records = [
        Record::Address("a.example", "192.0.2.1", 60),
        Record::Address("a.example", "192.0.2.2", 60),
    ];
    let whole = response(1, "a.example", &records);
    let cut = read(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(addresses(&cut), [one("a.example", "192.0.2.1", 60)]);
    assert_eq!(read(&whole[..20]), None);
}

#[test]
fn a_header_that_promises_much_costs_little() {
    let mut bytes = query(1, "a.example");
    // 65,535 records of each kind.
    bytes[2] = 0x80;
    bytes[6..12].fill(0xff);
    let message = read(&bytes).unwrap();
    assert_eq!(message.addresses, []);
    bytes[4..6].fill(0xff);
    assert_eq!(read(&bytes), None);
}

#[test]
fn the_shortest_life_counts() {
    let records = [
        Record::Alias("a.example", "b.example", 5),
        Record::Address("b.example", "192.0.2.1", u32::MAX >> 1),
    ];
    let answer = read(&response(1, "a.example", &records)).unwrap();
    assert_eq!(answer.addresses[0].life, Duration::from_secs(5));
    let records = [Record::Address("a.example", "192.0.2.1", 1 << 31)];
    let answer = read(&response(1, "a.example", &records)).unwrap();
    assert_eq!(answer.addresses[0].life, Duration::ZERO);
}

#[test]
fn a_question_may_have_mixed_case_and_extensions() {
    // As a resolver sends it that mixes the case to see forged answers, with EDNS (RFC 6891) after it.
    let edns = [0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0];
    let mut asked = query(7, "wWw.eXaMpLe.CoM");
    asked[11] = 1;
    asked.extend(edns);
    let asked = read(&asked).unwrap();
    assert_eq!(asked.questions[0].name.as_str(), "www.example.com");
    let told = [Record::Address("www.EXAMPLE.com", "192.0.2.1", 60)];
    let mut answer = response(7, "wWw.eXaMpLe.CoM", &told);
    answer[11] = 1;
    answer.extend(edns);
    let answer = read(&answer).unwrap();
    assert_eq!(answer.questions, asked.questions);
    assert_eq!(
        addresses(&answer),
        [one("www.example.com", "192.0.2.1", 60)]
    );
}

#[test]
fn a_question_is_known_by_its_form() {
    let plain = query(7, "www.example.com");
    let mut with_options = plain.clone();
    with_options[11] = 1;
    with_options.extend([0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 0]);
    assert!(is_query(&plain) && is_query(&with_options));
    let told = [Record::Address("a.example", "192.0.2.1", 60)];
    let behind = [&plain[..], b"x"].concat();
    let changed = |at: usize, byte| {
        let mut bytes = plain.clone();
        bytes[at] = byte;
        bytes
    };
    for other in [
        response(7, "a.example", &told),
        plain[..plain.len() - 1].to_vec(),
        behind,
        // Another operation, two questions, an answer, another class.
        changed(2, 0x28),
        changed(5, 2),
        changed(7, 1),
        changed(plain.len() - 1, 3),
    ] {
        assert!(!is_query(&other), "{other:?}");
    }
}

#[test]
fn a_truncated_answer_counts_as_far_as_it_goes() {
    let told = [Record::Address("a.example", "192.0.2.1", 60)];
    let mut answer = response(7, "a.example", &told);
    // The flag, and a promise of a record that is not there.
    answer[2] |= 2;
    answer[7] = 2;
    let answer = read(&answer).unwrap();
    assert_eq!(addresses(&answer), [one("a.example", "192.0.2.1", 60)]);
}

#[test]
fn pointers_in_a_circle_end() {
    let mut bytes = response(1, "a.example", &[]);
    bytes[7] = 1;
    let at = u8::try_from(bytes.len()).unwrap();
    // Each of two pointers leads to the other one.
    bytes.extend([
        0xc0,
        at + 2,
        0xc0,
        at,
        0,
        1,
        0,
        1,
        0,
        0,
        0,
        60,
        0,
        4,
        192,
        0,
        2,
        1,
    ]);
    assert!(read(&bytes).unwrap().addresses.is_empty());
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Some(message) = read(&bytes) {
            prop_assert!(message.questions.len() <= 32);
        }
    }

    /// A message that somebody changed: never a panic, and never more than a message has.
    #[test]
    fn damaged(at in 0_usize..120, byte: u8, cut in 0_usize..120) {
        let records = [
            Record::Alias("www.example.com", "b.example", 1),
            Record::Https("b.example", "c.example", &["192.0.2.1"]),
            Record::Address("c.example", "2001:db8::1", 9),
        ];
        let mut bytes = response(1, "www.example.com", &records);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        if let Some(message) = read(&bytes) {
            prop_assert!(message.addresses.len() <= 128);
        }
    }
}

//! Any bytes as a desktop entry: what is read of it, what its command starts, and what is
//! found by that.

#![no_main]

use std::path::Path;

use flowner_icons::{Catalog, Entry, Locale, ProgramQuery, started, tile};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(entry) = Entry::parse("org.x.Y", data, &Locale::new("sr_RS@latin")) else {
        return;
    };
    let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
    started(&words);
    tile(&entry.id, &entry.name);
    let first = entry.command.first().cloned().unwrap_or_default();
    let arguments: Vec<_> = entry.command.iter().map(Into::into).collect();
    let id = entry.id.clone();
    let catalog = Catalog::new(vec![entry]);
    let subject = ProgramQuery {
        application_id: None,
        executable: Some(Path::new(&first)),
        arguments: &arguments,
        name: &first,
..ProgramQuery::default()
    };
    catalog.find(&subject);
    let by_id = ProgramQuery {
        application_id: Some(&id),
        ..subject
    };
    assert!(catalog.find(&by_id).is_some());
});

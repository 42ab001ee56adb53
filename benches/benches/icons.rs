//! Desktop entries: all of a host read once, and the one of a program found.
#![allow(
    clippy::expect_used,
    reason = "a benchmark has nobody to tell but its user"
)]

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use flowner_icons::{Catalog, Locale, Places, Subject};

const ENTRIES: usize = 2_000;
/// Translations and actions make up most of a real entry.
const TRANSLATIONS: usize = 60;

fn entries(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for entries");
    let applications = folder.path().join("applications");
    fs::create_dir(&applications).expect("a folder for entries");
    for number in 0..ENTRIES {
        let path = applications.join(format!("org.example.Program{number}.desktop"));
        fs::write(path, entry(number)).expect("an entry is written");
    }
    let places = Places::new([folder.path().to_owned()])
        .with_programs(["/usr/local/bin", "/usr/bin", "/usr/sbin"].map(Into::into));
    let locale = Locale::new("de_DE.UTF-8");
    let mut group = criterion.benchmark_group(format!("{ENTRIES} desktop entries"));
    group.sample_size(20);
    group.bench_function("read", |bencher| {
        bencher.iter(|| Catalog::read(&places, &locale));
    });
    let catalog = Catalog::read(&places, &locale);
    for (what, executable, expected) in [
        ("found", "/usr/bin/program1000", true),
        ("script found", "/usr/bin/python3", true),
        ("not found", "/usr/sbin/server", false),
    ] {
        let arguments = [executable, "-u", "/usr/bin/program7"].map(OsString::from);
        let subject = Subject {
            application_id: None,
            executable: Some(Path::new(executable)),
            arguments: &arguments,
            name: "program",
        };
        assert_eq!(catalog.find(&subject).is_some(), expected, "{what}");
        group.bench_function(what, |bencher| {
            bencher.iter(|| catalog.find(black_box(&subject)));
        });
    }
    group.finish();
}

fn entry(number: usize) -> String {
    let mut text = format!(
        "[Desktop Entry]\nType=Application\nName=Program {number}\n\
         Exec=program{number} %U\nIcon=program{number}\n"
    );
    for translation in 0..TRANSLATIONS {
        let letter = |place: usize| char::from(b'a' + u8::try_from(place).unwrap_or_default());
        let language = [letter(translation / 26), letter(translation % 26)];
        let language = String::from_iter(language);
        for (key, value) in [("Name", "Program"), ("Comment", "What it does, program")] {
            text.extend([key, "[", &language, "]=", value, "\n"]);
        }
    }
    text.push_str("[Desktop Action new]\nName=New\nExec=other\n");
    text
}

criterion_group!(benches, entries);
criterion_main!(benches);

//! Desktop entries: all of a host read once, and the one of a program found; with the feature
//! `picon`, beside the crate of that name.
#![allow(
    clippy::expect_used,
    reason = "a benchmark has nobody to tell but its user"
)]

#[cfg_attr(
    all(feature = "picon", target_os = "linux"),
    path = "icons/with_picon.rs"
)]
#[cfg_attr(
    not(all(feature = "picon", target_os = "linux")),
    path = "icons/without_picon.rs"
)]
mod beside;

use std::ffi::OsString;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use flowner_icons::{Catalog, Finder, Locale, Places, ProgramQuery};

const ENTRIES: usize = 2_000;
/// Translations and actions make up most of a real entry.
const TRANSLATIONS: usize = 60;
const PICTURE: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='48' height='48'>\
    <rect width='48' height='48' fill='#00f'/></svg>";

fn entries(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a folder for entries");
    // Where an application of a user is, in a home.
    let data = home.path().join(".local/share");
    write_entries(&data);
    let places = Places::new([data])
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
        let subject = subject(executable, &arguments);
        assert_eq!(catalog.find(&subject).is_some(), expected, "{what}");
        group.bench_function(what, |bencher| {
            bencher.iter(|| catalog.find(black_box(&subject)));
        });
    }
    let program = subject("/usr/bin/program1000", &[]);
    group.bench_function("cold, the icon of a program", |bencher| {
        bencher.iter(|| {
            let mut finder = Finder::new(places.clone(), locale.clone());
            finder.icon(&program, 64, 1).expect("it has an icon")
        });
    });
    let mut finder = Finder::new(places.clone(), locale.clone());
    for (what, executable) in [
        ("warm, the icon of a program", "/usr/bin/program1000"),
        ("warm, the icon of nobody", "/usr/sbin/server"),
    ] {
        let subject = subject(executable, &[]);
        group.bench_function(what, |bencher| {
            bencher.iter(|| finder.icon(black_box(&subject), 64, 1));
        });
    }
    beside::picon(&mut group, home.path());
    group.finish();
}

fn subject<'a>(executable: &'a str, arguments: &'a [OsString]) -> ProgramQuery<'a> {
    ProgramQuery {
        application_id: None,
        executable: Some(Path::new(executable)),
        arguments,
        name: "program",
        ..ProgramQuery::default()
    }
}

fn write_entries(data: &Path) {
    let applications = data.join("applications");
    let icons = data.join("icons");
    for folder in [&applications, &icons] {
        fs::create_dir_all(folder).expect("a folder for entries");
    }
    for number in 0..ENTRIES {
        let path = applications.join(format!("org.example.Program{number}.desktop"));
        fs::write(path, entry(number)).expect("an entry is written");
    }
    let theme = "[Icon Theme]\nName=h\nComment=c\nDirectories=s\n[s]\nSize=64\nType=Scalable\n";
    let hicolor = icons.join("hicolor");
    fs::create_dir_all(hicolor.join("s")).expect("a folder for icons");
    fs::write(hicolor.join("index.theme"), theme).expect("a theme is written");
    let icon = hicolor.join("s/program1000.svg");
    fs::write(icon, PICTURE).expect("an icon is written");
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

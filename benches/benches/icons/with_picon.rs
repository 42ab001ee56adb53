//! `picon` with the same entries. It reads the applications of a home, of `/usr/share` and of
//! `/usr/local/share` anew for each question, up to the first that fits, and then all themes.

use std::hint::black_box;
use std::path::Path;

use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;

pub(super) fn picon(group: &mut BenchmarkGroup<'_, WallTime>, home: &Path) {
    set_home(home);
    assert!(picon::get_icon("program1000").is_some());
    assert!(picon::get_icon("server").is_none());
    for (what, name) in [
        ("the icon of a program, picon", "program1000"),
        ("the icon of nobody, picon", "server"),
    ] {
        group.bench_function(what, |bencher| {
            bencher.iter(|| picon::get_icon(black_box(name)));
        });
    }
}

/// This is the only way to give it the folders of entries.
#[expect(unsafe_code, reason = "what is set is of the whole process")]
fn set_home(home: &Path) {
    // SAFETY: no other thread reads or writes the environment: benchmarks run one after the
    // other on the thread of `main`, and what is measured here starts none.
    unsafe {
        std::env::set_var("HOME", home);
        std::env::remove_var("XDG_DATA_HOME");
    }
}

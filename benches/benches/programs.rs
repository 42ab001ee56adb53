//! Which program a process is of: that is found out on the capturing thread, for the first packet
//! of a flow with an owner that is known at once.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use flowner_core::Programs;
use flowner_core::attribution::Process;

fn programs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("the program of a process");
    let programs = Programs::of_this_host();
    // The one that started it, which is read from the system.
    let parent = std::process::id();
    let process = |pid: u32, path: &str, arguments: &[&str]| {
        let mut process = Process::new(pid, "program");
        process.parent = Some(parent);
        process.path = Some(path.into());
        process.arguments = Some(arguments.iter().map(Into::into).collect());
        process
    };
    let known = process(1, "/usr/bin/curl", &["curl"]);
    group.bench_function("known", |bencher| {
        bencher.iter(|| programs.program(black_box(&known)));
    });
    // Each has a pid of its own, so that it is new.
    let mut pid = 1;
    for (what, path, arguments) in [
        ("new, a command", "/usr/bin/curl", &["curl"][..]),
        (
            "new, a script",
            "/usr/bin/python3.11",
            &["python3", "/usr/bin/tool"],
        ),
        ("new, perhaps a part", "/opt/a/lib/helper", &["helper"]),
    ] {
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                pid += 1;
                programs.program(&process(pid, path, arguments))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, programs);
criterion_main!(benches);

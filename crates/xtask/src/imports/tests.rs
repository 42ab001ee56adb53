use std::fs;
use std::path::PathBuf;

use super::*;

/// A crate that is made up, in a folder of its own.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root =
            std::env::temp_dir().join(format!("xtask-imports-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn check(name: &str, files: &[(&str, &str)], expected: &[&str]) -> Graph {
    let tree = Tree::new(name, files);
    let graph = Graph::of(&tree.0).unwrap();
    let imports = graph.imports.iter();
    let found: Vec<String> = imports.map(|(from, to)| format!("{from} > {to}")).collect();
    assert_eq!(found, expected);
    graph
}

#[test]
fn names_are_followed_to_where_they_are_defined() {
    let files = [
        ("lib.rs", "mod a; mod b;\npub use b::{c, C};"),
        ("a.rs", "use crate::C; fn f() { crate::b::D::new() }"),
        ("b/mod.rs", "pub mod c; mod d; pub use c::C; pub use d::*;"),
        ("b/c.rs", "pub struct C;"),
        ("b/d.rs", "pub struct D;"),
    ];
    check("follow", &files, &["a.rs > b/c.rs", "a.rs > b/d.rs"]);
}

#[test]
fn modules_alone_are_no_import() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "use crate::b; use crate::b::{self as other, c};\nfn f() { c::g() }",
        ),
        ("b.rs", "pub mod c;"),
        ("b/c.rs", "pub fn g() {}"),
    ];
    check("alone", &files, &["a.rs > b/c.rs"]);
}

#[test]
fn a_child_is_a_part_of_its_parent() {
    let files = [
        ("lib.rs", "mod a;"),
        (
            "a.rs",
            "mod b; mod c; use b::B; pub use c::C;\npub struct A(B);",
        ),
        ("a/b.rs", "use super::A; pub struct B;"),
        ("a/c.rs", "use super::{A, B}; pub struct C;"),
    ];
    let graph = check("child", &files, &["a.rs > a/b.rs", "a/c.rs > a/b.rs"]);
    assert!(circles(&graph).is_empty());
}

#[test]
fn a_circle_through_a_child_is_found() {
    let files = [
        ("lib.rs", "mod a; mod d;"),
        ("a.rs", "mod b; pub use b::B;\npub struct A(B);"),
        ("a/b.rs", "pub struct B(crate::d::D);"),
        ("d.rs", "use crate::a::A; pub struct D(A);"),
    ];
    let imports = ["a.rs > a/b.rs", "a/b.rs > d.rs", "d.rs > a.rs"];
    let graph = check("circle", &files, &imports);
    assert_eq!(circles(&graph), [["a.rs", "a/b.rs", "d.rs", "a.rs"]]);
    assert_eq!(graph.by_folder()[&("a", "d")], 1);
}

#[test]
fn files_of_platforms_and_modules_in_files_are_found() {
    let files = [
        ("main.rs", "mod a; mod e;"),
        (
            "a/mod.rs",
            "#[cfg_attr(unix, path = \"unix/mod.rs\")]\n#[cfg_attr(not(unix), path = \
             \"other.rs\")]\nmod platform;\nmod inner { use super::super::e::E; }",
        ),
        ("a/unix/mod.rs", "mod deep;\nuse crate::e::E;"),
        ("a/unix/deep.rs", "use super::super::super::e::E;"),
        ("a/other.rs", "use std::fmt; use serde::e::E;"),
        (
            "e.rs",
            "pub struct E;\n#[cfg(test)]\nmod tests { use crate::a; fn f() { a::g() } }",
        ),
    ];
    let expected = [
        "a/mod.rs > e.rs",
        "a/unix/deep.rs > e.rs",
        "a/unix/mod.rs > e.rs",
    ];
    check("platforms", &files, &expected);
}

#[test]
fn the_folder_of_a_file_is_its_top_module() {
    assert_eq!(folder("lib.rs"), "lib");
    assert_eq!(folder("model/flow.rs"), "model");
    assert_eq!(folder("ledger.rs"), folder("ledger/view.rs"));
}

#[test]
fn programs_beside_a_library_are_read() {
    let files = [
        ("lib.rs", "mod a;"),
        ("a.rs", ""),
        ("bin/one.rs", "fn main() {}"),
        ("bin/two/main.rs", "mod b; mod c;"),
        ("bin/two/b.rs", "use crate::c::C;"),
        ("bin/two/c.rs", "pub struct C; fn f() { crate::b::g() }"),
    ];
    let expected = ["bin/two/b.rs > bin/two/c.rs", "bin/two/c.rs > bin/two/b.rs"];
    let graph = check("programs", &files, &expected);
    assert!(graph.files.contains("bin/one.rs"));
    assert_eq!(circles(&graph).len(), 1);
}

//! The order of folders inside a crate, and files that import from each other in a circle:
//! `cargo xtask tidy` checks both, `cargo xtask map` prints them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::command::{Failure, root};
use crate::imports::{Graph, circles, folder};
use crate::workspace::{members, relative};

/// The floors of a crate, lowest first: a folder imports from those below its own floor, not
/// from another one beside it.
struct House {
    /// The folder of the crate, from the root of the workspace.
    path: &'static str,
    floors: &'static [&'static [&'static str]],
    /// Folders that import from these alone, though more are below.
    only: &'static [(&'static str, &'static [&'static str])],
    /// Files that only hand on what the floors have, and stand above all.
    roof: &'static [&'static str],
}

const HOUSES: [House; 2] = [
    House {
        path: "crates/core",
        floors: &[
            &["system"],
            &["model"],
            &["query", "demo"],
            &["programs"],
            &["engine"],
            &["export"],
            &["sinks"],
            &["monitor", "present"],
        ],
        // The ledger decides by what it is given; the demo is data.
        only: &[("engine", &["model"]), ("demo", &["model"])],
        roof: &["lib", "fuzzing", "recording"],
    },
    House {
        path: "crates/attribution",
        floors: &[
            &["hash"],
            &["answer"],
            &["policy"],
            &["observers"],
            &["tables"],
            &["resolver"],
            &["permissions"],
        ],
        only: &[],
        roof: &["lib"],
    },
];

impl House {
    fn at(path: &str) -> Option<&'static Self> {
        HOUSES.iter().find(|house| house.path == path)
    }

    /// How high a folder is; `None` for one that is on no floor.
    fn height(&self, folder: &str) -> Option<usize> {
        if self.roof.contains(&folder) {
            return Some(self.floors.len());
        }
        let mut floors = self.floors.iter();
        floors.position(|floor| floor.contains(&folder))
    }

    /// Whether one folder may import from another one.
    fn allows(&self, from: &str, to: &str) -> bool {
        let only = self.only.iter().find(|(folder, _)| *folder == from);
        only.is_none_or(|(_, these)| these.contains(&to))
            && self.height(to).is_some()
            && self.height(from) > self.height(to)
    }
}

/// A place that breaks a rule, and the rule.
pub(crate) type Broken = (String, &'static str);

/// What is wrong with the imports of one crate.
pub(crate) fn broken(root: &Path, member: &Path) -> Result<Vec<Broken>, Failure> {
    let path = relative(root, member);
    let graph = Graph::of(&member.join("src"))?;
    let mut found = Vec::new();
    if let Some(house) = House::at(&path) {
        let place = |file: &str| format!("{path}/src/{file}");
        for file in &graph.files {
            if house.height(folder(file)).is_none() {
                found.push((
                    place(file),
                    "on no floor: see HOUSES in xtask/src/floors.rs",
                ));
            }
        }
        for (from, to) in &graph.imports {
            let (below, above) = (folder(from), folder(to));
            if below != above && !house.allows(below, above) {
                let place = format!("{} -> {to}", place(from));
                found.push((
                    place,
                    "a folder imports from the floors below it only, some from fewer",
                ));
            }
        }
    }
    for circle in circles(&graph) {
        let place = format!("{path}/src: {}", circle.join(" -> "));
        found.push((place, "files do not import from each other in a circle"));
    }
    Ok(found)
}

/// Prints which folders import from which, of these crates or of all.
pub(crate) fn print(names: &[&str]) -> Result<(), Failure> {
    let mut is_known = names.is_empty();
    for member in members(&root())? {
        let path = relative(&root(), &member);
        let name = path.rsplit('/').next().unwrap_or(&path);
        if names.is_empty() || names.contains(&name) {
            print!("{}", map(&path, &Graph::of(&member.join("src"))?));
            is_known = true;
        }
    }
    if is_known {
        Ok(())
    } else {
        Err(Failure(format!(
            "no crate here is called {}",
            names.join(", ")
        )))
    }
}

/// The imports of a crate by folder: the highest floor first, else by name.
fn map(path: &str, graph: &Graph) -> String {
    let house = House::at(path);
    let height = |folder: &str| house.and_then(|house| house.height(folder));
    let counts = graph.by_folder();
    let folders: BTreeSet<&str> = graph.files.iter().map(|file| folder(file)).collect();
    let mut folders: Vec<&str> = folders.into_iter().collect();
    folders.sort_by_key(|folder| (std::cmp::Reverse(height(folder)), *folder));
    let mut text = String::new();
    let (files, imports) = (graph.files.len(), graph.imports.len());
    let _infallible = writeln!(
        text,
        "{path}: {files} files, {imports} imports between files"
    );
    let width = folders.iter().map(|folder| folder.len()).max().unwrap_or(0);
    for from in &folders {
        let _infallible = write!(text, "  {from:width$} ->");
        for to in &folders {
            let Some(count) = counts.get(&(*from, *to)) else {
                continue;
            };
            let mark = match house {
                Some(house) if !house.allows(from, to) => " UP",
                _ if house.is_none() && counts.contains_key(&(*to, *from)) => " BOTH WAYS",
                _ => "",
            };
            let _infallible = write!(text, " {to} {count}{mark},");
        }
        text.truncate(text.trim_end_matches(',').len());
        text.push('\n');
    }
    for circle in circles(graph) {
        let _infallible = writeln!(text, "  CIRCLE {}", circle.join(" -> "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn graph(imports: &[(&str, &str)]) -> Graph {
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        let files = imports.iter().flat_map(|(from, to)| [from, to]);
        Graph {
            files: files.map(|file| (*file).to_owned()).collect(),
            imports: imports.iter().map(owned).collect(),
        }
    }

    #[test]
    fn a_map_marks_what_goes_up() {
        let imports = [
            ("model/flow.rs", "query/sort.rs"),
            ("monitor/mod.rs", "model/flow.rs"),
            ("monitor/mod.rs", "model/report.rs"),
            ("query/sort.rs", "model/flow.rs"),
        ];
        let expected = "crates/core: 4 files, 4 imports between files\n  \
                        monitor -> model 2\n  \
                        query   -> model 1\n  \
                        model   -> query 1 UP\n  \
                        CIRCLE model/flow.rs -> query/sort.rs -> model/flow.rs\n";
        assert_eq!(map("crates/core", &graph(&imports)), expected);
    }

    #[test]
    fn folders_of_other_crates_have_no_order() {
        let imports = [("a/b.rs", "c.rs"), ("c.rs", "a/d.rs"), ("e.rs", "c.rs")];
        let expected = "crates/x: 4 files, 3 imports between files\n  \
                        a -> c 1 BOTH WAYS\n  \
                        c -> a 1 BOTH WAYS\n  \
                        e -> c 1\n";
        assert_eq!(map("crates/x", &graph(&imports)), expected);
    }

    #[test]
    fn what_breaks_the_order_is_found() {
        let root = std::env::temp_dir().join(format!("xtask-floors-{}", std::process::id()));
        let src = root.join("crates/core/src");
        let files = [
            (
                "lib.rs",
                "mod model; mod demo; mod query; mod cellar;\npub use model::A;",
            ),
            ("model.rs", "pub struct A(crate::query::B);"),
            ("query.rs", "pub struct B; pub struct C(crate::A);"),
            ("demo.rs", "use crate::A; use crate::query::B;"),
            ("cellar.rs", ""),
        ];
        fs::create_dir_all(&src).unwrap();
        for (path, text) in files {
            fs::write(src.join(path), text).unwrap();
        }
        let found = broken(&root, &root.join("crates/core")).unwrap();
        fs::remove_dir_all(&root).unwrap();
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        let expected = [
            "crates/core/src/cellar.rs",
            "crates/core/src/demo.rs -> query.rs",
            "crates/core/src/model.rs -> query.rs",
            "crates/core/src: model.rs -> query.rs -> model.rs",
        ];
        assert_eq!(places, expected);
    }
}

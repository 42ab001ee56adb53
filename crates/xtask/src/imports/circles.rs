//! Files that import from each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::graph::Graph;

/// One circle of each group of files that reach each other: the shortest through the first of
/// them, which stands at both ends.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in &graph.imports {
        next.entry(from).or_default().insert(to);
    }
    let mut found = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in &graph.files {
        if known.contains(file.as_str()) {
            continue;
        }
        let Some(circle) = way_back(file, &next) else {
            continue;
        };
        let from_here = reached(file, &next);
        let group = from_here
            .into_iter()
            .filter(|other| reached(other, &next).contains(file.as_str()));
        known.extend(group);
        found.push(circle);
    }
    found
}

/// All files that a file imports from, through others too.
fn reached<'a>(file: &str, next: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for to in next.get(file).into_iter().flatten() {
            if found.insert(*to) {
                open.push(to);
            }
        }
    }
    found
}

/// The shortest way from a file to itself.
fn way_back(file: &str, next: &BTreeMap<&str, BTreeSet<&str>>) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([file]);
    while let Some(from) = open.pop_front() {
        for to in next.get(from).into_iter().flatten() {
            if *to == file {
                let mut way = vec![file.to_owned(), from.to_owned()];
                let mut place = from;
                while let Some(earlier) = before.get(place) {
                    way.push((*earlier).to_owned());
                    place = earlier;
                }
                // From back to front; a file that imports from itself is not in the graph.
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(to) {
                before.insert(to, from);
                open.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(imports: &[(&str, &str)], expected: &[&[&str]]) {
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        let files = imports.iter().flat_map(|(from, to)| [from, to]);
        let graph = Graph {
            files: files.map(|file| (*file).to_owned()).collect(),
            imports: imports.iter().map(owned).collect(),
        };
        assert_eq!(circles(&graph), expected);
    }

    #[test]
    fn each_group_is_one_circle() {
        check(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
        check(&[("a", "b"), ("b", "a")], &[&["a", "b", "a"]]);
        check(
            &[("a", "b"), ("b", "c"), ("c", "a"), ("c", "b"), ("d", "a")],
            &[&["a", "b", "c", "a"]],
        );
        check(
            &[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")],
            &[&["a", "b", "a"], &["c", "d", "c"]],
        );
    }
}

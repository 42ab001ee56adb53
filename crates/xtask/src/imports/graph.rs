//! The modules of a crate → which file imports from which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use super::source::{self, Import, Source};
use crate::command::Failure;
use crate::workspace::read_dir;

/// Names of modules, from the root of the crate.
type ModulePath = Vec<String>;

/// Which files of a crate import from which, by their paths from its `src`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) files: BTreeSet<String>,
    pub(crate) imports: BTreeSet<(String, String)>,
}

/// What a module has, in all of its files.
#[derive(Debug, Default)]
struct Module {
    /// More than one where the platform chooses.
    files: BTreeSet<String>,
    imports: Vec<Import>,
    items: BTreeSet<String>,
}

/// The modules of one crate.
#[derive(Debug, Default)]
struct Modules {
    by_path: BTreeMap<ModulePath, Module>,
    sources: Vec<(ModulePath, String, Source)>,
}

/// How often an import is followed to where it leads: past that, they lead to each other.
const MAX_STEPS: usize = 16;

impl Graph {
    /// The graph of the crate whose sources are in this folder.
    pub(crate) fn of(src: &Path) -> Result<Self, Failure> {
        let mut graph = Self::default();
        for root in roots(src)? {
            let folder = root.parent().unwrap_or(Path::new(""));
            let mut modules = Modules::default();
            modules.load(src, &root, folder, &Vec::new())?;
            modules.connect(&mut graph);
        }
        Ok(graph)
    }

    /// Imports from one top module to another, and how many there are: of each file from each
    /// other one, one.
    pub(crate) fn by_folder(&self) -> BTreeMap<(&str, &str), usize> {
        let mut counts = BTreeMap::new();
        for (from, to) in &self.imports {
            let (from, to) = (folder(from), folder(to));
            if from != to {
                *counts.entry((from, to)).or_default() += 1;
            }
        }
        counts
    }
}

/// The files in which a library or a program begins, from the folder of the sources.
fn roots(src: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut roots: Vec<PathBuf> = vec!["lib.rs".into(), "main.rs".into()];
    if src.join("bin").is_dir() {
        for path in read_dir(&src.join("bin"))? {
            let path = if path.is_dir() {
                path.join("main.rs")
            } else {
                path
            };
            roots.extend(path.strip_prefix(src).ok().map(Path::to_owned));
        }
    }
    roots.retain(|root| src.join(root).is_file());
    Ok(roots)
}

/// The top module of a file: its folder, or the file that stands for one.
pub(crate) fn folder(file: &str) -> &str {
    let (first, _) = file.split_once('/').unwrap_or((file, ""));
    first.strip_suffix(".rs").unwrap_or(first)
}

impl Modules {
    /// Reads a file and those of the modules in it. `folder`: where they are.
    fn load(
        &mut self,
        src: &Path,
        file: &Path,
        folder: &Path,
        path: &ModulePath,
    ) -> Result<(), Failure> {
        let failed = |error| Failure(format!("{}: {error}", src.join(file).display()));
        let text = fs::read_to_string(src.join(file)).map_err(failed)?;
        let source = source::read(&text);
        let name = file.to_string_lossy().replace('\\', "/");
        self.module(path).files.insert(name.clone());
        for import in &source.imports {
            let within = joined(path, &import.within);
            self.module(&within).imports.push(import.clone());
        }
        for (within, item) in &source.items {
            let within = joined(path, within);
            self.module(&within).items.insert(item.clone());
        }
        for module in &source.modules {
            let child = joined(&joined(path, &module.within), from_ref(&module.name));
            if module.is_inline {
                self.module(&child).files.insert(name.clone());
                continue;
            }
            if module.files.is_empty() {
                let within: PathBuf = module.within.iter().collect();
                let beside = folder.join(within);
                let plain = beside.join(format!("{}.rs", module.name));
                let below = beside.join(&module.name);
                if src.join(&plain).is_file() {
                    self.load(src, &plain, &below, &child)?;
                } else {
                    self.load(src, &below.join("mod.rs"), &below, &child)?;
                }
                continue;
            }
            // Such a file is beside this one, and its modules are beside it.
            let beside = file.parent().unwrap_or(Path::new(""));
            for named in &module.files {
                let file = beside.join(named);
                let folder = file.parent().unwrap_or(Path::new("")).to_owned();
                self.load(src, &file, &folder, &child)?;
            }
        }
        self.sources.push((path.clone(), name, source));
        Ok(())
    }

    fn module(&mut self, path: &[String]) -> &mut Module {
        self.by_path.entry(path.to_vec()).or_default()
    }

    /// Adds which file imports from which.
    fn connect(&self, graph: &mut Graph) {
        for (module, file, source) in &self.sources {
            graph.files.insert(file.clone());
            let imports = source.imports.iter();
            // What is handed on from a module's own children is not imported, unless it is used.
            let imports = imports.filter_map(|import| {
                let within = joined(module, &import.within);
                let home = self.home(&within, &import.path, MAX_STEPS)?;
                let is_own = import.is_handed_on && home.starts_with(&within);
                (!is_own || source.words.contains(&import.name)).then_some(home)
            });
            let paths = source.paths.iter();
            let paths = paths
                .filter_map(|path| self.home(&joined(module, &path.within), &path.path, MAX_STEPS));
            for home in imports.chain(paths) {
                // A file is a part of the modules that it is in.
                if module.starts_with(&home) {
                    continue;
                }
                let files = self.by_path.get(&home).into_iter();
                for target in files.flat_map(|module| &module.files) {
                    if target != file {
                        graph.imports.insert((file.clone(), target.clone()));
                    }
                }
            }
        }
    }

    /// The module in which that is defined to which a path leads; `None` for what is of another
    /// crate, and for modules themselves.
    fn home(&self, from: &[String], path: &[String], steps: usize) -> Option<ModulePath> {
        match self.follow(from, path, steps)? {
            Place::Item(module) => Some(module),
            Place::Module(_) => None,
        }
    }

    fn follow(&self, from: &[String], path: &[String], steps: usize) -> Option<Place> {
        let steps = steps.checked_sub(1)?;
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.to_vec(),
            "super" => {
                let mut module = from.to_vec();
                module.pop()?;
                while let Some(("super", after)) = rest
                    .split_first()
                    .map(|(name, after)| (name.as_str(), after))
                {
                    module.pop()?;
                    rest = after;
                }
                module
            }
            name => match self.named(from, name, steps)? {
                Place::Module(module) => module,
                item @ Place::Item(_) => return Some(item),
            },
        };
        for name in rest {
            match self.named(&module, name, steps) {
                Some(Place::Module(child)) => module = child,
                Some(item @ Place::Item(_)) => return Some(item),
                // Made by a macro, perhaps.
                None => return Some(Place::Item(module)),
            }
        }
        Some(Place::Module(module))
    }

    /// What a name stands for in a module.
    fn named(&self, module: &[String], name: &str, steps: usize) -> Option<Place> {
        let child = joined(module, &[name.to_owned()]);
        if self.by_path.contains_key(&child) {
            return Some(Place::Module(child));
        }
        let known = self.by_path.get(module)?;
        if known.items.contains(name) {
            return Some(Place::Item(module.to_vec()));
        }
        let by_name = known.imports.iter().filter(|import| import.name == name);
        let found = by_name
            // `use name;`, of another crate, leads to itself.
            .filter(|import| import.path.len() > 1)
            .find_map(|import| self.follow(module, &import.path, steps));
        found.or_else(|| {
            let mut all = known.imports.iter().filter(|import| import.name == "*");
            all.find_map(|import| match self.follow(module, &import.path, steps)? {
                Place::Module(other) => self.named(&other, name, steps.checked_sub(1)?),
                Place::Item(_) => None,
            })
        })
    }
}

/// To what a path leads.
enum Place {
    Module(ModulePath),
    /// Something that is defined in this module.
    Item(ModulePath),
}

fn joined(path: &[String], more: &[String]) -> ModulePath {
    [path, more].concat()
}

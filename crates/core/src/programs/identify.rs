//! What a process is by itself, by the first of these that applies: its sandbox, its desktop entry,
//! the application of its desktop scope, its bundle or package, its script, its executable, its
//! name. Pure.

use std::path::Path;

use flowner_attribution::{ExeState, Process, Unit, UnitKind};
use flowner_icons::{Catalog, Entry, ProgramQuery, Started, runs_others, started};

use super::arguments::{Named, is_kept, words};
use super::identity::{Identity, Part, cleaned_or, may_be_part, of_user, user_of};
use super::installed::{bundle, is_of_snap, package, scope};
use super::interpreted;
use super::versions::{file_name, is_hash};
use super::{ProcessReader, claim, product};
use crate::model::grouping::Grouping;
use crate::model::program::Claim;

/// The kernel's prefix for executables without a directory (`memfd_create(2)`). The rest changes
/// from one run to the next.
const MEMORY: &str = "/memfd:";
/// The number of digits of a container id that are shown, as container engines do.
const CONTAINER_DIGITS: usize = 12;

impl Identity {
    /// What a process is. `facts` are needed only for files in its arguments.
    pub(super) fn of(process: &Process, catalog: &Catalog, facts: &dyn ProcessReader) -> Self {
        let unit = process.unit.as_ref();
        if let Some(container) = unit.filter(|unit| unit.kind == UnitKind::Container) {
            // Its files are not those of this host, and its programs are not those of the menus.
            let identity = match process.exe_state {
                ExeState::Memory => Self::of_file(process),
                _ => Self::of_files(process, &Catalog::default(), facts),
            };
            return identity.within(container);
        }
        let path = text_of(process.path.as_deref());
        let sandbox = unit.and_then(|unit| Self::of_sandbox(unit, user_of(process), catalog));
        let is_sure = |identity: &Self| match &identity.grouping {
            Grouping::Snap(name) => is_of_snap(name, path.as_deref()),
            _ => true,
        };
        if let Some(identity) = sandbox.clone().filter(is_sure) {
            return identity;
        }
        if !process.exe_state.is_at_path() {
            // Facts about the file at this path do not apply to this one.
            return Self::of_file(process);
        }
        if let Some(entry) = catalog.find(&subject(process)) {
            let identity = Self::of_entry(entry, Grouping::Entry(entry.id.clone()));
            return if is_by_arguments(process, entry)
                && !claim::is_proven_entry(process, entry, facts)
            {
                identity.claimed(process)
            } else {
                identity
            };
        }
        if let Some(identity) = sandbox {
            return identity;
        }
        let identity = Self::of_files(process, catalog, facts);
        let scope = unit.and_then(|unit| scope(unit, user_of(process), catalog));
        match scope {
            Some(entry)
                if !entry.is_terminal
                    && identity.may_be_of_scope(path.as_deref())
                    && claim::may_be_in_scope(process, entry, &identity) =>
            {
                Self::of_entry(entry, Grouping::Scope(entry.id.clone()))
            }
            _ => identity,
        }
    }

    fn of_entry(entry: &Entry, grouping: Grouping) -> Self {
        let words: Vec<&str> = entry.command.iter().map(String::as_str).collect();
        // An entry that starts a Flatpak or a Snap stands for that.
        let id = match (&entry.flatpak, &entry.snap, started(&words)) {
            (Some(id), _, _) => format!("flatpak:{id}"),
            (_, Some(name), _) => format!("snap:{name}"),
            (_, _, Some(Started::Flatpak(id))) => format!("flatpak:{id}"),
            (_, _, Some(Started::Snap(name))) => format!("snap:{name}"),
            _ => format!("app:{}", entry.id),
        };
        Self {
            id: of_user(id, entry.user),
            name: entry.name.clone(),
            application: Some(entry.id.clone()),
            application_user: entry.user,
            claim: None,
            grouping,
            part: None,
        }
    }

    /// By the file itself, if the path does not identify it.
    fn of_file(process: &Process) -> Self {
        let path = text_of(process.path.as_deref());
        let Some(path) = path else {
            let name = cleaned_or(&process.name);
            return Self::new("name", &name, &name, Grouping::Name(process.name.clone()));
        };
        let (kind, grouping) = match process.exe_state {
            ExeState::Memory => ("memory", Grouping::Memory(file_name(&path).to_owned())),
            ExeState::Elsewhere => ("elsewhere", Grouping::Elsewhere(path.clone())),
            _ => ("unverified", Grouping::Unverified(path.clone())),
        };
        let name = format!("{} ({kind})", cleaned_or(file_name(&path)));
        let id = match process.exe_file {
            Some(file) => format!("{}:{} {path}", file.device, file.inode),
            // Nothing distinguishes it from others with the same name.
            None => format!("{} {path}", process.pid),
        };
        let is_named_by_itself = process.exe_state == ExeState::Memory;
        Self {
            claim: is_named_by_itself.then_some(Claim::Process),
            ..Self::new(kind, &id, &name, grouping)
        }
    }

    /// By its executable or script.
    fn of_files(process: &Process, catalog: &Catalog, facts: &dyn ProcessReader) -> Self {
        let path = text_of(process.path.as_deref());
        let Some(path) = path.filter(|path| !path.starts_with(MEMORY)) else {
            let name = cleaned_or(&process.name);
            return Self::new("name", &name, &name, Grouping::Name(process.name.clone()));
        };
        if let Some(bundle) = bundle(&path) {
            let name = file_name(bundle).trim_end_matches(".app");
            return Self::new("bundle", bundle, name, Grouping::Bundle(bundle.to_owned()));
        }
        if let Some(package) = package(&path) {
            let name = cleaned_or(file_name(&path));
            let id = package.to_lowercase();
            return Self::new("package", &id, &name, Grouping::Package(package));
        }
        if let Some(identity) = interpreted::identity(process, &path, catalog, facts) {
            return identity;
        }
        let part = if product::is_helper(file_name(&path)) {
            Part::Helper
        } else {
            Part::File(path.clone())
        };
        Self {
            part: may_be_part(part),
            ..Self::of_executable(&path)
        }
    }

    /// Whether it may be part of the application in its cgroup: a file where commands are, such as
    /// `curl`, is a separate program.
    fn may_be_of_scope(&self, path: Option<&str>) -> bool {
        match (&self.grouping, &self.part) {
            (_, Some(Part::Helper | Part::Interpreter)) => true,
            (Grouping::Script(script), _) => product::may_be_part(script),
            (Grouping::Executable(_), _) => path.is_some_and(product::may_be_part),
            _ => false,
        }
    }

    /// In a container: it has its own files, under the same paths as others.
    fn within(mut self, container: &Unit) -> Self {
        let id = &container.name;
        // A user's container differs from the system's with that id.
        let of = of_user(id.clone(), container.user);
        self.id = format!("container:{of} {}", self.id);
        let shown = id.get(..CONTAINER_DIGITS).filter(|_| is_hash(id));
        let shown = shown.unwrap_or(id);
        self.name = match container.user {
            Some(user) => format!("{} ({shown} of uid {user})", self.name),
            None => format!("{} ({shown})", self.name),
        };
        self.grouping = Grouping::Container {
            id: id.clone(),
            inner: Box::new(self.grouping),
        };
        self
    }
}

/// The query for a process's desktop entry.
pub(super) fn subject(process: &Process) -> ProgramQuery<'_> {
    ProgramQuery {
        application_id: None,
        executable: process.path.as_deref(),
        arguments: process.arguments.as_deref().unwrap_or_default(),
        name: &process.name,
        user: user_of(process),
        // If other users may make files there, these may have the name of any command.
        only_by_path: process.exe_file.is_some_and(|file| !file.is_of_system()),
    }
}

/// Whether a process matches this entry by its arguments.
fn is_by_arguments(process: &Process, entry: &Entry) -> bool {
    let path = text_of(process.path.as_deref());
    let is_interpreter = path.is_some_and(|path| runs_others(file_name(&path)));
    is_interpreter || entry.web_app.is_some()
}

/// What a process runs: a file, a script or a module. `None` for programs that only run others, for
/// helpers, and for a script in an unknown directory.
pub(super) fn main(process: &Process, facts: &dyn ProcessReader) -> Option<String> {
    let path = text_of(process.path.as_deref())?;
    if product::is_helper(file_name(&path)) {
        return None;
    }
    if !runs_others(file_name(&path)) {
        return Some(path);
    }
    let words = words(process, &path);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match started(&words)? {
        Started::Script(script) if is_kept(script) => {
            let named = Named::of(script, process, facts);
            named.is_known.then_some(named.path)
        }
        Started::Module(module) => Some(module.to_owned()),
        _ => None,
    }
}

fn text_of(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.to_string_lossy().into_owned())
        .filter(|path| !path.is_empty())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

//! The result for a process: an id, a name, and why. Pure.

use flowner_attribution::{Process, Unit, UnitKind, User};
use flowner_icons::Catalog;

use super::product;
use super::versions::{cleaned, file_name, without_versions};
use crate::model::grouping::Grouping;
use crate::model::program::{Claim, Program};

/// What a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) application: Option<String>,
    pub(super) application_user: Option<u32>,
    pub(super) claim: Option<Claim>,
    pub(super) grouping: Grouping,
    /// Its script or executable, if it may be part of the program that started it.
    pub(super) part: Option<Part>,
}

/// The parts of programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A file that may belong to the same product as another.
    File(String),
    /// A part of the program that started it.
    Helper,
    /// An interpreter without a script in its arguments.
    Interpreter,
}

impl Identity {
    /// The identity of a Flatpak or Snap; `None` for other units.
    pub(super) fn of_sandbox(unit: &Unit, user: Option<u32>, catalog: &Catalog) -> Option<Self> {
        let id = &unit.name;
        let (kind, grouping) = match unit.kind {
            UnitKind::Flatpak => ("flatpak", Grouping::Flatpak(id.clone())),
            UnitKind::Snap => ("snap", Grouping::Snap(id.clone())),
            _ => return None,
        };
        let entry = catalog.application(id, user);
        let name = entry.map(|entry| entry.name.clone());
        let last = || id.rsplit('.').next().unwrap_or(id).to_owned();
        let user = entry.and_then(|entry| entry.user);
        Some(Self {
            id: of_user(format!("{kind}:{id}"), user),
            name: name.unwrap_or_else(last),
            application: Some(id.clone()),
            application_user: user,
            claim: None,
            grouping,
            part: None,
        })
    }

    pub(super) fn of_executable(path: &str) -> Self {
        let id = without_versions(path);
        let name = app_image(path).map_or_else(|| cleaned_or(file_name(path)), str::to_owned);
        Self::new("exe", &id, &name, Grouping::Executable(path.to_owned()))
    }

    pub(super) fn new(kind: &str, id: &str, name: &str, grouping: Grouping) -> Self {
        Self {
            id: format!("{kind}:{id}"),
            name: name.to_owned(),
            application: None,
            application_user: None,
            claim: None,
            grouping,
            part: None,
        }
    }

    /// The same as a mere claim of its arguments: its id differs from those of proven programs and
    /// from the claims of other users' processes, and it has no icon.
    pub(super) fn claimed(mut self, process: &Process) -> Self {
        let user = user_of(process).map_or_else(|| "?".to_owned(), |user| user.to_string());
        self.id = format!("claimed:{user} {}", self.id);
        self.name.push_str(" (claimed)");
        self.application = None;
        self.application_user = None;
        self.claim = Some(Claim::Process);
        self.grouping = Grouping::Claimed(Box::new(self.grouping));
        self
    }

    /// The same from a file.
    pub(super) fn recorded(mut self) -> Self {
        self.id = format!("recorded:{}", self.id);
        self.application = None;
        self.application_user = None;
        self.claim = Some(Claim::File);
        self.grouping = Grouping::Recorded(Box::new(self.grouping));
        self.part = None;
        self
    }

    pub(super) fn into_program(self, process: &Process) -> Program {
        Program {
            id: self.id,
            name: self.name,
            path: process.path.clone(),
            application: self.application,
            application_user: self.application_user,
            claim: self.claim,
            grouping: self.grouping,
        }
    }
}

/// The id of the process's user.
pub(super) fn user_of(process: &Process) -> Option<u32> {
    process.user.as_ref().and_then(User::uid)
}

/// The id of a desktop entry of one user.
pub(super) fn of_user(id: String, user: Option<u32>) -> String {
    match user {
        Some(user) => format!("{id}@{user}"),
        None => id,
    }
}

pub(super) fn may_be_part(part: Part) -> Option<Part> {
    match &part {
        Part::File(path) => product::may_be_part(path).then_some(part),
        Part::Helper | Part::Interpreter => Some(part),
    }
}

/// The name of an `AppImage`, as far as its mount point contains it: `Paint` in
/// `/tmp/.mount_PaintaB3dE1/AppRun`.
pub(super) fn app_image(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("/AppRun")?;
    let mount = file_name(folder).strip_prefix(".mount_")?;
    let name = mount.get(..mount.len().checked_sub(6)?)?;
    Some(name).filter(|name| !name.is_empty())
}

/// The cleaned name, or the whole one if nothing is left of it.
pub(super) fn cleaned_or(name: &str) -> String {
    let cleaned = cleaned(name);
    if cleaned.is_empty() {
        name.to_owned()
    } else {
        cleaned
    }
}

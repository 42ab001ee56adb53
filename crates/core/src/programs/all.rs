//! All programs of a host: this resolves each process once, then shares the result.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use flowner_attribution::{
    ExeFile, ExeState, Ownership, Process, ProcessId, Source, Unit, User, Verdict,
};
use flowner_icons::{Catalog, Locale, Places};

use super::facts::HostProcessReader;
use super::identity::{Identity, Part};
use super::versions::file_name;
use super::{ProcessReader, identify, interpreted, product};
use crate::model::grouping::Grouping;
use crate::model::principal::Principal;
use crate::model::program::Program;
use crate::system::privileges::with_rights_of_user;

/// The number of processes that are remembered: this many recent ones, and as many older ones.
const MAX_PROCESSES: usize = 8_192;
/// The number of programs that are shared. Past that, there are copies.
const MAX_PROGRAMS: usize = 65_536;
/// The number of ancestors that are followed.
const MAX_ANCESTORS: usize = 16;

/// The membership of a process in its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The program.
    pub program: Arc<Program>,
    /// The reasons: what the process is by itself and, if it is part of another program, what that
    /// is, and so on up to the program.
    pub reasons: Vec<Grouping>,
}

/// Knows which processes belong to one program.
///
/// ```
/// use flowner_core::Programs;
/// use flowner_core::attribution::Process;
///
/// let programs = Programs::of_this_host();
/// let mut process = Process::new(4242, "app");
/// process.path = Some("/opt/app-1.2.3/bin/app".into());
/// let membership = programs.membership(&process);
/// println!("{}", membership.program);
/// for reason in &membership.reasons {
///     println!("it {reason}");
/// }
/// ```
///
/// A process is resolved once. Its parent is looked up at most once, and only if the process may be
/// part of it. No thread holds a lock during a system call.
#[derive(Debug)]
pub struct Programs {
    catalog: RwLock<Arc<Catalog>>,
    source: Option<(Places, Locale)>,
    facts: Box<dyn ProcessReader>,
    known: Mutex<Resolved>,
}

/// Users write entries, or links in place of them, so this reads them only with the user's rights.
fn read(places: &Places, locale: &Locale) -> Catalog {
    with_rights_of_user(|| Catalog::read(places, locale))
}

impl Programs {
    /// The programs of this host: reads its desktop entries, which takes some milliseconds.
    pub fn of_this_host() -> Self {
        let (places, locale) = (Places::of_this_user(), Locale::current());
        let catalog = read(&places, &locale);
        Self {
            source: Some((places, locale)),
            ..Self::new(catalog, Box::new(HostProcessReader::default()))
        }
    }

    /// The programs with these desktop entries, and these facts about processes.
    pub fn new(catalog: Catalog, facts: Box<dyn ProcessReader>) -> Self {
        Self {
            catalog: RwLock::new(Arc::new(catalog)),
            source: None,
            facts,
            known: Mutex::default(),
        }
    }

    /// The programs by the facts of each process alone.
    pub fn without_processes() -> Self {
        Self::new(Catalog::default(), Box::new(()))
    }

    /// The program of a process, and why.
    pub fn membership(&self, process: &Process) -> Arc<Membership> {
        self.resolve(process, 0)
    }

    /// The program of a process.
    pub fn program(&self, process: &Process) -> Arc<Program> {
        Arc::clone(&self.membership(process).program)
    }

    /// The principal of an owner.
    pub fn principal(&self, owner: Option<&Ownership>) -> Principal {
        if let Some(owner) = owner.filter(|owner| owner.evidence.source == Source::Recorded) {
            return Principal::recorded(&owner.verdict, |program| self.known().shared(program));
        }
        self.principal_of(owner.map(|owner| &owner.verdict))
    }

    /// The principal of a verdict, such as that of a listed socket.
    pub fn principal_of(&self, verdict: Option<&Verdict>) -> Principal {
        let program = |process: &Process| self.program(process);
        Principal::with(verdict, program, |unit| self.program_of_unit(unit))
    }

    /// Reads the desktop entries again if their directories changed. Known programs keep their
    /// names.
    pub fn refresh(&self) {
        if let Some((places, locale)) = &self.source
            && !with_rights_of_user(|| self.catalog().is_current())
        {
            let catalog = Arc::new(read(places, locale));
            *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        }
    }

    fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.catalog.read();
        Arc::clone(&catalog.unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> MutexGuard<'_, Resolved> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program_of_unit(&self, unit: &Unit) -> Option<Arc<Program>> {
        let identity = Identity::of_sandbox(unit, None, &self.catalog())?;
        let unknown = Process::new(0, "");
        Some(self.known().shared(identity.into_program(&unknown)))
    }

    fn resolve(&self, process: &Process, depth: usize) -> Arc<Membership> {
        if let Some(membership) = self.known().membership(process) {
            return membership;
        }
        let identity = Identity::of(process, &self.catalog(), &*self.facts);
        let whole = identity.part.as_ref();
        let whole = whole.and_then(|part| self.whole(part, process, depth));
        // A script that forked is no part of another program by itself. A claimed program is part
        // of none with better evidence.
        let is_claimed = identity.claim.is_some();
        let whole = whole.filter(|(whole, _)| {
            whole.program.id != identity.id && (!is_claimed || whole.program.claim.is_some())
        });
        let membership = match whole {
            Some((whole, pid)) => {
                let part = Grouping::Part {
                    of: whole.program.name.clone(),
                    pid,
                };
                let reasons = [identity.grouping, part];
                Membership {
                    program: Arc::clone(&whole.program),
                    reasons: reasons.into_iter().chain(whole.reasons.clone()).collect(),
                }
            }
            None => Membership {
                reasons: vec![identity.grouping.clone()],
                program: self.known().shared(identity.into_program(process)),
            },
        };
        let membership = Arc::new(membership);
        self.known().remember(process, &membership);
        membership
    }

    /// The program that a part belongs to: the nearest ancestor of the same product, with its pid.
    /// Skips ancestors that only run other programs.
    fn whole(
        &self,
        part: &Part,
        process: &Process,
        depth: usize,
    ) -> Option<(Arc<Membership>, u32)> {
        let mut younger = process.clone();
        for depth in depth..MAX_ANCESTORS {
            let pid = younger.parent.filter(|pid| *pid > 1)?;
            let ancestor = self.facts.process(pid)?;
            // Then the system has reused the pid since.
            if ancestor.started > younger.started || starts_anything(&ancestor) {
                return None;
            }
            // A program elsewhere belongs to no product here.
            if !ancestor.exe_state.is_at_path() {
                return None;
            }
            if let Some(main) = identify::main(&ancestor, &*self.facts) {
                let is_whole = match part {
                    // A shell script starts other programs, as a person at a shell does.
                    Part::File(_) | Part::Helper if interpreted::is_shell(&ancestor) => false,
                    // One interpreter runs all scripts of one product.
                    Part::File(file) if is_interpreter(process) => {
                        ancestor.path == process.path && product::is_of_same(file, &main)
                    }
                    Part::File(file) => product::is_of_same(file, &main),
                    Part::Helper => true,
                    Part::Interpreter => ancestor.path == process.path,
                };
                return is_whole.then(|| (self.resolve(&ancestor, depth + 1), pid));
            }
            younger = ancestor;
        }
        None
    }
}

fn is_interpreter(process: &Process) -> bool {
    let path = process.path.as_deref().map(Path::to_string_lossy);
    path.is_some_and(|path| interpreted::is_identified_by_arguments(file_name(&path)))
}

fn starts_anything(process: &Process) -> bool {
    let path = process.path.as_deref().map(Path::to_string_lossy);
    path.is_none_or(|path| product::starts_anything(file_name(&path)))
}

/// The resolved processes and programs.
#[derive(Debug, Default)]
struct Resolved {
    programs: HashMap<String, Arc<Program>>,
    /// Those of the current period, and of the one before it.
    processes: HashMap<ProcessId, Remembered>,
    before: HashMap<ProcessId, Remembered>,
}

#[derive(Debug, Clone)]
struct Remembered {
    /// A process may execute another program, and belongs to that then.
    path: Option<PathBuf>,
    /// Another file may be at the same path.
    file: (ExeState, Option<ExeFile>),
    /// It may continue as another user.
    user: Option<u32>,
    /// The same for its script; other programs write their activity into their arguments.
    arguments: Option<Vec<OsString>>,
    membership: Arc<Membership>,
}

impl Resolved {
    fn membership(&mut self, process: &Process) -> Option<Arc<Membership>> {
        let id = process.id();
        if let Some(known) = self.before.remove(&id) {
            self.make_room();
            self.processes.insert(id, known);
        }
        let known = self.processes.get(&id)?;
        let is_same = known.path == process.path
            && known.file == (process.exe_state, process.exe_file)
            && known.user == process.user.as_ref().and_then(User::uid)
            && (known.arguments.is_none() || known.arguments == process.arguments);
        is_same.then(|| Arc::clone(&known.membership))
    }

    fn remember(&mut self, process: &Process, membership: &Arc<Membership>) {
        self.make_room();
        let remembered = Remembered {
            path: process.path.clone(),
            file: (process.exe_state, process.exe_file),
            user: process.user.as_ref().and_then(User::uid),
            arguments: process
                .arguments
                .clone()
                .filter(|_| is_interpreter(process)),
            membership: Arc::clone(membership),
        };
        self.processes.insert(process.id(), remembered);
    }

    fn make_room(&mut self) {
        if self.processes.len() >= MAX_PROCESSES {
            self.before = std::mem::take(&mut self.processes);
        }
    }

    /// The shared copy of a program.
    fn shared(&mut self, program: Program) -> Arc<Program> {
        if let Some(known) = self.programs.get(&program.id) {
            return Arc::clone(known);
        }
        let id = program.id.clone();
        let program = Arc::new(program);
        if self.programs.len() < MAX_PROGRAMS {
            self.programs.insert(id, Arc::clone(&program));
        }
        program
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

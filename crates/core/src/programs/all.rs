//! All programs of a host: each process resolved once, then shared.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use flowner_attribution::{
    ExeFile, ExeState, Ownership, Process, ProcessId, Source, Unit, User, Verdict,
};
use flowner_icons::{Catalog, Locale, Places};

use super::facts::HostFacts;
use super::identity::{Identity, Part};
use super::versions::file_name;
use super::{Facts, identify, interpreted, product};
use crate::model::grouping::Grouping;
use crate::model::principal::Principal;
use crate::model::program::Program;
use crate::system::privileges::with_rights_of_user;

/// Processes that are remembered: so many that were asked for recently, and as many before
/// those.
const MAX_PROCESSES: usize = 8_192;
/// Programs of which one copy is shared. Past that there are more copies.
const MAX_PROGRAMS: usize = 65_536;
/// How far ancestors are followed.
const MAX_ANCESTORS: usize = 16;

/// A process as one of its program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The program.
    pub program: Arc<Program>,
    /// Why: what the process is by itself, and, if it is a part of something else, what
    /// that is, and so on up to the program.
    pub reasons: Vec<Grouping>,
}

/// Knows which processes are one program.
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
/// A process is resolved once; who started it is asked for at most once, and only where
/// it may be a part of that. No lock is held while the system is asked.
#[derive(Debug)]
pub struct Programs {
    catalog: RwLock<Arc<Catalog>>,
    source: Option<(Places, Locale)>,
    facts: Box<dyn Facts>,
    known: Mutex<Resolved>,
}

/// Users write entries, and links in place of them: they are read with no rights but theirs.
fn read(places: &Places, locale: &Locale) -> Catalog {
    with_rights_of_user(|| Catalog::read(places, locale))
}

impl Programs {
    /// Those of this host: reads its desktop entries, which takes some milliseconds.
    pub fn of_this_host() -> Self {
        let (places, locale) = (Places::of_this_user(), Locale::current());
        let catalog = read(&places, &locale);
        Self {
            source: Some((places, locale)),
            ..Self::new(catalog, Box::new(HostFacts::default()))
        }
    }

    /// With these desktop entries, and these facts about processes.
    pub fn new(catalog: Catalog, facts: Box<dyn Facts>) -> Self {
        Self {
            catalog: RwLock::new(Arc::new(catalog)),
            source: None,
            facts,
            known: Mutex::default(),
        }
    }

    /// That know nothing but what each process itself tells.
    pub fn without_facts() -> Self {
        Self::new(Catalog::default(), Box::new(()))
    }

    /// Which program a process is of, and why.
    pub fn membership(&self, process: &Process) -> Arc<Membership> {
        self.resolve(process, 0)
    }

    /// Which program a process is of.
    pub fn program(&self, process: &Process) -> Arc<Program> {
        Arc::clone(&self.membership(process).program)
    }

    /// Whom an owner stands for.
    pub fn principal(&self, owner: Option<&Ownership>) -> Principal {
        if let Some(owner) = owner.filter(|owner| owner.evidence.source == Source::Recorded) {
            return Principal::recorded(&owner.verdict, |program| self.known().shared(program));
        }
        self.principal_of(owner.map(|owner| &owner.verdict))
    }

    /// Whom a verdict stands for, such as that of a listed socket.
    pub fn principal_of(&self, verdict: Option<&Verdict>) -> Principal {
        let program = |process: &Process| self.program(process);
        Principal::with(verdict, program, |unit| self.program_of_unit(unit))
    }

    /// Reads the desktop entries again, if their folders changed. Programs that are known
    /// already keep their names.
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
        let nobody = Process::new(0, "");
        Some(self.known().shared(identity.into_program(&nobody)))
    }

    fn resolve(&self, process: &Process, depth: usize) -> Arc<Membership> {
        if let Some(membership) = self.known().membership(process) {
            return membership;
        }
        let identity = Identity::of(process, &self.catalog(), &*self.facts);
        let whole = identity.part.as_ref();
        let whole = whole.and_then(|part| self.whole(part, process, depth));
        // A script that forked is itself no part of anything. What is only claimed is a part of nothing
        // of which more is known.
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

    /// What a part is one of: the nearest ancestor that is of the same product, and its
    /// pid. What only runs others is passed over.
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
            // Then the pid was used again since.
            if ancestor.started > younger.started || starts_anything(&ancestor) {
                return None;
            }
            // What is elsewhere is of no product that lies here.
            if !ancestor.exe_state.is_at_path() {
                return None;
            }
            if let Some(main) = identify::main(&ancestor, &*self.facts) {
                let is_whole = match part {
                    // A shell script starts programs, as a person at a shell does.
                    Part::File(_) | Part::Helper if interpreted::is_shell(&ancestor) => false,
                    // Scripts of one product are run by one interpreter.
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
    path.is_some_and(|path| interpreted::is_told_by_arguments(file_name(&path)))
}

fn starts_anything(process: &Process) -> bool {
    let path = process.path.as_deref().map(Path::to_string_lossy);
    path.is_none_or(|path| product::starts_anything(file_name(&path)))
}

/// What was resolved.
#[derive(Debug, Default)]
struct Resolved {
    programs: HashMap<String, Arc<Program>>,
    /// Those of this while, and of the one before it.
    processes: HashMap<ProcessId, Remembered>,
    before: HashMap<ProcessId, Remembered>,
}

#[derive(Debug, Clone)]
struct Remembered {
    /// A process may execute something else, and is another program then.
    path: Option<PathBuf>,
    /// Another file may be at the same path.
    file: (ExeState, Option<ExeFile>),
    /// It may go on as another user.
    user: Option<u32>,
    /// The same for what it interprets; others write into their arguments what they do.
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

    /// The one copy of a program.
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

//! All programs of a host: each process resolved once, then shared.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use flowner_attribution::{
    ExeFile, ExeState, Ownership, Process, ProcessId, Source, Unit, Verdict,
};
use flowner_icons::{Catalog, Locale, Places};

use super::facts::HostFacts;
use super::identity::{Identity, Part};
use super::versions::file_name;
use super::{Facts, Grouping, Party, Program, identity, interpreted, product};

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
/// let process = Process {
///     path: Some("/opt/app-1.2.3/bin/app".into()),
///     ..Process::new(4242, "app")
/// };
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
    known: Mutex<Known>,
}

impl Programs {
    /// Those of this host: reads its desktop entries, which takes some milliseconds.
    pub fn of_this_host() -> Self {
        let (places, locale) = (Places::of_this_user(), Locale::current());
        let catalog = Catalog::read(&places, &locale);
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
    pub fn party(&self, owner: Option<&Ownership>) -> Party {
        if let Some(owner) = owner.filter(|owner| owner.evidence.source == Source::Recorded) {
            return Party::recorded(&owner.verdict, |program| self.known().shared(program));
        }
        self.party_of(owner.map(|owner| &owner.verdict))
    }

    /// Whom a verdict stands for, such as that of a listed socket.
    pub fn party_of(&self, verdict: Option<&Verdict>) -> Party {
        let program = |process: &Process| self.program(process);
        Party::with(verdict, program, |unit| self.program_of_unit(unit))
    }

    /// Reads the desktop entries again, if their folders changed. Programs that are known
    /// already keep their names.
    pub fn refresh(&self) {
        if let Some((places, locale)) = &self.source
            && !self.catalog().is_current()
        {
            let catalog = Arc::new(Catalog::read(places, locale));
            *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        }
    }

    fn catalog(&self) -> Arc<Catalog> {
        let catalog = self.catalog.read();
        Arc::clone(&catalog.unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
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
        // A script that forked is itself no part of anything.
        let whole = whole.filter(|(whole, _)| whole.program.id != identity.id);
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
            if let Some(main) = identity::main(&ancestor, &*self.facts) {
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
struct Known {
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

impl Known {
    fn membership(&mut self, process: &Process) -> Option<Arc<Membership>> {
        let id = process.id();
        if let Some(known) = self.before.remove(&id) {
            self.make_room();
            self.processes.insert(id, known);
        }
        let known = self.processes.get(&id)?;
        let is_same = known.path == process.path
            && known.file == (process.exe_state, process.exe_file)
            && known.user == process.user.as_ref().map(|user| user.id)
            && (known.arguments.is_none() || known.arguments == process.arguments);
        is_same.then(|| Arc::clone(&known.membership))
    }

    fn remember(&mut self, process: &Process, membership: &Arc<Membership>) {
        self.make_room();
        let remembered = Remembered {
            path: process.path.clone(),
            file: (process.exe_state, process.exe_file),
            user: process.user.as_ref().map(|user| user.id),
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
mod tests {
    use std::time::{Duration, SystemTime};

    use flowner_attribution::{Evidence, NamedFile, User};

    use super::*;

    /// Processes by pid, the later ones started later.
    #[derive(Debug, Clone, Default)]
    struct Script(Vec<Process>);

    impl Facts for Script {
        fn process(&self, pid: u32) -> Option<Process> {
            self.0.iter().find(|process| process.pid == pid).cloned()
        }

        fn working_folder(&self, _process: &Process) -> Option<PathBuf> {
            Some("/home/ada/project".into())
        }

        fn named_file(&self, _process: &Process, _path: &Path) -> Option<NamedFile> {
            Some(NamedFile::new(0, 0o100_755, true))
        }
    }

    fn process(pid: u32, parent: u32, command: &str) -> Process {
        let words: Vec<&str> = command.split(' ').collect();
        Process {
            started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(pid.into())),
            parent: Some(parent),
            path: Some(words[0].into()),
            arguments: Some(words.iter().map(Into::into).collect()),
            user: Some(User { id: 0, name: None }),
            ..Process::new(pid, file_name(words[0]))
        }
    }

    /// `commands`: of processes that start each other in this order; the last one's
    /// program is expected.
    #[track_caller]
    fn check(commands: &[&str], expected: &str) {
        let pids = 100..;
        let processes = pids.zip(commands);
        let processes: Vec<_> = processes
            .map(|(pid, command)| process(pid, pid - 1, command))
            .collect();
        let last = processes.last().unwrap().clone();
        let programs = Programs::new(Catalog::default(), Box::new(Script(processes)));
        let membership = programs.membership(&last);
        assert_eq!(membership.program.id, expected, "{membership:?}");
    }

    #[test]
    fn parts_are_of_what_started_them() {
        let chrome = "/opt/google/chrome/chrome";
        let crash = "/opt/google/chrome/chrome_crashpad_handler -a";
        check(&[chrome, crash], "exe:/opt/google/chrome/chrome");
        check(
            &["/opt/a-1.2/bin/a", "/usr/bin/dash -c x", "/opt/a-1.2/lib/h"],
            "exe:/opt/a/bin/a",
        );
        check(
            &[
                "/usr/bin/epiphany",
                "/usr/bin/bwrap -x",
                "/usr/lib/w/WebKitNetworkProcess 1",
            ],
            "exe:/usr/bin/epiphany",
        );
        check(
            &[
                "/usr/bin/bash",
                "/usr/bin/git clone",
                "/usr/lib/git-core/git-remote-https x",
            ],
            "exe:/usr/bin/git",
        );
        check(
            &[
                "/usr/bin/node server.js",
                "/usr/bin/node /home/ada/project/lib/worker.js",
            ],
            "script:/home/ada/project/server.js",
        );
        check(
            &[
                "/usr/bin/python3 /opt/m/main.py",
                "/usr/bin/python3 -c spawn_main",
            ],
            "script:/opt/m/main.py",
        );
        check(
            &["/usr/bin/python3 -m pool", "/usr/bin/python3 -c spawn_main"],
            "module:python3 pool",
        );
    }

    #[test]
    fn others_are_not() {
        check(&["/opt/a/a", "/opt/b/b"], "exe:/opt/b/b");
        check(&["/opt/a/a", "/usr/bin/curl"], "exe:/usr/bin/curl");
        check(
            &[
                "/usr/lib/systemd/systemd --user",
                "/usr/lib/systemd/systemd-resolved",
            ],
            "exe:/usr/lib/systemd/systemd-resolved",
        );
        check(&["/opt/a/a", "/opt/b/b", "/opt/a/h"], "exe:/opt/a/h");
        check(
            &["/usr/bin/python3 /opt/m/main.py", "/usr/bin/perl -e x"],
            "exe:/usr/bin/perl",
        );
        check(
            &["/usr/bin/bash", "/usr/lib/w/WebKitNetworkProcess"],
            "exe:/usr/lib/w/WebKitNetworkProcess",
        );
    }

    #[test]
    fn what_a_shell_script_starts_is_a_program_of_its_own() {
        let script = "/usr/bin/bash /srv/jobs/all.sh";
        for number in 0..6 {
            let job = format!("/usr/bin/bash /srv/jobs/job{number}.sh");
            check(&[script, &job], &format!("script:/srv/jobs/job{number}.sh"));
            let job = format!("/usr/bin/python3 /srv/jobs/job{number}.py");
            check(&[script, &job], &format!("script:/srv/jobs/job{number}.py"));
            check(
                &[script, "/usr/bin/dash -c x", &job],
                &format!("script:/srv/jobs/job{number}.py"),
            );
            check(
                &[
                    "/usr/bin/dash start",
                    &format!("/home/ada/project/bin/{number}"),
                ],
                &format!("exe:/home/ada/project/bin/{number}"),
            );
        }
        check(
            &[script, "/srv/jobs/lib/worker"],
            "exe:/srv/jobs/lib/worker",
        );
        // Also where the script was started by what lies beside it.
        check(
            &["/srv/jobs/main", script, "/srv/jobs/lib/worker"],
            "exe:/srv/jobs/lib/worker",
        );
        // Another interpreter's script is no worker of this one.
        check(
            &[
                "/usr/bin/python3 /srv/jobs/run.py",
                "/usr/bin/perl /srv/jobs/a.pl",
            ],
            "script:/srv/jobs/a.pl",
        );
        for starter in ["make", "tmux", "cron", "xargs"] {
            check(
                &[&format!("/opt/tools/bin/{starter}"), "/opt/tools/lib/job"],
                "exe:/opt/tools/lib/job",
            );
        }
    }

    #[test]
    fn what_is_elsewhere_is_no_part_and_has_none() {
        let whole = process(100, 1, "/opt/a/bin/a");
        let part = process(101, 100, "/opt/a/lib/h");
        let check = |whole: Process, part: Process, expected: &str| {
            let facts = Box::new(Script(vec![whole, part.clone()]));
            let programs = Programs::new(Catalog::default(), facts);
            assert_eq!(programs.program(&part).id, expected);
        };
        check(whole.clone(), part.clone(), "exe:/opt/a/bin/a");
        let elsewhere = |process: &Process| Process {
            exe_state: ExeState::Elsewhere,
            exe_file: Some(ExeFile::new(1, 2, 0, 0o100_755)),
            ..process.clone()
        };
        check(elsewhere(&whole), part.clone(), "exe:/opt/a/lib/h");
        check(whole, elsewhere(&part), "elsewhere:1:2 /opt/a/lib/h");
    }

    #[test]
    fn another_file_under_the_same_path_is_another_program() {
        let programs = Programs::without_facts();
        let at = |state, inode| Process {
            exe_state: state,
            exe_file: Some(ExeFile::new(1, inode, 0, 0o100_755)),
            ..process(100, 1, "/usr/bin/curl")
        };
        let id = |state, inode| programs.program(&at(state, inode)).id.clone();
        assert_eq!(id(ExeState::Here, 1), "exe:/usr/bin/curl");
        assert_eq!(id(ExeState::Elsewhere, 2), "elsewhere:1:2 /usr/bin/curl");
        assert_eq!(id(ExeState::Elsewhere, 3), "elsewhere:1:3 /usr/bin/curl");
        assert_eq!(id(ExeState::Replaced, 1), "exe:/usr/bin/curl");
    }

    #[test]
    fn what_a_file_claims_is_looked_for_nowhere() {
        let entry = flowner_icons::Entry::parse(
            "firefox",
            b"[Desktop Entry]\nType=Application\nName=Firefox\nExec=firefox\n",
            &Locale::default(),
        );
        let programs = Programs::new(Catalog::new(entry.into_iter().collect()), Box::new(()));
        let firefox = Arc::new(process(100, 1, "/usr/lib/firefox/firefox"));
        let party = |source| {
            programs.party(Some(&Ownership {
                verdict: Verdict::Process(Arc::clone(&firefox)),
                evidence: Evidence {
                    matched: None,
                    observed_at: SystemTime::UNIX_EPOCH,
                    source,
                    namespace: None,
                    socket: None,
                },
            }))
        };
        let id = |party: Party| party.programs()[0].id.clone();
        assert_eq!(id(party(Source::SockDiag)), "app:firefox");
        let recorded = party(Source::Recorded);
        assert_eq!(id(recorded), "recorded:exe:/usr/lib/firefox/firefox");
    }

    #[test]
    fn an_ancestor_that_is_younger_is_another_process() {
        let old = process(200, 300, "/opt/a/h");
        let young = process(300, 1, "/opt/a/a");
        let programs = Programs::new(Catalog::default(), Box::new(Script(vec![young])));
        assert_eq!(programs.program(&old).id, "exe:/opt/a/h");
    }

    #[test]
    fn processes_that_start_each_other_end() {
        let mut one = process(100, 101, "/usr/bin/sh -c x");
        let mut other = process(101, 100, "/usr/bin/sh -c x");
        one.started = None;
        other.started = None;
        let programs = Programs::new(
            Catalog::default(),
            Box::new(Script(vec![one.clone(), other])),
        );
        assert_eq!(programs.program(&one).id, "exe:/usr/bin/sh");
    }

    #[test]
    fn an_upgrade_does_not_split_a_program_and_is_shared() {
        let programs = Programs::without_facts();
        let old = programs.program(&process(100, 1, "/opt/app-1.2.3/bin/x"));
        let new = programs.program(&process(101, 1, "/opt/app-1.3.0/bin/x"));
        assert!(Arc::ptr_eq(&old, &new));
        assert_eq!(old.path.as_deref(), Some(Path::new("/opt/app-1.2.3/bin/x")));
    }

    #[test]
    fn a_process_that_executes_something_else_is_that() {
        let programs = Programs::new(Catalog::default(), Box::new(Script::default()));
        let shell = process(100, 1, "/usr/bin/dash -c x");
        assert_eq!(programs.program(&shell).id, "exe:/usr/bin/dash");
        let script = process(100, 1, "/usr/bin/dash /opt/x/y");
        assert_eq!(programs.program(&script).id, "script:/opt/x/y");
        let command = process(100, 1, "/usr/bin/curl");
        assert_eq!(programs.program(&command).id, "exe:/usr/bin/curl");
        let told = process(100, 1, "/usr/bin/curl: idle");
        assert_eq!(
            programs
                .program(&Process {
                    path: command.path,
                    ..told
                })
                .id,
            "exe:/usr/bin/curl"
        );
    }

    #[test]
    fn memory_is_bounded() {
        let programs = Programs::without_facts();
        for pid in 0..3 * 8_192 {
            programs.program(&process(pid, 1, "/usr/bin/curl"));
        }
        let known = programs.known();
        assert!(known.processes.len() + known.before.len() <= 2 * MAX_PROCESSES);
        assert_eq!(known.programs.len(), 1);
    }

    #[test]
    fn a_sandbox_that_cannot_be_seen_into_is_its_program() {
        use flowner_attribution::UnitKind;
        let programs = Programs::without_facts();
        let unit = |kind| Unit {
            kind,
            name: "org.x.Y".to_owned(),
        };
        let party = |kind| {
            programs.party_of(Some(&Verdict::Partial {
                user: None,
                unit: Some(unit(kind)),
            }))
        };
        let seen = Process {
            unit: Some(unit(UnitKind::Flatpak)),
            ..process(100, 1, "/app/y")
        };
        assert_eq!(
            party(UnitKind::Flatpak),
            Party::Program(programs.program(&seen))
        );
        assert_eq!(
            party(UnitKind::Service),
            Party::Unit(unit(UnitKind::Service))
        );
    }
}

//! Names that come late, from a name service that the tests control.

use std::sync::Barrier;

use super::*;
use crate::answer::Unit;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Users from this id on have names. Those from the next one on get them late, and those from the
/// last one on make the name service panic.
const NAMED: u32 = 4_000_000_000;
const LATE: u32 = 4_100_000_000;
const BROKEN: u32 = 4_200_000_000;

static HELD: Mutex<bool> = Mutex::new(true);
static RELEASED: Condvar = Condvar::new();

fn scripted(uid: u32) -> Option<String> {
    assert!(uid < BROKEN, "as the test wants it");
    if uid >= LATE {
        let held = HELD.lock().unwrap();
        drop(RELEASED.wait_timeout_while(held, DEADLINE, |held| *held));
    }
    (uid >= NAMED).then(|| format!("user{uid}"))
}

fn of(uid: u32) -> Arc<Process> {
    let mut process = Process::new(7, "p");
    process.user = Some(User::new(uid, None));
    Arc::new(process)
}

fn name_of(verdict: &Verdict) -> Option<&str> {
    verdict.user()?.name.as_deref()
}

#[test]
fn concurrent_threads_get_the_name_of_a_user() {
    for _ in 0..50 {
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let names = UserNames::of_system();
                    assert_eq!(names.known(0).as_deref(), Some("root"));
                });
            }
        });
    }
}

#[test]
fn every_kind_of_answer_gets_its_names() {
    let names = UserNames::new(scripted);
    let uid = NAMED + 1;
    assert_eq!(names.known(uid), None, "no thread has requested it");
    let mut verdicts = [
        Verdict::Process(of(uid)),
        Verdict::Shared(vec![of(uid), of(uid)]),
        Verdict::Partial {
            user: Some(User::new(uid, None)),
            unit: None::<Unit>,
        },
    ];
    let kept = verdicts.clone();
    names.complete(&mut verdicts, DEADLINE);
    let expected = format!("user{uid}");
    for verdict in &verdicts {
        assert_eq!(name_of(verdict), Some(&*expected));
    }
    assert_eq!(names.known(uid), Some(expected));
    assert_eq!(name_of(&kept[0]), None, "others keep what they have");
}

#[test]
fn a_user_without_a_name_keeps_its_id() {
    let names = UserNames::new(scripted);
    let mut verdict = Verdict::Process(of(NAMED - 1));
    names.complete([&mut verdict], DEADLINE);
    assert_eq!(verdict, Verdict::Process(of(NAMED - 1)));
}

#[test]
fn only_the_first_lookup_waits_for_a_hanging_name_service() {
    let names = UserNames::new(scripted);
    let mut late = Verdict::Process(of(LATE));
    names.complete([&mut late], Duration::from_millis(1));
    assert_eq!(name_of(&late), None);
    // No lookup waits for that user, nor for another one: this would take half a minute.
    let began = Instant::now();
    for uid in [LATE, LATE + 1, NAMED] {
        names.complete([&mut Verdict::Process(of(uid))], DEADLINE);
    }
    assert!(began.elapsed() < DEADLINE);
    *HELD.lock().unwrap() = false;
    RELEASED.notify_all();
    while names.known(LATE).is_none() || names.known(LATE + 1).is_none() {
        assert!(began.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(1));
    }
    names.complete([&mut late], Duration::ZERO);
    assert_eq!(name_of(&late), Some(&*format!("user{LATE}")));
}

#[test]
fn a_name_service_that_panics_costs_no_other_user_the_name() {
    let names = UserNames::new(scripted);
    names.complete([&mut Verdict::Process(of(BROKEN))], Duration::ZERO);
    let began = Instant::now();
    while names.known(NAMED).is_none() {
        assert!(began.elapsed() < DEADLINE);
        names.complete([&mut Verdict::Process(of(NAMED))], Duration::from_millis(1));
    }
}

/// The owner of the process by the name service itself: root is in `/etc/passwd` as well.
#[test]
fn the_name_service_of_this_system_answers() {
    let Some(name) = service::name(0) else {
        return flowner_testing::skipped!("this build has no name service");
    };
    assert_eq!(name, "root");
    assert_eq!(service::name(NAMED - 1), None);
}

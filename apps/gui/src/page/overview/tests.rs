use proptest::prelude::*;

use super::*;
use crate::feed::Wish;
use crate::samples::{flow, picture};
use crate::theme::Scheme;

fn refresh(state: &mut State, flows: &[(u8, u32)]) {
    let flows = flows.iter().map(|(id, rate)| flow(*id, *rate)).collect();
    let picture = picture(flows, &Wish::default());
    state.refresh(&picture, Unit::default(), Scheme::Light.colors(false));
}

/// What is highlighted.
fn highlighted(state: &State) -> Option<Ranked> {
    state.selected_row().map(|row| Ranked::of(&state.rows[row]))
}

fn name(state: &State) -> Option<String> {
    match highlighted(state)? {
        Ranked::Principal(principal) => Some(principal.to_string()),
        Ranked::Others => None,
    }
}

fn opened(action: Action) -> Option<Principal> {
    match action {
        Action::OpenProgram(principal) => Some(principal),
        _ => None,
    }
}

#[test]
fn the_selection_stays_with_its_program() {
    let mut state = State::default();
    refresh(&mut state, &[(1, 300), (2, 200), (3, 100)]);
    state.intend(Intent::Down);
    state.intend(Intent::Down);
    assert_eq!(name(&state).as_deref(), Some("program-2"));
    refresh(&mut state, &[(1, 300), (2, 900), (3, 400)]);
    assert_eq!(state.selected_row(), Some(0));
    let principal = opened(state.intend(Intent::Open)).unwrap();
    assert_eq!(principal.to_string(), "program-2");
    // Gone: nothing else takes its place, and Enter opens nothing.
    refresh(&mut state, &[(1, 300), (3, 400)]);
    assert_eq!(highlighted(&state), None);
    assert!(opened(state.intend(Intent::Open)).is_none());
    // Nor when it is back.
    refresh(&mut state, &[(1, 300), (2, 900)]);
    assert_eq!(highlighted(&state), None);
}

#[derive(Debug, Clone)]
enum Step {
    Refresh(Vec<(u8, u32)>),
    Key(Intent),
    Open,
}

fn any_step() -> impl Strategy<Value = Step> {
    let keys = vec![
        Intent::Up,
        Intent::Down,
        Intent::PageDown,
        Intent::First,
        Intent::Last,
        Intent::Leave,
    ];
    prop_oneof![
        prop::collection::btree_map(0..12_u8, 1..9_999_u32, 0..12)
            .prop_map(|flows| Step::Refresh(flows.into_iter().collect())),
        prop::sample::select(keys).prop_map(Step::Key),
        Just(Step::Open),
    ]
}

proptest! {
    /// Whatever comes between two keys, Enter opens what is highlighted, and that changes
    /// by keys only.
    #[test]
    fn enter_opens_what_is_highlighted(steps in prop::collection::vec(any_step(), 1..40)) {
        let mut state = State::default();
        for step in steps {
            let before = highlighted(&state);
            match step {
                Step::Refresh(flows) => {
                    refresh(&mut state, &flows);
                    let after = highlighted(&state);
                    prop_assert!(after.is_none() || after == before);
                }
                Step::Key(intent) => {
                    state.intend(intent);
                }
                Step::Open => {
                    let opened = opened(state.intend(Intent::Open)).map(Ranked::Principal);
                    prop_assert_eq!(opened, before);
                }
            }
        }
    }
}

use proptest::prelude::*;

use flowner_core::present::Column as Of;

use super::*;
use crate::live::samples::{data, flows};

/// The state after these messages, with the usual flows.
fn state(messages: Vec<Message>) -> State {
    let mut state = State::new("eth0".to_owned(), true, Tab::Programs, String::new());
    state.update(data(flows()).into());
    for message in messages {
        state.update(message);
    }
    state
}

/// The text of each line, indented, with `>` before the selected one.
fn shown(state: &State) -> Vec<String> {
    let line = |line: &Line| {
        let name = match (state.node(line), state.item(line)) {
            (Some(node), _) => node.label.clone(),
            (_, Some(item)) => format!("#{}", item.index + 1),
            _ => "nothing".to_owned(),
        };
        let mark = if state.view().selected == Some(line.id) {
            ">"
        } else {
            ""
        };
        format!("{mark}{}{name}", " ".repeat(line.depth.into()))
    };
    state.lines.iter().map(line).collect()
}

#[track_caller]
fn check(messages: Vec<Message>, expected: &[&str]) {
    assert_eq!(shown(&state(messages)), expected);
}

const DOWN: Message = Message::Move(Motion::Down);

#[test]
fn rows_with_traffic_come_first() {
    check(vec![], &["firefox", "curl", "unknown"]);
    check(vec![Message::Reverse], &["unknown", "curl", "firefox"]);
    check(
        vec![Message::Tab(Tab::Hosts)],
        &["93.184.216.34", "9.9.9.9", "2001:db8::1:2"],
    );
    check(vec![Message::Tab(Tab::Flows)], &["#1", "#3", "#4", "#2"]);
    check(vec![Message::Tab(Tab::Services)], &["https tcp/443"]);
}

#[test]
fn any_column_can_be_sorted_by() {
    let mut state = state(vec![]);
    let mut keys = Vec::new();
    for _ in 0..6 {
        state.update(Message::SortNext);
        keys.push(state.view().sort);
        assert_eq!(state.lines.len(), 3);
    }
    assert!(keys.contains(&Column::Name) && keys.contains(&Column::Of(Of::Received)));
    // A hidden column would be an order that no one understands.
    assert!(!keys.contains(&Column::Trend) && !keys.contains(&Column::Of(Of::Path)));
    assert_eq!(state.view().sort, Column::Of(Of::Down));
    state.update(Message::SortPrevious);
    assert_eq!(state.view().sort, Column::Of(Of::Up));
}

#[test]
fn a_program_opens_to_processes_and_flows() {
    let opened = [
        ">firefox",
        " 300 firefox",
        "  #1",
        " 301 firefox",
        "  #2",
        "curl",
    ];
    let all = shown(&state(vec![DOWN, Message::Open]));
    assert_eq!(all[..6], opened);
    // In, out again, and closed.
    let mut state = state(vec![DOWN, Message::Open, Message::Open]);
    assert_eq!(shown(&state)[1], "> 300 firefox");
    state.update(Message::Close);
    assert_eq!(shown(&state)[1..3], ["> 300 firefox", " 301 firefox"]);
    state.update(Message::Close);
    state.update(Message::Close);
    assert_eq!(shown(&state), [">firefox", "curl", "unknown"]);
}

#[test]
fn the_selection_stays_on_its_row() {
    let mut state = state(vec![DOWN]);
    let mut changed = flows();
    changed[2].rate.received = 9_000_000;
    state.update(data(changed).into());
    assert_eq!(shown(&state), ["curl", ">firefox", "unknown"]);
    state.update(data(Vec::new()).into());
    assert_eq!(shown(&state), [""; 0]);
    state.update(DOWN);
    assert_eq!(state.view().selected, None);
}

/// When a row is gone, a key for it opens nothing; motions continue from its place.
#[test]
fn the_row_in_place_of_one_that_is_gone_is_not_selected() {
    let gone = || {
        let mut state = state(vec![DOWN, DOWN]);
        assert_eq!(shown(&state), ["firefox", ">curl", "unknown"]);
        let mut rest = flows();
        rest.remove(2);
        state.update(data(rest).into());
        assert_eq!(shown(&state), ["firefox", "unknown"]);
        state
    };
    for (message, expected) in [
        (Message::Toggle, ["firefox", ">unknown"]),
        (Message::Open, ["firefox", ">unknown"]),
        (Message::Freeze, ["firefox", ">unknown"]),
        (DOWN, ["firefox", ">unknown"]),
        (Message::Move(Motion::Up), [">firefox", "unknown"]),
        (Message::Close, ["firefox", "unknown"]),
    ] {
        let mut state = gone();
        let what = format!("{message:?}");
        state.update(message);
        assert_eq!(shown(&state), expected, "{what}");
        assert!(state.frozen.is_empty() && !state.shows_details, "{what}");
    }
    // The row is back, and the user has selected nothing since.
    let mut state = gone();
    state.update(data(flows()).into());
    assert_eq!(shown(&state), ["firefox", "curl", "unknown"]);
}

#[test]
fn a_click_is_for_the_drawn_row() {
    let mut state = state(vec![]);
    state.note_drawn();
    let rows = state.areas().rows.y;
    let mut changed = flows();
    changed[2].rate.received = 9_000_000;
    state.update(data(changed).into());
    state.update(click(5, rows));
    assert_eq!(shown(&state), ["curl", ">firefox", "unknown"]);
    // A click on a row that is gone has no effect.
    state.update(data(flows().split_off(3)).into());
    state.update(click(5, rows + 1));
    assert_eq!(shown(&state), ["unknown"]);
}

#[test]
fn no_row_is_selected_until_the_user_moves() {
    let mut state = state(vec![]);
    let mut changed = flows();
    changed[2].rate.received = 9_000_000;
    state.update(data(changed).into());
    assert_eq!(shown(&state), ["curl", "firefox", "unknown"]);
}

#[test]
fn frozen_rows_stay_on_top() {
    let mut state = state(vec![Message::Move(Motion::Last), Message::Freeze]);
    assert_eq!(shown(&state), [">unknown", "firefox", "curl"]);
    state.update(Message::Resized(80, 6));
    state.update(Message::Move(Motion::Last));
    let areas = state.areas();
    assert_eq!((areas.frozen.height, areas.rows.height), (1, 1));
    assert_eq!(state.view().offset, 1);
    state.update(Message::Move(Motion::First));
    state.update(Message::Freeze);
    assert_eq!(shown(&state), ["firefox", "curl", ">unknown"]);
}

#[test]
fn a_filter_is_tried_while_it_is_written() {
    let mut state = state(vec![Message::Filter]);
    let typed = |text: &str| Message::Typed(text.to_owned());
    let asked = |text: &str| {
        Some(Effect::Ask {
            filter: Filter::parse(text).unwrap(),
            is_paused: false,
            shows_names: true,
        })
    };
    assert_eq!(state.update(typed("port:4")), asked("port:4"));
    // An invalid filter shows an error, and causes no request.
    assert_eq!(state.update(typed(" x:")), None);
    assert!(state.prompt.as_ref().unwrap().error.is_some());
    // It cannot be accepted either.
    state.update(Message::Accept);
    assert!(state.is_typing());
    assert_eq!(state.update(Message::EraseWord), asked("port:4 "));
    state.update(Message::Accept);
    assert_eq!(
        (state.filter.as_str(), state.is_typing()),
        ("port:4 ", false)
    );
    // Esc during input restores the earlier filter, and then removes it.
    state.update(Message::Filter);
    state.update(typed("3"));
    assert_eq!(state.update(Message::Cancel), asked("port:4 "));
    assert_eq!(state.update(Message::Cancel), asked(""));
}

#[test]
fn a_pause_is_requested() {
    let mut state = state(vec![]);
    let paused = |state: &mut State| match state.update(Message::Pause) {
        Some(Effect::Ask { is_paused, .. }) => is_paused,
        other => panic!("{other:?}"),
    };
    assert!(paused(&mut state));
    assert!(!paused(&mut state));
}

#[test]
fn names_are_asked_for_until_addresses_are_wanted() {
    let mut state = state(vec![]);
    let shows_names = |state: &mut State| match state.update(Message::Names) {
        Some(Effect::Ask { shows_names, .. }) => shows_names,
        other => panic!("{other:?}"),
    };
    assert!(!shows_names(&mut state));
    assert!(shows_names(&mut state));
}

#[test]
fn help_is_read_and_goes_away() {
    let mut state = state(vec![Message::Help]);
    assert_eq!(state.help, Some(0));
    state.update(DOWN);
    assert_eq!((state.help, state.view().selected), (Some(1), None));
    // Data continues to arrive meanwhile.
    state.update(data(Vec::new()).into());
    assert!(state.help.is_some() && state.lines.is_empty());
    assert_eq!(state.update(Message::Pause), None);
    assert_eq!((state.help, state.is_paused), (None, false));
    state.update(Message::Help);
    assert_eq!(state.update(Message::Quit), Some(Effect::Quit));
}

fn click(x: u16, y: u16) -> Message {
    Message::Click(Position::new(x, y))
}

#[test]
fn a_click_selects_opens_sorts_and_goes_to_a_tab() {
    let mut state = state(vec![]);
    let rows = state.areas().rows.y;
    state.update(click(5, rows + 1));
    assert_eq!(shown(&state), ["firefox", ">curl", "unknown"]);
    state.update(click(5, rows + 1));
    assert_eq!(
        shown(&state)[1..3],
        [">curl".to_owned(), " 400 curl".to_owned()]
    );
    // There is nothing below the last row.
    let before = shown(&state);
    state.update(click(5, rows + 10));
    assert_eq!(shown(&state), before);

    let titles = state.areas().titles.y;
    state.update(click(2, titles));
    assert_eq!(
        (state.view().sort, state.view().is_descending),
        (Column::Name, false)
    );
    state.update(click(2, titles));
    assert!(state.view().is_descending);
    // There is no column between two, or after the last.
    state.update(click(79, titles));
    assert_eq!(state.view().sort, Column::Name);

    let tabs = state.areas().tabs.y;
    for (x, expected) in [
        (11, Tab::Flows),
        (10, Tab::Flows),
        (18, Tab::Hosts),
        (1, Tab::Programs),
    ] {
        state.update(click(x, tabs));
        assert_eq!(state.tab, expected, "{x}");
    }
}

#[test]
fn the_wheel_scrolls_and_keeps_the_selected_row_visible() {
    let mut state = state(vec![Message::OpenAll, Message::Resized(80, 8)]);
    let last = state.lines.len() - usize::from(state.areas().rows.height);
    state.update(Message::Scroll(3));
    assert_eq!((state.view().offset, state.view().selected), (3, None));
    state.update(Message::Scroll(100));
    assert_eq!(state.view().offset, last);
    state.update(Message::Scroll(-100));
    state.update(Message::Move(Motion::First));
    state.update(Message::Scroll(3));
    assert_eq!((state.view().offset, state.selected_line()), (3, Some(3)));
    state.update(Message::Help);
    state.update(Message::Scroll(3));
    assert_eq!((state.help, state.view().offset), (Some(3), 3));
}

#[test]
fn small_screens_have_room_for_everything() {
    for (width, height) in [(40, 10), (1, 1), (0, 0), (300, 100)] {
        let mut state = state(vec![
            Message::Resized(width, height),
            DOWN,
            Message::Details,
        ]);
        state.update(Message::Filter);
        let areas = state.areas();
        assert!(areas.footer.bottom() <= height, "{areas:?}");
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (0..80_u16, 0..40_u16).prop_map(|(width, height)| Message::Resized(width, height)),
        prop::sample::select(vec![
            Motion::Up,
            Motion::Down,
            Motion::PageUp,
            Motion::PageDown,
            Motion::First,
            Motion::Last,
        ])
        .prop_map(Message::Move),
        prop::sample::select(Tab::ALL.to_vec()).prop_map(Message::Tab),
        prop::sample::subsequence(vec![0, 1, 2, 3], 0..4).prop_map(|places| {
            let flows = flows();
            let some: Vec<_> = places.iter().map(|place| flows[*place].clone()).collect();
            data(some).into()
        }),
        (0..80_u16, 0..40_u16).prop_map(|(x, y)| click(x, y)),
        (-9..9_isize).prop_map(Message::Scroll),
        Just(()).prop_map(|()| Message::Toggle),
        Just(()).prop_map(|()| Message::Open),
        Just(()).prop_map(|()| Message::OpenAll),
        Just(()).prop_map(|()| Message::Close),
        Just(()).prop_map(|()| Message::Freeze),
        Just(()).prop_map(|()| Message::SortNext),
        Just(()).prop_map(|()| Message::Reverse),
        Just(()).prop_map(|()| Message::Details),
        Just(()).prop_map(|()| Message::Cancel),
    ]
}

/// The selected row, in words.
fn selected(state: &State) -> Option<String> {
    let line = state.lines[state.selected_line()?];
    state.node(&line).map(|node| node.label.clone())
}

proptest! {
    /// Whatever order arrives between two keys, Enter opens the highlighted row, and none if that
    /// is gone.
    #[test]
    fn enter_opens_what_was_highlighted(
        steps in prop::collection::vec(
            (any::<bool>(), prop::sample::subsequence(vec![0, 1, 2, 3], 0..5), 1..9_u64),
            1..20,
        ),
    ) {
        let mut state = state(vec![DOWN]);
        for (is_down, places, rate) in steps {
            state.update(Message::Move(if is_down { Motion::Down } else { Motion::Up }));
            let highlighted = selected(&state);
            let mut some: Vec<_> = places.iter().map(|place| flows()[*place].clone()).collect();
            for (flow, step) in some.iter_mut().zip(1_u64..) {
                flow.rate.received = (rate * step * 7) % 11 * 1_000;
            }
            state.update(data(some).into());
            let is_there = selected(&state).is_some();
            prop_assert!(!is_there || selected(&state) == highlighted);
            let open = |state: &State| -> Vec<String> {
                let is_open = |line: &&Line| line.depth == 0 && line.is_open == Some(true);
                let lines = state.lines.iter().filter(is_open);
                lines.filter_map(|line| Some(state.node(line)?.label.clone())).collect()
            };
            state.update(Message::Toggle);
            if is_there {
                prop_assert_eq!(open(&state), highlighted.into_iter().collect::<Vec<_>>());
                state.update(Message::Toggle);
            }
            prop_assert!(state.lines.iter().all(|line| line.depth == 0));
        }
    }

    /// After any messages, the selected row exists and is visible.
    #[test]
    fn the_selected_row_is_in_view(messages in prop::collection::vec(any_message(), 0..60)) {
        let mut state = state(vec![]);
        for message in messages {
            state.update(message);
            let areas = state.areas();
            let frozen = usize::from(areas.frozen.height);
            let height = usize::from(areas.rows.height);
            if state.view().selected.is_none() || height == 0 {
                continue;
            }
            let place = state.selected_line();
            prop_assert!(place.is_some());
            if let Some(place) = place.and_then(|place| place.checked_sub(frozen)) {
                let offset = state.view().offset;
                prop_assert!((offset..offset + height).contains(&place));
            }
        }
    }
}

//! Whole screens. `SNAPSHOTS=overwrite cargo test -p flowner` writes them anew; check the
//! difference before you commit it.

use std::sync::Arc;

use flowner_core::{AskedBy, FlowNames, FlowRecord, HostName, Name, NameSource};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use snapbox::{Data as Expected, assert_data_eq, file};

use super::{Theme, draw};
use crate::live::columns::Tab;
use crate::live::data::Data;
use crate::live::samples::{data, flows, sockets};
use crate::live::state::{Message, Motion, State};

fn terminal(size: (u16, u16), data: Data, messages: Vec<Message>) -> Terminal<TestBackend> {
    let mut state = State::new(
        "eth0".to_owned(),
        data.has_bytes(),
        Tab::Programs,
        String::new(),
    );
    state.update(Message::Resized(size.0, size.1));
    state.update(data.into());
    for message in messages {
        state.update(message);
    }
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal
        .draw(|frame| draw(frame, &state, Theme::Colours))
        .unwrap();
    terminal
}

#[track_caller]
fn check(size: (u16, u16), data: Data, messages: Vec<Message>, expected: Expected) {
    let terminal = terminal(size, data, messages);
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(size.0)).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    });
    assert_data_eq!(lines.collect::<String>(), expected.raw());
}

const DOWN: Message = Message::Move(Motion::Down);

#[test]
fn programs() {
    let open = vec![DOWN, Message::Open];
    check(
        (80, 24),
        data(flows()),
        open,
        file!["snapshots/programs-80x24.txt"],
    );
    check(
        (40, 10),
        data(flows()),
        vec![],
        file!["snapshots/programs-40x10.txt"],
    );
}

#[test]
fn details_show_how_the_owner_is_known() {
    let unknown = vec![
        Message::Tab(Tab::Flows),
        Message::Move(Motion::Last),
        Message::Details,
    ];
    check(
        (80, 24),
        data(flows()),
        unknown,
        file!["snapshots/details-80x24.txt"],
    );
    let narrow = vec![Message::Tab(Tab::Flows), DOWN, Message::Details];
    check(
        (40, 10),
        data(flows()),
        narrow,
        file!["snapshots/details-40x10.txt"],
    );
}

#[test]
fn flows_and_hosts_and_services() {
    let on = |tab| vec![Message::Tab(tab)];
    check(
        (120, 10),
        data(flows()),
        on(Tab::Flows),
        file!["snapshots/flows-120x10.txt"],
    );
    check(
        (80, 10),
        data(flows()),
        on(Tab::Flows),
        file!["snapshots/flows-80x10.txt"],
    );
    check(
        (120, 10),
        data(flows()),
        on(Tab::Hosts),
        file!["snapshots/hosts-120x10.txt"],
    );
    check(
        (80, 10),
        data(flows()),
        on(Tab::Services),
        file!["snapshots/services-80x10.txt"],
    );
}

/// The lines of a screen that have this text.
fn lines_with(data: Data, messages: Vec<Message>, text: &str) -> Vec<String> {
    let terminal = terminal((200, 20), data, messages);
    let lines = terminal.backend().buffer().content.chunks(200);
    let lines = lines.map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect());
    lines.filter(|line: &String| line.contains(text)).collect()
}

/// Flows whose first one goes to a host with a name.
fn named_flows() -> (Vec<FlowRecord>, String) {
    let mut flows = flows();
    let address = flows[0].remote.ip().to_string();
    let name = Name::from_text(b"www.example.com").unwrap();
    let mut names = FlowNames::default();
    names.remote = Some(HostName::new(name, NameSource::Tls, AskedBy::Program));
    flows[0].names = Some(Arc::new(names));
    (flows, address)
}

#[test]
fn names_come_first_and_a_key_shows_addresses() {
    for (tab, shown) in [
        (Tab::Flows, "www.example.com "),
        (Tab::Hosts, "www.example.com ("),
    ] {
        let (flows, address) = named_flows();
        let port = if tab == Tab::Flows { ":443" } else { "" };
        let messages = vec![Message::Tab(tab)];
        let found = lines_with(data(flows.clone()), messages, "");
        assert!(found.iter().any(|line| line.contains(shown)), "{found:#?}");
        let messages = vec![Message::Tab(tab), Message::Names];
        assert!(lines_with(data(flows.clone()), messages, shown).is_empty());
        let messages = vec![Message::Tab(tab), Message::Names];
        let by_address = lines_with(data(flows), messages, &format!("{address}{port}"));
        assert!(!by_address.is_empty(), "{address}{port}");
    }
    let (flows, _) = named_flows();
    let details = vec![Message::Tab(Tab::Flows), DOWN, Message::Details];
    let evidence = "www.example.com: the client names it in TLS (SNI)";
    assert_eq!(lines_with(data(flows), details, evidence).len(), 1);
}

#[test]
fn sockets_without_privilege() {
    check(
        (80, 10),
        sockets(),
        vec![],
        file!["snapshots/sockets-80x10.txt"],
    );
    check(
        (40, 10),
        sockets(),
        vec![],
        file!["snapshots/sockets-40x10.txt"],
    );
    check(
        (60, 20),
        sockets(),
        vec![],
        file!["snapshots/sockets-60x20.txt"],
    );
    let list = vec![Message::Tab(Tab::Flows)];
    check(
        (100, 10),
        sockets(),
        list,
        file!["snapshots/socket-list-100x10.txt"],
    );
}

#[test]
fn a_wrong_filter_is_marked() {
    let typed = Message::Typed("port:443 prot:tcp".to_owned());
    let wrong = vec![Message::Filter, typed];
    check(
        (80, 12),
        data(flows()),
        wrong,
        file!["snapshots/filter-80x12.txt"],
    );
}

#[test]
fn help() {
    check(
        (80, 24),
        data(flows()),
        vec![Message::Help],
        file!["snapshots/help-80x24.txt"],
    );
    check(
        (40, 10),
        data(flows()),
        vec![Message::Help],
        file!["snapshots/help-40x10.txt"],
    );
}

#[test]
fn nothing_yet() {
    check(
        (60, 6),
        data(Vec::new()),
        vec![],
        file!["snapshots/nothing-60x6.txt"],
    );
}

#[test]
fn only_the_sixteen_colours_are_used() {
    for messages in [vec![], vec![Message::Filter], vec![Message::Help]] {
        let terminal = terminal((80, 24), data(flows()), messages);
        for cell in &terminal.backend().buffer().content {
            for color in [cell.fg, cell.bg] {
                assert!(
                    !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                    "{cell:?}"
                );
            }
        }
    }
}

#[test]
fn without_colours_the_selected_row_is_still_visible() {
    let mut state = State::new("eth0".to_owned(), true, Tab::Programs, String::new());
    state.update(data(flows()).into());
    state.update(DOWN);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal
        .draw(|frame| draw(frame, &state, Theme::Plain))
        .unwrap();
    let buffer = terminal.backend().buffer();
    assert!(
        buffer
            .content
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    assert!(buffer[(3, 3)].modifier.contains(Modifier::REVERSED));
    assert!(!buffer[(3, 4)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn no_size_is_too_small() {
    for width in (0..60).step_by(3) {
        for height in (0..14).step_by(2) {
            let messages = vec![DOWN, Message::Details, Message::Freeze, Message::Filter];
            terminal((width, height), data(flows()), messages);
        }
    }
}

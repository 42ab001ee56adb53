use proptest::prelude::*;

use super::columns_sheet::{reordered, toggled};
use super::*;
use crate::picture::Pictures;
use crate::samples::{flow, picture};
use crate::session::{Origin, Session};
use crate::settings::Settings;
use crate::theme::Scheme;
use crate::viewpoint::Viewpoint;

/// The page with a session whose pictures the test gives.
struct Page {
    state: State,
    session: Session,
    settings: Settings,
    pictures: Pictures,
    /// The flows of the last picture.
    flows: Vec<(u8, u32)>,
}

impl Page {
    fn new() -> Self {
        let demo = Origin::Demo(flowner_core::Demo::Recorded);
        let (session, _) =
            Session::start(1, demo, Viewpoint::default(), None, &Settings::default());
        Self {
            state: State::default(),
            session,
            settings: Settings::default(),
            pictures: Pictures::start().0,
            flows: Vec::new(),
        }
    }

    /// A picture that was made for this wish arrives.
    fn refresh(&mut self, flows: &[(u8, u32)], wish: &Wish) {
        self.flows = flows.to_vec();
        let flows = flows.iter().map(|(id, rate)| flow(*id, *rate)).collect();
        let picture = picture(flows, wish);
        self.session.picture = Some(std::sync::Arc::clone(&picture));
        self.state.refresh(&picture);
    }

    fn wish(&self) -> Wish {
        let mut wish = Wish::default();
        self.state.wish(&mut wish);
        wish
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut State, Context<'_>) -> T) -> T {
        let context = Context {
            colors: Scheme::Light.colors(false),
            settings: &self.settings,
            pictures: &self.pictures,
            session: Some(&self.session),
        };
        act(&mut self.state, context)
    }

    fn key(&mut self, intent: Intent) -> Action {
        self.with(|state, context| state.intend(intent, context))
    }

    /// The flow in the row that is highlighted.
    fn highlighted(&self) -> Option<FlowId> {
        let picture = self.session.picture.as_ref()?;
        Some(picture.listed(self.state.row?)?.id)
    }

    fn opened(&mut self) -> Option<String> {
        match self.key(Intent::Open) {
            Action::OpenProgram(principal) => Some(principal.to_string()),
            _ => None,
        }
    }
}

fn id(number: u8) -> FlowId {
    FlowId::from_u64(number.into())
}

#[test]
fn an_older_picture_does_not_move_the_selection() {
    let mut page = Page::new();
    let before = page.wish();
    page.refresh(&[(1, 300), (2, 200), (3, 100)], &before);
    page.key(Intent::Down);
    page.key(Intent::Down);
    assert_eq!(page.highlighted(), Some(id(2)));
    // It was on its way when the flow was selected, and in another order.
    page.refresh(&[(1, 100), (2, 200), (3, 300)], &before);
    assert_eq!(page.highlighted(), Some(id(2)));
    page.refresh(&[(1, 100), (2, 900), (3, 300)], &before);
    assert_eq!((page.state.row, page.highlighted()), (Some(0), Some(id(2))));
    assert_eq!(page.opened().as_deref(), Some("program-2"));
}

#[test]
fn a_click_is_for_the_flow_that_was_there() {
    let mut page = Page::new();
    page.refresh(&[(1, 300), (2, 200)], &Wish::default());
    let clicked = Message::Activated(Some(id(1)));
    page.refresh(&[(1, 300), (2, 900)], &Wish::default());
    let action = page.with(|state, context| state.update(clicked, context));
    assert!(
        matches!(action, Action::OpenProgram(principal) if principal.to_string() == "program-1")
    );
    // It is gone: what was selected stays so.
    page.refresh(&[(1, 300)], &page.wish());
    page.with(|state, context| state.update(Message::Selected(Some(id(2))), context));
    assert_eq!(page.highlighted(), Some(id(1)));
}

#[derive(Debug, Clone)]
enum Step {
    /// A picture, made for what is selected now, or for nothing.
    Refresh(Vec<(u8, u32)>, bool),
    Key(Intent),
    Open,
}

fn any_step() -> impl Strategy<Value = Step> {
    let keys = vec![
        Intent::Up,
        Intent::Down,
        Intent::PageUp,
        Intent::First,
        Intent::Last,
        Intent::Leave,
    ];
    let flows = prop::collection::btree_map(0..12_u8, 1..9_999_u32, 0..12);
    prop_oneof![
        (flows, any::<bool>())
            .prop_map(|(flows, is_old)| Step::Refresh(flows.into_iter().collect(), is_old)),
        prop::sample::select(keys).prop_map(Step::Key),
        Just(Step::Open),
    ]
}

proptest! {
    /// Whatever comes between two keys, Enter opens what is highlighted, or the flow whose
    /// details are shown; and that changes by keys only.
    #[test]
    fn enter_opens_what_is_highlighted(steps in prop::collection::vec(any_step(), 1..30)) {
        let mut page = Page::new();
        page.refresh(&[(1, 10), (2, 20), (3, 30)], &Wish::default());
        for step in steps {
            let (before, told) = (page.highlighted(), page.state.flow.as_ref().map(|it| it.id));
            match step {
                Step::Refresh(flows, is_old) => {
                    let wish = if is_old { Wish::default() } else { page.wish() };
                    page.refresh(&flows, &wish);
                    prop_assert_eq!(page.state.flow.as_ref().map(|it| it.id), told);
                    let is_listed = told.is_some_and(|it| flows.iter().any(|(of, _)| id(*of) == it));
                    prop_assert_eq!(page.highlighted(), told.filter(|_| is_listed));
                }
                Step::Key(intent) => {
                    page.key(intent);
                }
                Step::Open => {
                    let expected = told.map(|it| format!("program-{}", it.as_u64()));
                    prop_assert_eq!(page.opened(), expected);
                    prop_assert!(before.is_none() || before == told);
                }
            }
        }
    }
}

#[test]
fn columns_are_moved_and_never_all_hidden() {
    let columns = [Column::Program, Column::Pid, Column::User];
    let shown = |action| match action {
        Action::ShowColumns(columns) => columns,
        _ => Vec::new(),
    };
    assert_eq!(
        shown(reordered(&columns, &columns, 0, 2)),
        [Column::Pid, Column::User, Column::Program]
    );
    assert_eq!(shown(reordered(&columns, &columns, 7, 2)), columns);
    // Where names are not shown, they stay where they are.
    let all = [Column::Program, Column::Name, Column::Remote, Column::Pid];
    let without = [Column::Program, Column::Remote, Column::Pid];
    assert_eq!(
        shown(reordered(&all, &without, 0, 1)),
        [Column::Name, Column::Remote, Column::Program, Column::Pid]
    );
    // An address that stands in the place of a name moves that.
    assert_eq!(
        shown(reordered(
            &[Column::Name, Column::Pid],
            &[Column::Remote, Column::Pid],
            0,
            1
        )),
        [Column::Pid, Column::Name]
    );
    assert_eq!(
        shown(toggled(&columns, Column::Pid)),
        [Column::Program, Column::User]
    );
    assert_eq!(
        shown(toggled(&columns[..1], Column::Program)),
        [Column::Program]
    );
    assert_eq!(
        shown(toggled(&columns[..1], Column::Rate)),
        [Column::Program, Column::Rate]
    );
}

#[test]
fn errors_are_marked_at_the_character() {
    let error = Filter::parse("port:443 prot:tcp").unwrap_err();
    assert_eq!(marked(&error), "  port:443 prot:tcp\n           ^^^^");
}

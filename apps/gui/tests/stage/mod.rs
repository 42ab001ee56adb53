//! The app on a stage: without a window, but with everything else, as a user would go
//! through it.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "it is part of tests")]

pub(crate) mod capture;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowner_gui::launch::Launch;
use flowner_gui::session::Origin;
use flowner_gui::settings::{Settings, Store};
use flowner_gui::{App, Message, theme};
use iced::advanced::graphics::text::font_system;
use iced::advanced::renderer::Headless;
use iced::advanced::widget::operation::TextInput;
use iced::advanced::widget::{Id, Operation};
use iced::futures::channel::mpsc;
use iced::window::Screenshot;
use iced::{Pixels, Program, Rectangle, Size, Theme};
use iced_test::emulator::{Emulator, Event, Mode};
use iced_test::instruction::Instruction;
use iced_test::runtime::user_interface::{Cache, UserInterface};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stage<P: Program> {
    size: Size,
    renderer: P::Renderer,
    program: P,
    emulator: Emulator<P>,
    events: mpsc::Receiver<Event<P>>,
    /// How much was done that takes a moment.
    performed: usize,
    /// Where its settings are, until it ends.
    folder: Option<TempDir>,
}

/// The app as it opens with this origin, in a window of this size.
pub(crate) fn open(
    origin: Option<Origin>,
    settings: &Settings,
    size: Size,
) -> Stage<impl Program<State = App, Message = Message, Theme = Theme> + 'static> {
    open_kept(origin, settings, size).0
}

/// The same, and the file in which the settings are kept.
pub(crate) fn open_kept(
    origin: Option<Origin>,
    settings: &Settings,
    size: Size,
) -> (
    Stage<impl Program<State = App, Message = Message, Theme = Theme> + 'static>,
    PathBuf,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gui.toml");
    let store = Store::at(&file);
    store.save(settings).unwrap();
    let mut stage = open_with(origin, store, size);
    stage.folder = Some(folder);
    (stage, file)
}

/// The same, with settings that are kept elsewhere.
pub(crate) fn open_with(
    origin: Option<Origin>,
    store: Store,
    size: Size,
) -> Stage<impl Program<State = App, Message = Message, Theme = Theme> + 'static> {
    for font in theme::FONT_FILES {
        font_system().write().unwrap().load_font(font.into());
    }
    let launch = Launch {
        origin,
        ..Launch::default()
    };
    let program = flowner_gui::application(launch, store);
    let (sender, events) = mpsc::channel(1_000);
    let emulator = Emulator::new(sender, &program, Mode::Immediate, size);
    let renderer = headless(&program);
    let mut stage = Stage {
        size,
        renderer,
        program,
        emulator,
        events,
        performed: 0,
        folder: None,
    };
    assert!(stage.settle());
    stage
}

impl<P: Program<State = App, Message = Message, Theme = Theme> + 'static> Stage<P> {
    /// Does what there is to do until the last instruction, or the start, is done; whether
    /// that succeeded.
    fn settle(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(Event::Action(action)) => {
                    self.performed += 1;
                    self.emulator.perform(&self.program, action);
                }
                Ok(Event::Failed(_)) => return false,
                Ok(Event::Ready) => return true,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            assert!(Instant::now() < deadline, "nothing happens");
        }
    }

    /// Whether an instruction of iced's test language succeeds now, such as `click "Inspect"`.
    fn try_now(&mut self, instruction: &str) -> bool {
        let parsed = Instruction::parse(instruction).unwrap();
        self.emulator.run(&self.program, parsed);
        self.settle()
    }

    /// Does this as soon as it can be done.
    #[track_caller]
    pub(crate) fn run(&mut self, instruction: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_now(instruction) {
            assert!(Instant::now() < deadline, "never possible: {instruction}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Goes to the next button or field, and waits until it has the keys and that is drawn.
    pub(crate) fn reach_next(&mut self) {
        self.press("type tab");
    }

    /// Presses a key that moves something, and waits until that is drawn.
    pub(crate) fn press(&mut self, instruction: &str) {
        let before = self.performed;
        self.run(instruction);
        self.until(|stage| stage.performed >= before + 2);
    }

    /// Waits until something is shown.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        self.run(&format!("expect \"{text}\""));
    }

    /// Waits until something is not shown any more.
    #[track_caller]
    pub(crate) fn expect_no(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.try_now(&format!("expect \"{text}\"")) {
            assert!(Instant::now() < deadline, "still shown: {text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    pub(crate) fn click(&mut self, text: &str) {
        self.run(&format!("click \"{text}\""));
    }

    #[track_caller]
    pub(crate) fn type_text(&mut self, text: &str) {
        self.run(&format!("type \"{text}\""));
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn until(&mut self, holds: impl Fn(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            let is_late = Instant::now() >= deadline;
            assert!(!is_late, "never came true; shown: {:?}", self.texts());
            // Lets what happens meanwhile happen.
            self.try_now("expect \"\"");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether this is shown now.
    pub(crate) fn has(&mut self, text: &str) -> bool {
        self.texts().iter().any(|(shown, _)| shown == text)
    }

    /// How often this is shown now.
    pub(crate) fn times(&mut self, text: &str) -> usize {
        self.texts().iter().filter(|it| it.0 == text).count()
    }

    /// Whether something is shown now that contains this.
    pub(crate) fn has_part(&mut self, text: &str) -> bool {
        self.texts().iter().any(|(shown, _)| shown.contains(text))
    }

    /// Waits until this can be read: all of it within the window.
    #[track_caller]
    pub(crate) fn expect_in_sight(&mut self, text: &str) {
        let size = self.size;
        let is_seen = |place: &Rectangle| {
            place.width > 6.0
                && place.x >= 0.0
                && place.y >= 0.0
                && place.x + place.width <= size.width
                && place.y + place.height <= size.height
        };
        self.until(|stage| {
            let texts = stage.texts();
            texts.iter().any(|it| it.0 == text && is_seen(&it.1))
        });
    }

    /// Which of these is shown above the others.
    pub(crate) fn topmost<'a>(&mut self, among: &[&'a str]) -> &'a str {
        let texts = self.texts();
        let place = |text: &&&str| {
            let shown = texts.iter().filter(|(shown, _)| shown == **text);
            shown
                .map(|(_, place)| place.y)
                .min_by(f32::total_cmp)
                .unwrap_or(f32::MAX)
        };
        among
            .iter()
            .min_by(|a, b| place(a).total_cmp(&place(b)))
            .unwrap()
    }

    /// Every text that is shown, and where.
    fn texts(&mut self) -> Vec<(String, Rectangle)> {
        let mut texts = Vec::new();
        let renderer = &mut self.renderer;
        let view = self.emulator.view(&self.program);
        let mut interface = UserInterface::build(view, self.size, Cache::default(), renderer);
        interface.operate(renderer, &mut Texts(&mut texts));
        texts
    }

    /// Whatever is shown has nothing in it that others wrote and that is not to be seen as it is.
    #[track_caller]
    pub(crate) fn check_shown(&mut self) {
        let is_ours = |c: char| c == '\n' || c == flowner_core::present::DIGIT_GROUPS;
        for (text, _) in self.texts() {
            let hidden = |c: char| flowner_core::text::is_hidden(c) && !is_ours(c);
            assert!(!text.contains(hidden), "{text:?}");
        }
    }

    /// Types in place of what a field has that begins so.
    #[track_caller]
    pub(crate) fn replace(&mut self, part: &str, text: &str) {
        let field = self
            .texts()
            .into_iter()
            .find(|(shown, _)| shown.contains(part));
        let (shown, _) = field.unwrap_or_else(|| panic!("no field has {part}"));
        self.click(&shown);
        for _ in 0..shown.chars().count() {
            self.run("type backspace");
        }
        self.type_text(text);
    }

    /// Draws what is to be seen as a window does, and goes on: the colours that are in it.
    pub(crate) fn draw(&mut self) -> HashSet<[u8; 4]> {
        let theme = self.emulator.theme(&self.program).unwrap();
        let view = self.emulator.view(&self.program);
        let renderer = &mut self.renderer;
        let mut interface = UserInterface::build(view, self.size, Cache::default(), renderer);
        let style = iced::theme::Base::base(&theme);
        let text = iced::advanced::renderer::Style {
            text_color: style.text_color,
        };
        let cursor = iced::mouse::Cursor::Unavailable;
        interface.draw(renderer, &theme, &text, cursor);
        drop(interface);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is the size of a window"
        )]
        let size = Size::new(self.size.width as u32, self.size.height as u32);
        let pixels = renderer.screenshot(size, 1.0, style.background_color);
        let pixels = pixels.chunks_exact(4);
        pixels.map(|pixel| pixel.try_into().unwrap()).collect()
    }

    /// The title of the window, in the end.
    pub(crate) fn title(self) -> String {
        self.emulator.into_state().0.title()
    }

    /// What is to be seen. Nothing is left on the stage after that: the emulator of
    /// `iced_test` 0.14 cannot go on.
    pub(crate) fn picture(mut self, scale: f32) -> Screenshot {
        let theme = self.emulator.theme(&self.program).unwrap();
        self.emulator.screenshot(&self.program, &theme, scale)
    }
}

/// What measures texts as the app does.
fn headless<P: Program>(_program: &P) -> P::Renderer {
    let renderer = P::Renderer::new(theme::FONT, Pixels(16.0), None);
    iced::futures::executor::block_on(renderer).unwrap()
}

/// Gathers the texts that widgets tell.
struct Texts<'a>(&'a mut Vec<(String, Rectangle)>);

impl Operation for Texts<'_> {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation)) {
        operate(self);
    }

    fn text(&mut self, _id: Option<&Id>, bounds: Rectangle, text: &str) {
        self.0.push((text.to_owned(), bounds));
    }

    fn text_input(&mut self, _id: Option<&Id>, bounds: Rectangle, state: &mut dyn TextInput) {
        self.0.push((state.text().to_owned(), bounds));
    }
}

//! The app on a stage: without a window, but with everything else, as a user would go
//! through it.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "it is part of tests")]

use std::time::{Duration, Instant};

use flowner_gui::launch::Launch;
use flowner_gui::session::Origin;
use flowner_gui::settings::{Settings, Store};
use flowner_gui::{App, Message, theme};
use iced::advanced::graphics::text::font_system;
use iced::futures::channel::mpsc;
use iced::window::Screenshot;
use iced::{Program, Size, Theme};
use iced_test::emulator::{Emulator, Event, Mode};
use iced_test::instruction::Instruction;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage<P: Program> {
    program: P,
    emulator: Emulator<P>,
    events: mpsc::Receiver<Event<P>>,
}

/// The app as it opens with this origin, in a window of this size.
pub(crate) fn open(
    origin: Option<Origin>,
    settings: &Settings,
    size: Size,
) -> Stage<impl Program<State = App, Message = Message, Theme = Theme> + 'static> {
    for font in theme::FONT_FILES {
        font_system().write().unwrap().load_font(font.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.keep().join("gui.toml"));
    store.save(settings).unwrap();
    let launch = Launch {
        origin,
        capture_filter: None,
    };
    let program = flowner_gui::application(launch, store);
    let (sender, events) = mpsc::channel(1_000);
    let emulator = Emulator::new(sender, &program, Mode::Immediate, size);
    let mut stage = Stage {
        program,
        emulator,
        events,
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
                Ok(Event::Action(action)) => self.emulator.perform(&self.program, action),
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

    /// What is to be seen. Nothing is left on the stage after that: the emulator of
    /// `iced_test` 0.14 cannot go on.
    pub(crate) fn picture(mut self, scale: f32) -> Screenshot {
        let theme = self.emulator.theme(&self.program).unwrap();
        self.emulator.screenshot(&self.program, &theme, scale)
    }
}

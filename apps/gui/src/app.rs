//! The app: which page is shown, what is watched, and what pages cannot do themselves.

mod actions;
mod first_frames;
mod tasks;

use std::path::PathBuf;

use flowner_core::doctor::Checkup;
use flowner_core::present;
use iced::theme::Mode;
use iced::{Element, Event, Subscription, Task, Theme, event, system, window};

use crate::column::Surroundings;
use crate::devices;
use crate::export::{self, Format};
use crate::feed::{News, Picture};
use crate::keys::{Intent, Keys};
use crate::launch::Launch;
use crate::page::start::Failure;
use crate::page::{Context, Page, help, inspect, overview, preferences, program, start, viewpoint};
use crate::picture::Pictures;
use crate::session::{Condition, Origin, Session};
use crate::settings::{Settings, Store};
use crate::shown;
use crate::theme::Colors;
use crate::viewpoint::Viewpoint;
use crate::widget::reach::below_sheet;
use first_frames::{FirstFrames, fall_back};
use tasks::{check_up, focus_viewpoint};

/// All that the app knows.
#[derive(Debug)]
pub struct App {
    pub(crate) page: Page,
    pub(crate) session: Option<Session>,
    pub(crate) settings: Settings,
    pub(crate) pictures: Pictures,
    /// What happened last, in a few words.
    pub(crate) notice: Option<String>,
    store: Store,
    first_frames: FirstFrames,
    is_dark: bool,
    has_help: bool,
    sessions: u64,
    /// How often all was drawn, see [`style::ground`](crate::theme::style::ground).
    pub(crate) drawings: u64,
    start: start::State,
    overview: overview::State,
    inspect: inspect::State,
    program: program::State,
    /// The sheet that asks whose capture a file is, if it is open.
    viewpoint: Option<viewpoint::State>,
}

#[derive(Debug, Clone)]
pub enum Message {
    PageChosen(Page),
    Intended(Intent),
    HelpClosed,
    PauseToggled,
    StopWanted,
    SystemThemeChanged(Mode),
    /// The window begins to draw.
    FrameBegun,
    /// Pictures are there in place of letters.
    IconsFound,
    /// Something else has the keys, or is in sight.
    Reached,
    CheckedUp(Checkup),
    Looked(devices::Looks),
    /// Of the session with this number.
    News(u64, News),
    FileDropped(PathBuf),
    FileChosen(Option<PathBuf>),
    PathChosen(Option<PathBuf>),
    Exported(Result<usize, String>),
    Start(start::Message),
    Overview(overview::Message),
    Inspect(inspect::Message),
    Program(program::Message),
    Preferences(preferences::Message),
    ViewpointWanted,
    Viewpoint(viewpoint::Message),
}

impl App {
    /// The app as it opens.
    pub fn new(launch: Launch, store: Store) -> (Self, Task<Message>) {
        let Launch {
            origin,
            capture_filter,
            viewpoint,
            no_sandbox: _,
        } = launch;
        let (pictures, found) = Pictures::start();
        let mut settings = store.load();
        let failed = fall_back(&store, &mut settings);
        let mut app = Self {
            page: Page::Start,
            session: None,
            first_frames: FirstFrames::begin(&store, settings.scheme),
            settings,
            pictures,
            notice: None,
            store,
            is_dark: false,
            has_help: false,
            sessions: 0,
            drawings: 0,
            start: start::State::new(capture_filter.clone()),
            overview: overview::State::default(),
            inspect: inspect::State::default(),
            program: program::State::default(),
            viewpoint: None,
        };
        let theme = system::theme().map(Message::SystemThemeChanged);
        let opened = origin.map_or_else(check_up, |origin| {
            app.watch_from(origin, capture_filter, viewpoint)
        });
        if let Some(failed) = failed {
            app.notice = Some(first_frames::say(failed, app.settings.scheme));
        }
        let icons = Task::run(found, |()| Message::IconsFound);
        (app, Task::batch([theme, icons, opened]))
    }

    /// The title of the window.
    pub fn title(&self) -> String {
        let name = self
            .session
            .as_ref()
            .map(|session| format!("{} – Flowner", session.name()));
        name.unwrap_or_else(|| "Flowner".to_owned())
    }

    /// The toolkit's theme.
    pub fn theme(&self) -> Theme {
        self.colors().theme(self.settings.scheme.name())
    }

    /// How large everything is.
    pub fn scale_factor(&self) -> f32 {
        f32::from(self.settings.zoom) / 100.0
    }

    /// What arrives by itself.
    pub fn subscription(&self) -> Subscription<Message> {
        let dropped = event::listen_with(|event, _, _| match event {
            Event::Window(window::Event::FileDropped(path)) => Some(Message::FileDropped(path)),
            _ => None,
        });
        let theme = system::theme_changes().map(Message::SystemThemeChanged);
        let looks = if self.page == Page::Start {
            devices::watch().map(Message::Looked)
        } else {
            Subscription::none()
        };
        let frames = if self.first_frames.are_awaited() {
            window::frames().map(|_| Message::FrameBegun)
        } else {
            Subscription::none()
        };
        Subscription::batch([dropped, theme, looks, frames])
    }

    /// The colours that are shown.
    pub(crate) fn colors(&self) -> Colors {
        self.settings.scheme.colors(self.is_dark)
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            colors: self.colors(),
            settings: &self.settings,
            pictures: &self.pictures,
            session: self.session.as_ref(),
        }
    }

    pub(crate) fn picture(&self) -> Option<&Picture> {
        self.session.as_ref()?.picture.as_deref()
    }

    /// Whether the page that is shown has a sheet upon it.
    pub(crate) fn has_sheet(&self) -> bool {
        self.page == Page::Inspect && self.inspect.has_sheet()
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        self.drawings += 1;
        match message {
            Message::PageChosen(page) => return self.go(page),
            Message::Intended(intent) => return self.intend(intent),
            Message::HelpClosed => self.has_help = false,
            Message::PauseToggled => {
                if let Some(session) = &mut self.session {
                    session.toggle_pause();
                }
            }
            Message::StopWanted => {
                if let Some(session) = &mut self.session {
                    session.stop();
                }
            }
            Message::SystemThemeChanged(mode) => {
                self.is_dark = mode == Mode::Dark;
                self.refresh();
            }
            Message::FrameBegun => self.first_frames.begun(),
            Message::CheckedUp(checkup) => {
                return self.update(Message::Start(start::Message::CheckedUp(checkup)));
            }
            Message::Looked(looks) => {
                return self.update(Message::Start(start::Message::Looked(looks)));
            }
            Message::News(id, news) => return self.take_news(id, news),
            Message::FileDropped(path) | Message::FileChosen(Some(path)) => {
                return self.watch(Origin::File(path), None);
            }
            Message::PathChosen(Some(path)) => self.inspect.choose_path(&path),
            // What is drawn next has them.
            Message::IconsFound
            | Message::Reached
            | Message::FileChosen(None)
            | Message::PathChosen(None) => {}
            Message::Exported(result) => {
                self.notice = Some(match result {
                    Ok(flows) => format!("Wrote {}", present::counted(flows as u64, "flow")),
                    Err(message) => format!("Nothing was written: {message}"),
                });
            }
            Message::Start(message) => {
                let action = self.start.update(message);
                return self.act_on_start(action);
            }
            Message::Overview(message) => {
                let action = self.overview.update(message);
                return self.act_on_overview(action);
            }
            Message::Inspect(message) => {
                let mut inspect = std::mem::take(&mut self.inspect);
                let action = inspect.update(message, self.context());
                self.inspect = inspect;
                return self.act_on_inspect(action);
            }
            Message::Program(message) => {
                let action = self.program.update(message);
                return self.act_on_program(action);
            }
            Message::ViewpointWanted => return self.ask_for_viewpoint(),
            Message::Viewpoint(message) => return self.take_viewpoint(message),
            Message::Preferences(message) => {
                let before = self.settings.scheme;
                preferences::update(&mut self.settings, message);
                if self.settings.scheme != before {
                    // Before it is kept: it may be the last that this app does.
                    self.first_frames = FirstFrames::begin(&self.store, self.settings.scheme);
                }
                self.keep_settings();
                self.refresh();
            }
        }
        Task::none()
    }

    fn go(&mut self, page: Page) -> Task<Message> {
        self.page = if self.session.is_none() && !matches!(page, Page::Preferences) {
            Page::Start
        } else {
            page
        };
        self.notice = None;
        self.wish();
        self.refresh();
        if self.page == Page::Start {
            check_up()
        } else {
            Task::none()
        }
    }

    fn inspect(&mut self, query: String) -> Task<Message> {
        self.inspect.search(query);
        self.go(Page::Inspect)
    }

    /// Tells the feed what the pages want to see.
    fn wish(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let principal = self
            .program
            .principal()
            .filter(|_| self.page == Page::Program)
            .cloned();
        session.change_wish(|wish| {
            self.inspect.wish(wish);
            wish.principal = principal;
        });
    }

    /// Computes again what pages show of the picture.
    fn refresh(&mut self) {
        let Some(picture) = self.session.as_ref().and_then(|it| it.picture.clone()) else {
            return;
        };
        let colors = self.colors();
        match self.page {
            Page::Overview => self.overview.refresh(&picture, self.settings.unit, colors),
            Page::Program => self.program.refresh(&picture, colors),
            Page::Start | Page::Inspect | Page::Preferences => {}
        }
        self.inspect.refresh(&picture);
    }

    /// Watches something else.
    fn watch(&mut self, origin: Origin, capture_filter: Option<String>) -> Task<Message> {
        self.watch_from(origin, capture_filter, Viewpoint::default())
    }

    fn watch_from(
        &mut self,
        origin: Origin,
        capture_filter: Option<String>,
        viewpoint: Viewpoint,
    ) -> Task<Message> {
        self.sessions += 1;
        let id = self.sessions;
        let settings = &self.settings;
        let (session, news) = Session::start(id, origin, viewpoint, capture_filter, settings);
        self.session = Some(session);
        self.overview = overview::State::default();
        self.inspect = inspect::State::default();
        self.program = program::State::default();
        self.viewpoint = None;
        self.notice = None;
        Task::run(news, move |news| Message::News(id, news))
    }

    /// Asks whose capture the file is that is shown.
    fn ask_for_viewpoint(&mut self) -> Task<Message> {
        let Some(session) = self.session.as_ref().filter(|session| session.is_file()) else {
            return Task::none();
        };
        self.viewpoint = Some(viewpoint::State::new(&session.viewpoint));
        focus_viewpoint()
    }

    fn take_viewpoint(&mut self, message: viewpoint::Message) -> Task<Message> {
        let action = self.viewpoint.as_mut().map(|sheet| sheet.update(message));
        match (action, &self.session) {
            (Some(viewpoint::Action::See(viewpoint)), Some(session)) => {
                let (origin, filter) = (session.origin.clone(), session.capture_filter.clone());
                return self.watch_from(origin, filter, viewpoint);
            }
            (Some(viewpoint::Action::None), _) => {}
            _ => self.viewpoint = None,
        }
        Task::none()
    }

    fn take_news(&mut self, id: u64, news: News) -> Task<Message> {
        let Some(session) = self.session.as_mut().filter(|session| session.id == id) else {
            return Task::none();
        };
        match news {
            News::Started => self.page = Page::Overview,
            News::Failed(error) => {
                self.session = None;
                self.page = Page::Start;
                self.start.fail(Failure::of(&error));
                return check_up();
            }
            News::Picture(picture) => {
                session.picture = Some(picture);
                self.refresh();
            }
        }
        Task::none()
    }

    fn zoom(&mut self, zoom: u16) {
        self.settings.zoom = zoom;
        self.keep_settings();
    }

    fn keep_settings(&mut self) {
        if let Err(error) = self.store.save(&self.settings) {
            let place = self.store.path().map(|path| path.display().to_string());
            self.notice = Some(format!("{}: {error}", place.unwrap_or_default()));
        }
    }

    fn copy(&mut self, text: &str) -> Task<Message> {
        let text = shown::rows(text);
        let shown: String = text.chars().take(60).collect();
        self.notice = Some(format!("Copied: {}", shown.replace('\t', "  ")));
        iced::clipboard::write(text)
    }

    fn copy_row(&mut self, row: usize) -> Task<Message> {
        let text = self.picture().and_then(|picture| {
            let around = Surroundings {
                now: picture.report.now,
                unit: self.settings.unit,
                pictures: &self.pictures,
            };
            export::row(picture, row, &self.settings.shown_columns(), around)
        });
        text.map_or_else(Task::none, |text| self.copy(&text))
    }

    fn export(&self, format: Format, path: PathBuf) -> Task<Message> {
        let picture = self
            .session
            .as_ref()
            .and_then(|session| session.picture.clone());
        let Some(picture) = picture else {
            return Task::none();
        };
        let write = async move {
            let written = export::write(&picture, format, &path);
            written.map_err(|error| format!("{}: {error}", path.display()))
        };
        Task::perform(write, Message::Exported)
    }

    /// What is shown.
    pub fn view(&self) -> Element<'_, Message> {
        let is_covered = self.has_help || self.viewpoint.is_some();
        let page = below_sheet(crate::page::frame(self, self.view_page()), is_covered);
        let sheet = if self.has_help {
            Some(help::view(Message::HelpClosed, self.colors()))
        } else {
            let asked = self.viewpoint.as_ref();
            asked.map(|sheet| sheet.view(self.colors()).map(Message::Viewpoint))
        };
        let shown = iced::widget::stack![page].push(sheet);
        Keys::new(shown, Message::Intended).into()
    }

    fn view_page(&self) -> Element<'_, Message> {
        let context = self.context();
        if self.page == Page::Preferences {
            let place = self.store.path().map(|path| path.display().to_string());
            return preferences::view(context, self.is_dark, place).map(Message::Preferences);
        }
        let picture = match (self.page, self.picture()) {
            (Page::Start, _) | (_, None) => {
                return self.start.view(context).map(Message::Start);
            }
            (_, Some(picture)) => picture,
        };
        match self.page {
            Page::Overview => self.overview.view(context, picture).map(Message::Overview),
            Page::Inspect => self.inspect.view(context, picture).map(Message::Inspect),
            _ => self.program.view(context, picture).map(Message::Program),
        }
    }

    /// In what state the session is.
    pub fn condition(&self) -> Option<Condition> {
        self.session.as_ref().map(Session::condition)
    }
}

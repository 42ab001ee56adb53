//! The system side of the live view. One thread draws; one waits for keys, one for signals, and one
//! reads the network data once a second. No thread polls.

mod colours;
mod panics;
mod screen;
mod signals;
mod source;

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use ratatui::crossterm::event;

use super::columns::Tab;
use super::data::Data;
use super::state::{Effect, Message, State};
use super::view::Theme;
use super::{input, view};
use crate::args::LiveArgs;
use crate::config;
use crate::error::{Failure, Outcome};
use crate::out::has_colours;
use screen::Screen;
pub(crate) use screen::is_there as is_possible;
use signals::{EndRequest, Signal};
use source::{Question, Source};

/// The number of waiting events; a thread with more waits, too.
const WAITING: usize = 64;
/// The number of old contents that wait to be dropped.
const OLD: usize = 1;

/// Why the drawing thread must act.
enum Wake {
    Input(event::Event),
    Message(Message),
    Signal(Signal),
    /// Another thread cannot continue.
    Failed(String),
}

/// Shows the live view until the user leaves it.
pub(crate) fn run(args: &LiveArgs) -> Outcome {
    if !screen::is_there() {
        let message = "the live view needs a terminal; `flowner watch` and `flowner sockets` \
                       write to files and pipes";
        return Err(Failure::Message(message.to_owned()));
    }
    let filter = config::filter(args.filter.as_deref())?;
    let source = Source::open(args)?;
    let mut state = State::new(
        source.name(),
        source.has_bytes(),
        args.tab.unwrap_or(Tab::Programs),
        args.filter.clone().unwrap_or_default(),
    );
    if let Some(sort) = args.sort {
        state.sort_by(sort.column, sort.is_descending);
    }
    let theme = if has_colours() {
        Theme::Colours
    } else {
        Theme::Plain
    };
    let (sender, wakes) = sync_channel(WAITING);
    let _hook = panics::Hook::install(sender.clone());
    let end_request = EndRequest::default();
    signals::watch(&sender, &end_request)?;
    let question = Question {
        filter,
        is_paused: false,
        shows_names: true,
    };
    let questions = source.run(question, args.interval, &sender)?;
    let old = let_go()?;
    let screen = Screen::enter(args.mouse)?;
    wait_for_keys(sender)?;
    let driver = Driver {
        state,
        theme,
        screen,
        wakes,
        questions,
        old,
        end_request,
    };
    driver.run()
}

fn wait_for_keys(sender: SyncSender<Wake>) -> Result<(), Failure> {
    spawn("flowner-keys", move || {
        loop {
            let wake = match event::read() {
                Ok(event) if input::is_idle(&event) => continue,
                Ok(event) => Wake::Input(event),
                // The terminal is gone.
                Err(_) => Wake::Signal(Signal::End(0)),
            };
            let is_over = matches!(wake, Wake::Signal(_));
            if sender.send(wake).is_err() || is_over {
                return;
            }
        }
    })
}

/// Drops old contents on another thread: dropping 100,000 flows takes 100 ms, in which a key would
/// have to wait.
fn let_go() -> Result<SyncSender<Box<Data>>, Failure> {
    let (sender, old) = sync_channel(OLD);
    spawn("flowner-old", move || old.into_iter().for_each(drop))?;
    Ok(sender)
}

/// Starts a thread that ends with the program.
fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body);
    thread.map(|_detached| ()).map_err(|error| {
        Failure::Message(format!(
            "a thread could not be started: {error}; allow more processes (`ulimit -u`)"
        ))
    })
}

struct Driver {
    state: State,
    theme: Theme,
    screen: Screen,
    wakes: Receiver<Wake>,
    questions: SyncSender<Question>,
    old: SyncSender<Box<Data>>,
    end_request: EndRequest,
}

impl Driver {
    fn run(mut self) -> Outcome {
        let (width, height) = self.screen.size()?;
        self.state.update(Message::Resized(width, height));
        loop {
            self.draw()?;
            let Ok(wake) = self.wakes.recv() else {
                return Ok(ExitCode::SUCCESS);
            };
            if let Some(end) = self.take(wake)? {
                return end;
            }
            // Draws everything that came meanwhile at once.
            while let Ok(wake) = self.wakes.try_recv() {
                if let Some(end) = self.take(wake)? {
                    return end;
                }
            }
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let (state, theme) = (&self.state, self.theme);
        self.screen.draw(|frame| view::draw(frame, state, theme))?;
        self.state.note_drawn();
        Ok(())
    }

    /// Handles an event. Returns the result if the view ends.
    fn take(&mut self, wake: Wake) -> Result<Option<Outcome>, Failure> {
        panics::on_demand();
        if let Some(code) = self.end_request.code() {
            return Ok(Some(Ok(ExitCode::from(code))));
        }
        let message = match wake {
            Wake::Input(event) => input::message(&event, self.state.is_typing()),
            Wake::Message(message) => Some(message),
            Wake::Signal(Signal::Suspend) => Some(Message::Suspend),
            Wake::Signal(Signal::Continued) => Some(Message::Redraw),
            Wake::Signal(Signal::End(code)) => return Ok(Some(Ok(ExitCode::from(code)))),
            Wake::Failed(message) => return Ok(Some(Err(Failure::Lines(message)))),
        };
        if let Some(Message::Data(_)) = &message
            && let Some(old) = self.state.data.take()
        {
            // If more wait, it is dropped here.
            let _let_go = self.old.try_send(old);
        }
        let effect = message.and_then(|message| self.state.update(message));
        match effect {
            None => {}
            Some(Effect::Quit) => return Ok(Some(Ok(ExitCode::SUCCESS))),
            Some(Effect::Suspend) => {
                screen::give_back();
                signals::suspend();
                self.come_back()?;
            }
            Some(Effect::Repaint) => self.come_back()?,
            Some(Effect::Ask {
                filter,
                is_paused,
                shows_names,
            }) => {
                let question = Question {
                    filter,
                    is_paused,
                    shows_names,
                };
                if self.questions.send(question).is_err() {
                    let message = "the thread that reads the network has ended".to_owned();
                    return Ok(Some(Err(Failure::Message(message))));
                }
            }
        }
        Ok(None)
    }

    /// The shell may have changed the terminal and its size meanwhile.
    fn come_back(&mut self) -> Result<(), Failure> {
        self.screen.reenter()?;
        let (width, height) = self.screen.size()?;
        self.state.update(Message::Resized(width, height));
        Ok(())
    }
}

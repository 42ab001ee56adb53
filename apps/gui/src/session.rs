//! What is watched: devices, a file, or the demo, and what is known of it.

use std::path::PathBuf;
use std::sync::Arc;

use flowner_core::text::{mask, mask_os};
use flowner_core::{Config, Demo, EndState, Input, Limits};
use iced::futures::channel::mpsc;

use crate::feed::{Feed, News, Picture, Wish};
use crate::settings::Settings;
use crate::viewpoint::Viewpoint;

/// Where the packets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The devices of these names; all, where there is none.
    Devices(Vec<String>),
    File(PathBuf),
    Demo(Demo),
}

/// What is watched.
#[derive(Debug)]
pub struct Session {
    /// Tells the news of this session from those of one that was closed.
    pub id: u64,
    pub origin: Origin,
    pub viewpoint: Viewpoint,
    pub capture_filter: Option<String>,
    pub wish: Wish,
    pub is_paused: bool,
    pub picture: Option<Arc<Picture>>,
    feed: Feed,
}

/// In what state a session is, as people call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is there yet.
    Starting,
    Live,
    /// Its device is down or gone, and may come back.
    Waiting,
    Paused,
    /// A file is being read.
    Reading,
    /// A file was read to its end.
    Finished,
    /// Somebody stopped it.
    Stopped,
    /// The device is gone, or the file is damaged.
    Failed,
}

impl Condition {
    /// Whether it goes on by itself, or would.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::Waiting | Self::Paused)
    }
}

impl Session {
    /// Begins to watch.
    pub fn start(
        id: u64,
        origin: Origin,
        viewpoint: Viewpoint,
        capture_filter: Option<String>,
        settings: &Settings,
    ) -> (Self, mpsc::Receiver<News>) {
        let input = match &origin {
            Origin::Devices(names) if names.is_empty() => Input::AllDevices,
            Origin::Devices(names) => Input::of_devices(names),
            Origin::File(path) => Input::File(path.clone()),
            Origin::Demo(demo) => Input::Demo(*demo),
        };
        let mut config = Config {
            input,
            capture_filter: capture_filter.clone(),
            realtime: true,
            names: settings.names,
            resolve: settings.resolve,
            limits: Limits {
                ended_flows: settings.ended_flows,
                ..Limits::default()
            },
            ..Config::default()
        };
        viewpoint.apply(&mut config);
        let wish = Wish::default();
        let (feed, news) = Feed::start(config, wish.clone());
        let session = Self {
            id,
            origin,
            viewpoint,
            capture_filter,
            wish,
            is_paused: false,
            picture: None,
            feed,
        };
        (session, news)
    }

    /// Changes what is shown.
    pub fn change_wish(&mut self, change: impl FnOnce(&mut Wish)) {
        let before = self.wish.clone();
        change(&mut self.wish);
        if self.wish != before {
            self.feed.show(self.wish.clone());
        }
    }

    /// Pauses what is shown, or goes on.
    pub fn toggle_pause(&mut self) {
        if self.condition().is_live() {
            self.is_paused = !self.is_paused;
            self.feed.pause(self.is_paused);
        }
    }

    /// Stops capturing.
    pub fn stop(&mut self) {
        self.feed.stop();
        self.is_paused = false;
    }

    /// In what state it is.
    pub fn condition(&self) -> Condition {
        let Some(picture) = &self.picture else {
            return Condition::Starting;
        };
        match picture.report.ending {
            EndState::InputFailed(_) => Condition::Failed,
            EndState::Complete => Condition::Finished,
            EndState::Stopped => Condition::Stopped,
            EndState::Running if self.is_paused => Condition::Paused,
            EndState::Running if picture.report.interruption.is_some() => Condition::Waiting,
            EndState::Running if picture.report.input.is_live => Condition::Live,
            EndState::Running => Condition::Reading,
        }
    }

    /// What it is called, as it may be shown.
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::Devices(names) if names.is_empty() => "all devices".to_owned(),
            Origin::Devices(names) => mask(&names.join(", ")).into_owned(),
            Origin::Demo(_) => "made-up traffic".to_owned(),
            Origin::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                mask_os(name).into_owned()
            }
        }
    }

    /// Whether it is a file.
    pub const fn is_file(&self) -> bool {
        matches!(self.origin, Origin::File(_))
    }

    /// Whether what is shown is made up.
    pub const fn is_demo(&self) -> bool {
        matches!(self.origin, Origin::Demo(_))
    }
}

//! What keys do, and what the pages cannot do themselves.

use flowner_core::present::Column;
use iced::Task;

use super::tasks::{ask_for_file, ask_for_path, focus_search, reach_next, reach_previous, scroll};
use super::{App, Message};
use crate::hosts::HostsBy;
use crate::keys::Intent;
use crate::page::{Page, help, inspect, overview, preferences, program, start};

impl App {
    /// Does what a key asks for: here what is the same everywhere, else on the page.
    pub(super) fn intend(&mut self, intent: Intent) -> Task<Message> {
        match intent {
            Intent::NextControl => return reach_next(),
            Intent::PreviousControl => return reach_previous(),
            _ => {}
        }
        if self.has_help {
            return self.read_help(intent);
        }
        if self.viewpoint.is_some() {
            if intent == Intent::Leave {
                self.viewpoint = None;
            }
            return Task::none();
        }
        match intent {
            Intent::Overview => return self.go(Page::Overview),
            Intent::Inspect => return self.go(Page::Inspect),
            Intent::Program => return self.go(Page::Program),
            Intent::Settings => return self.go(Page::Preferences),
            Intent::Start => return self.go(Page::Start),
            Intent::Help => self.has_help = true,
            Intent::Pause => return self.update(Message::PauseToggled),
            Intent::Stop => return self.update(Message::StopWanted),
            Intent::OpenFile => return ask_for_file(),
            Intent::Viewpoint => return self.ask_for_viewpoint(),
            Intent::HostsBy => self.list_hosts_by(self.settings.hosts.other()),
            Intent::Larger => self.zoom(self.settings.zoomed(true)),
            Intent::Smaller => self.zoom(self.settings.zoomed(false)),
            Intent::NormalSize => self.zoom(100),
            Intent::Search if self.page != Page::Inspect => {
                let shown = self.go(Page::Inspect);
                return Task::batch([shown, focus_search()]);
            }
            _ => return self.intend_on_page(intent),
        }
        Task::none()
    }

    /// Moves the help, or closes it.
    pub(super) fn read_help(&mut self, intent: Intent) -> Task<Message> {
        match intent {
            Intent::Help | Intent::Leave => self.has_help = false,
            _ => return scroll(help::SHEET, intent),
        }
        Task::none()
    }

    pub(super) fn intend_on_page(&mut self, intent: Intent) -> Task<Message> {
        let picture = self.session.as_ref().and_then(|it| it.picture.as_deref());
        match self.page {
            Page::Start => {
                let action = self.start.intend(intent);
                self.act_on_start(action)
            }
            Page::Overview => {
                let action = self.overview.intend(intent);
                self.act_on_overview(action)
            }
            Page::Inspect => {
                let mut inspect = std::mem::take(&mut self.inspect);
                let action = inspect.intend(intent, self.context());
                self.inspect = inspect;
                self.act_on_inspect(action)
            }
            Page::Program | Page::Preferences if intent == Intent::Leave => self.go(Page::Overview),
            Page::Program => {
                let action = self.program.intend(intent, picture);
                self.act_on_program(action)
            }
            Page::Preferences => scroll(preferences::PAGE, intent),
        }
    }

    pub(super) fn act_on_start(&mut self, action: start::Action) -> Task<Message> {
        match action {
            start::Action::None => Task::none(),
            start::Action::Watch(origin, filter) => self.watch(origin, filter),
            start::Action::AskForFile => ask_for_file(),
            start::Action::Copy(text) => self.copy(&text),
        }
    }

    pub(super) fn act_on_overview(&mut self, action: overview::Action) -> Task<Message> {
        match action {
            overview::Action::None => {}
            overview::Action::Refresh => self.refresh(),
            overview::Action::Inspect(query) => return self.inspect(query),
            overview::Action::OpenProgram(principal) => {
                self.program.open(principal);
                return self.go(Page::Program);
            }
            overview::Action::ListHostsBy(by) => self.list_hosts_by(by),
            overview::Action::Copy(text) => return self.copy(&text),
        }
        Task::none()
    }

    pub(super) fn act_on_inspect(&mut self, action: inspect::Action) -> Task<Message> {
        match action {
            inspect::Action::None => {}
            inspect::Action::Wish => self.wish(),
            inspect::Action::OpenProgram(principal) => {
                self.program.open(principal);
                return self.go(Page::Program);
            }
            inspect::Action::ShowColumns(columns) => {
                let had_names = self.settings.columns.contains(&Column::Name);
                if columns.contains(&Column::Name) && !had_names {
                    // Who chooses that column wants to see names.
                    self.settings.hosts = HostsBy::Name;
                }
                self.settings.columns = columns;
                self.keep_settings();
            }
            inspect::Action::Export(format, path) => return self.export(format, path),
            inspect::Action::AskForPath(format) => return ask_for_path(format),
            inspect::Action::Copy(text) => return self.copy(&text),
            inspect::Action::CopyRow(row) => return self.copy_row(row),
            inspect::Action::FocusSearch => return focus_search(),
        }
        Task::none()
    }

    /// Shows hosts by their names or their addresses, everywhere and from now on.
    fn list_hosts_by(&mut self, by: HostsBy) {
        self.settings.hosts = by;
        self.keep_settings();
    }

    pub(super) fn act_on_program(&mut self, action: program::Action) -> Task<Message> {
        match action {
            program::Action::None => Task::none(),
            program::Action::Inspect(query) => self.inspect(query),
            program::Action::Copy(text) => self.copy(&text),
        }
    }
}

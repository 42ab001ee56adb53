//! What a person has chosen, kept in a TOML file in the platform's place.

use std::path::{Path, PathBuf};
use std::{fs, io};

use etcetera::BaseStrategy;
use flowner_core::present::{Column, Unit};
use serde::{Deserialize, Serialize};

use crate::column;
use crate::hosts::HostsBy;
use crate::theme::Scheme;
use crate::trial::Trials;

/// The choices.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub scheme: Scheme,
    /// How large everything is, in per cent.
    pub zoom: u16,
    pub unit: Unit,
    /// The columns of the flow table that are shown, in order.
    pub columns: Vec<Column>,
    /// Flows that are over but stay listed.
    pub ended_flows: usize,
    /// Whether names are read from packets.
    pub names: bool,
    /// Whether the app asks the system's resolver for the names of addresses, which makes traffic.
    pub resolve: bool,
    /// What hosts are listed by.
    pub hosts: HostsBy,
}

/// How large everything may be, in per cent.
pub const ZOOMS: [u16; 8] = [80, 90, 100, 110, 125, 150, 175, 200];

/// How many flows that are over may stay listed.
pub const ENDED_FLOWS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

impl Default for Settings {
    fn default() -> Self {
        Self {
            scheme: Scheme::default(),
            zoom: 100,
            unit: Unit::default(),
            columns: column::SHOWN.to_vec(),
            ended_flows: 10_000,
            names: true,
            resolve: false,
            hosts: HostsBy::default(),
        }
    }
}

/// The file, with each value on its own: one that cannot be understood takes nothing but
/// itself along.
#[derive(Serialize)]
struct Written<'a> {
    theme: Scheme,
    zoom: u16,
    unit: Unit,
    columns: &'a [Column],
    ended_flows: usize,
    names: bool,
    resolve: bool,
    hosts: HostsBy,
}

impl Settings {
    /// Reads what can be understood; the rest is as it is by default.
    pub fn from_toml(text: &str) -> Self {
        let table: toml::Table = text.parse().unwrap_or_default();
        let default = Self::default();
        let mut columns: Vec<Column> = value(&table, "columns")
            .map(|names: Vec<toml::Value>| names.into_iter().flat_map(toml::Value::try_into))
            .map_or(default.columns, Iterator::collect);
        let mut seen = Vec::new();
        columns.retain(|column| {
            !seen.contains(column) && {
                seen.push(*column);
                true
            }
        });
        if columns.is_empty() {
            columns = column::SHOWN.to_vec();
        }
        Self {
            scheme: value(&table, "theme").unwrap_or(default.scheme),
            zoom: value(&table, "zoom")
                .filter(|zoom| ZOOMS.contains(zoom))
                .unwrap_or(default.zoom),
            unit: value(&table, "unit").unwrap_or(default.unit),
            columns,
            ended_flows: value(&table, "ended_flows")
                .filter(|count| ENDED_FLOWS.contains(count))
                .unwrap_or(default.ended_flows),
            names: value(&table, "names").unwrap_or(default.names),
            resolve: value(&table, "resolve").unwrap_or(default.resolve),
            hosts: value(&table, "hosts").unwrap_or(default.hosts),
        }
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let written = Written {
            theme: self.scheme,
            zoom: self.zoom,
            unit: self.unit,
            columns: &self.columns,
            ended_flows: self.ended_flows,
            names: self.names,
            resolve: self.resolve,
            hosts: self.hosts,
        };
        // Numbers, words and a list of words: nothing that TOML could not hold.
        toml::to_string(&written).unwrap_or_default()
    }

    /// The columns that are shown now: where hosts are listed by address, that of the remote end takes
    /// the place of their names.
    pub fn shown_columns(&self) -> Vec<Column> {
        let has_remote = self.columns.contains(&Column::Remote);
        let columns = self.columns.iter().copied();
        let shown = columns.filter_map(|column| match (column, self.hosts) {
            (Column::Name, HostsBy::Address) => (!has_remote).then_some(Column::Remote),
            _ => Some(column),
        });
        shown.collect()
    }

    /// The size above or below the one that is chosen.
    pub fn zoomed(&self, larger: bool) -> u16 {
        let next = |zoom: &&u16| **zoom > self.zoom;
        let last = |zoom: &&u16| **zoom < self.zoom;
        let found = if larger {
            ZOOMS.iter().find(next)
        } else {
            ZOOMS.iter().rfind(last)
        };
        found.copied().unwrap_or(self.zoom)
    }
}

fn value<'de, T: Deserialize<'de>>(table: &toml::Table, key: &str) -> Option<T> {
    table.get(key)?.clone().try_into().ok()
}

/// Where the settings are kept; nowhere, where the platform has no place.
#[derive(Debug, Clone)]
pub struct Store {
    path: Option<PathBuf>,
    /// What is no choice of a person, such as the theme that is on trial.
    state: Option<PathBuf>,
}

impl Store {
    /// The platform's place for this user.
    pub fn of_this_user() -> Self {
        let folders = etcetera::choose_base_strategy().ok();
        // The settings may be read-only, such as on a system that is built from a description; the
        // state is not.
        let state = folders
            .as_ref()
            .map(|folders| folders.state_dir().unwrap_or_else(|| folders.cache_dir()));
        Self {
            path: folders.map(|folders| folders.config_dir().join("flowner").join("gui.toml")),
            state: state.map(|state| state.join("flowner")),
        }
    }

    /// A given file, for tests. The state is kept beside it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            state: path.parent().map(Path::to_owned),
            path: Some(path),
        }
    }

    /// A store that keeps nothing, for the demo and for tests.
    pub const fn nowhere() -> Self {
        Self {
            path: None,
            state: None,
        }
    }

    /// The themes that are on trial.
    pub fn trials(&self) -> Trials {
        Trials::within(self.state.clone())
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads the settings; those of a new user where there are none.
    pub fn load(&self) -> Settings {
        let text = self.path.as_deref().map(fs::read_to_string);
        match text {
            Some(Ok(text)) => Settings::from_toml(&text),
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = ?self.path, "the settings could not be read");
                Settings::default()
            }
            Some(Err(_)) | None => Settings::default(),
        }
    }

    /// Writes the settings, whole or not at all.
    ///
    /// # Errors
    /// When the file, or the folder that it belongs into, cannot be written.
    pub fn save(&self, settings: &Settings) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = path.with_extension("toml.new");
        fs::write(&new, settings.to_toml())?;
        fs::rename(new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn other() -> Settings {
        Settings {
            scheme: Scheme::Ember,
            zoom: 125,
            unit: Unit::Packets,
            columns: vec![Column::Remote, Column::Program],
            ended_flows: 1_000,
            names: false,
            resolve: true,
            hosts: HostsBy::Address,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut all = vec![Settings::default(), other()];
        all.extend(Scheme::ALL.map(|scheme| Settings { scheme, ..other() }));
        all.extend(Unit::ALL.map(|unit| Settings { unit, ..other() }));
        all.push(Settings {
            columns: column::all().collect(),
            ..other()
        });
        for settings in all {
            assert_eq!(Settings::from_toml(&settings.to_toml()), settings);
        }
    }

    #[test]
    fn a_broken_value_takes_nothing_else_along() {
        let text = other().to_toml().replace("125", "\"huge\"") + "\nunknown = 3\n";
        let expected = Settings {
            zoom: 100,
            ..other()
        };
        assert_eq!(Settings::from_toml(&text), expected);
        let text = "columns = [\"remote\", \"nonsense\", 7, \"remote\", \"program\"]";
        assert_eq!(Settings::from_toml(text).columns, other().columns);
        assert_eq!(Settings::from_toml("columns = []").columns, column::SHOWN);
        assert_eq!(Settings::from_toml("not = [toml"), Settings::default());
    }

    #[test]
    fn addresses_take_the_place_of_names() {
        let shown = |columns: &[Column], hosts| {
            let settings = Settings {
                columns: columns.to_vec(),
                hosts,
                ..Settings::default()
            };
            settings.shown_columns()
        };
        let both = [Column::Program, Column::Name, Column::Remote];
        assert_eq!(shown(&both, HostsBy::Name), both);
        assert_eq!(
            shown(&both, HostsBy::Address),
            [Column::Program, Column::Remote]
        );
        assert_eq!(shown(&[Column::Name], HostsBy::Address), [Column::Remote]);
    }

    #[test]
    fn zoom_ends_at_the_last_step() {
        let mut settings = Settings::default();
        for _ in 0..20 {
            settings.zoom = settings.zoomed(true);
        }
        assert_eq!(settings.zoom, 200);
        assert_eq!(settings.zoomed(false), 175);
    }

    #[test]
    fn the_file_is_kept_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("new/gui.toml"));
        assert_eq!(store.load(), Settings::default());
        store.save(&other()).unwrap();
        assert_eq!(store.load(), other());
    }

    proptest! {
        #[test]
        fn no_text_is_too_broken(text in "[a-z_]{0,9} ?=? ?[\\[\\]\"a-z0-9,.\n-]{0,40}") {
            let settings = Settings::from_toml(&text);
            prop_assert_eq!(Settings::from_toml(&settings.to_toml()), settings);
        }
    }
}

//! Filters on the command line: shell completion, and the keys in help.

use std::ffi::OsStr;
use std::fmt::Write as _;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Command};
use flowner_core::Filter;

/// Reads a filter as text. Shells complete the keys; any other text is accepted, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilterText;

impl TypedValueParser for FilterText {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        // A shell that completes `bytes>` would redirect the output into a file.
        let keys = Filter::keys().iter().filter(|key| !key.is_compared());
        Some(Box::new(keys.map(|key| {
            PossibleValue::new(format!("{}:", key.name)).help(key.selects)
        })))
    }
}

/// `help`, followed by every key of the filter language.
pub(super) fn help_with_keys(help: &str) -> String {
    let mut text = format!("{help}\n\nFilter keys, with an example of each:\n");
    for key in Filter::keys() {
        let example = key.examples.first().unwrap_or(&key.name);
        // Writing into text does not fail.
        let _ = writeln!(text, "  {example:<22} {}", key.selects);
    }
    text.push_str("A word without a key matches any field. !, or and parentheses combine terms.");
    text
}

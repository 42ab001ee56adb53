//! Standard output: coloured on a terminal, plain elsewhere, always buffered.
//!
//! Nothing here parses the output: a library that removes escape sequences from text also removes
//! them from data. So this writes styles only for readers with colours, masks untrusted text before
//! it comes here, and treats JSON and CSV as data.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use flowner_core::{csv, json};
use serde::Serialize;

use crate::error::Failure;
use crate::table::Table;

/// Standard output.
pub(crate) struct Out {
    stream: BufWriter<AutoStream<io::Stdout>>,
    width: Option<usize>,
    is_terminal: bool,
    has_colours: bool,
}

/// The size of the buffer: a list of flows has megabytes.
const BUFFER: usize = 64 << 10;

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let width = if is_terminal {
            terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
        } else {
            None
        };
        let has_colours = has_colours();
        let stream = if has_colours && is_terminal {
            // Old consoles of Windows need another way for colours.
            AutoStream::always(stdout)
        } else {
            // Every byte as it is.
            AutoStream::always_ansi(stdout)
        };
        Self {
            stream: BufWriter::with_capacity(BUFFER, stream),
            width,
            is_terminal,
            has_colours,
        }
    }

    /// The width of the terminal, if it is one.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    /// The style, for readers with colours; otherwise none.
    pub(crate) const fn style(&self, style: Style) -> Style {
        if self.has_colours {
            style
        } else {
            Style::new()
        }
    }

    /// Writes one JSON object as a line.
    pub(crate) fn json(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        Ok(json::write_line(&mut self.stream, line)?)
    }

    /// A writer of comma-separated values: on a terminal, it escapes control characters.
    pub(crate) fn csv(&mut self) -> csv::Writer<&mut impl Write> {
        if self.is_terminal {
            csv::Writer::for_terminal(&mut self.stream)
        } else {
            csv::Writer::new(&mut self.stream)
        }
    }

    /// Writes a table, no wider than the terminal; nothing if it has no rows.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        if table.is_empty() {
            return Ok(());
        }
        Ok(table.write(&mut self.stream, self.width, self.has_colours)?)
    }

    /// Drops unwritten output instead of trying again.
    pub(crate) fn discard(self) {
        let (_stream, _unwritten) = self.stream.into_parts();
    }

    /// Flushes the output.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stream.flush()?)
    }
}

/// Whether standard output has colours: it is a terminal with colours, and `NO_COLOR` is not set.
pub(crate) fn has_colours() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

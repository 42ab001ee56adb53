//! Where the output goes: coloured on a terminal, plain elsewhere, buffered always.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::error::Failure;
use crate::table::Table;

/// Standard output.
pub(crate) struct Out {
    stream: BufWriter<AutoStream<io::StdoutLock<'static>>>,
    width: Option<usize>,
    has_colours: bool,
}

/// What is written at a time: a list of flows has megabytes.
const BUFFER: usize = 64 << 10;

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let width = if stdout.is_terminal() {
            terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
        } else {
            None
        };
        Self {
            has_colours: has_colours(),
            stream: BufWriter::with_capacity(BUFFER, AutoStream::auto(stdout.lock())),
            width,
        }
    }

    /// The width of the terminal, if it is one.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Writes one JSON object as a line.
    pub(crate) fn json(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stream, line)?;
        self.stream.write_all(b"\n")?;
        Ok(())
    }

    /// Writes a table, no wider than the terminal; nothing where it has no rows.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        if table.is_empty() {
            return Ok(());
        }
        Ok(table.write(&mut self.stream, self.width, self.has_colours)?)
    }

    /// Forgets what could not be written, rather than trying again.
    pub(crate) fn discard(self) {
        let (_stream, _unwritten) = self.stream.into_parts();
    }

    /// Hands what was written to the reader.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stream.flush()?)
    }
}

/// Whether standard output takes colours: it is a terminal that does, and `NO_COLOR` is
/// not set.
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

//! Aligned columns.

use std::io::{self, Write};
use std::iter::repeat_n;

use anstyle::{AnsiColor, Style};
use flowner_core::present::Column as Shared;
use flowner_core::text::mask;
use unicode_width::UnicodeWidthStr;

use crate::width::fitting;

/// The layout of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The layout of a shared column.
pub(crate) const fn align(column: Shared) -> Align {
    if column.is_number() {
        Align::Right
    } else {
        Align::Left
    }
}

/// Rows under a heading. The last column is cut at the width of the terminal.
///
/// There may be a million rows: one text has all cells, and their widths are known before they are
/// written.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    text: String,
    /// The cells of all rows, one after the other.
    cells: Vec<Cell>,
    /// The style of each row.
    styles: Vec<Style>,
}

#[derive(Debug)]
struct Column {
    heading: &'static str,
    align: Align,
    /// The width of its widest cell on a terminal.
    width: usize,
    is_shown: bool,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Its start in the text.
    start: usize,
    len: usize,
    /// Its width on a terminal.
    width: usize,
}

/// Characters between two columns.
const GAP: usize = 2;
/// For headings.
const HEADING: Style = Style::new().bold();
/// For rows that need no attention, such as closed flows.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// For unknown owners.
pub(crate) const UNKNOWN: Style = AnsiColor::Yellow.on_default();

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        let columns = columns.iter().map(|&(heading, align)| Column {
            heading,
            align,
            width: heading.chars().count(),
            is_shown: true,
        });
        Self {
            columns: columns.collect(),
            text: String::new(),
            cells: Vec::new(),
            styles: Vec::new(),
        }
    }

    /// With the columns that the apps share.
    pub(crate) fn of(columns: &[Shared]) -> Self {
        let columns: Vec<_> = columns
            .iter()
            .map(|column| (column.heading(), align(*column)))
            .collect();
        Self::new(&columns)
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, style: Style, cells: impl IntoIterator<Item = String>) {
        self.styles.push(style);
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            let text = cells.next().unwrap_or_default();
            // The code that made the cell may not have masked it, and widths are those of masked
            // text.
            let text = mask(&text);
            let cell = Cell {
                start: self.text.len(),
                len: text.len(),
                width: width_of(&text),
            };
            column.width = column.width.max(cell.width);
            self.text.push_str(&text);
            self.cells.push(cell);
        }
    }

    /// Whether it has no rows.
    pub(crate) const fn is_empty(&self) -> bool {
        self.styles.is_empty()
    }

    /// Hides the columns in `give_way`, in this order, until the rest fits into `width` characters.
    pub(crate) fn shrink(&mut self, width: usize, give_way: &[&str]) {
        for title in give_way {
            let shown = self.columns.iter().filter(|column| column.is_shown);
            let needed: usize = shown.map(|column| column.width + GAP).sum();
            if needed.saturating_sub(GAP) <= width {
                return;
            }
            let columns = self.columns.iter_mut();
            for column in columns.filter(|column| column.heading == *title) {
                column.is_shown = false;
            }
        }
    }

    /// Writes all rows; on a terminal of `width` columns none is longer. It writes styles only for
    /// readers with colours: removing them later would split the text into lines.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        width: Option<usize>,
        has_colours: bool,
    ) -> io::Result<()> {
        let in_style = |style| if has_colours { style } else { Style::new() };
        let mut line = String::new();
        let headings = self.columns.iter();
        let headings = headings.map(|column| (column.heading, column.heading.chars().count()));
        self.write_row(out, in_style(HEADING), headings, &mut line, width)?;
        let rows = self.cells.chunks(self.columns.len().max(1));
        for (style, row) in self.styles.iter().zip(rows) {
            let text = |cell: &Cell| &self.text[cell.start..cell.start + cell.len];
            let cells = row.iter().map(|cell| (text(cell), cell.width));
            self.write_row(out, in_style(*style), cells, &mut line, width)?;
        }
        Ok(())
    }

    /// Writes cells of known widths, in a reused buffer.
    fn write_row<'a>(
        &self,
        out: &mut dyn Write,
        style: Style,
        cells: impl Iterator<Item = (&'a str, usize)>,
        line: &mut String,
        max: Option<usize>,
    ) -> io::Result<()> {
        line.clear();
        let shown = cells.zip(&self.columns);
        for ((cell, width), column) in shown.filter(|(_, column)| column.is_shown) {
            if !line.is_empty() {
                line.extend(repeat_n(' ', GAP));
            }
            let padding = repeat_n(' ', column.width.saturating_sub(width));
            match column.align {
                Align::Left => {
                    line.push_str(cell);
                    line.extend(padding);
                }
                Align::Right => {
                    line.extend(padding);
                    line.push_str(cell);
                }
            }
        }
        line.truncate(line.trim_end().len());
        if let Some(max) = max
            && width_of(line) > max
        {
            line.truncate(fitting(line, max.saturating_sub(1)));
            line.push('…');
        }
        writeln!(out, "{style}{line}{style:#}")
    }
}

/// The columns of a text on a terminal.
fn width_of(text: &str) -> usize {
    // Nearly all text is ASCII, and there is much of it.
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(width: Option<usize>, expected: &str) {
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("BYTES", Align::Right),
            ("TO", Align::Left),
        ]);
        for cells in [["a", "1", "x"], ["äöü-long", "12345678", "yyy"]] {
            table.row(Style::new(), cells.map(str::to_owned));
        }
        for has_colours in [true, false] {
            let mut out = Vec::new();
            table.write(&mut out, width, has_colours).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
            assert_eq!(text != expected, has_colours);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "NAME         BYTES  TO\na                1  x\näöü-long  12345678  yyy\n";
        check(None, expected);
        check(Some(80), expected);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(&[("NAME", Align::Left), ("TO", Align::Left)]);
        for cells in [["日本", "x"], ["abcde", "日本語"]] {
            table.row(Style::new(), cells.map(str::to_owned));
        }
        let written = |width| {
            let mut out = Vec::new();
            table.write(&mut out, width, false).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(None), "NAME   TO\n日本   x\nabcde  日本語\n");
        assert_eq!(written(Some(11)), "NAME   TO\n日本   x\nabcde  日…\n");
    }

    #[test]
    fn long_lines_are_cut() {
        check(
            Some(21),
            "NAME         BYTES  …\na                1  x\näöü-long  12345678  …\n",
        );
    }
}

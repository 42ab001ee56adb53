//! Aligned columns.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

/// How a column is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a heading. The last column is cut at the width of the terminal.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<String>,
    style: Style,
}

/// Characters between two columns.
const GAP: usize = 2;
/// For headings.
const HEADING: Style = Style::new().bold();
/// For what needs no attention, such as closed flows.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// For owners that are not known.
pub(crate) const UNKNOWN: Style = AnsiColor::Yellow.on_default();

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, style: Style, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().collect();
        self.rows.push(Row { cells, style });
    }

    /// Whether it has no rows.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Leaves out the columns that give way, in this order, until the rest fits into
    /// `width` characters.
    pub(crate) fn shrink(&mut self, width: usize, give_way: &[&str]) {
        for title in give_way {
            let widths = self.widths();
            let needed = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            if needed <= width {
                return;
            }
            let place = self.columns.iter().position(|(name, _)| name == title);
            if let Some(place) = place {
                self.columns.remove(place);
                for row in &mut self.rows {
                    row.cells.remove(place);
                }
            }
        }
    }

    /// Writes all rows; on a terminal of `width` columns none is longer.
    pub(crate) fn write(&self, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
        let widths = self.widths();
        let headings = self.columns.iter().map(|(heading, _)| *heading);
        self.write_row(out, HEADING, headings, &widths, width)?;
        for row in &self.rows {
            let cells = row.cells.iter().map(String::as_str);
            self.write_row(out, row.style, cells, &widths, width)?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(place, (heading, _))| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(place));
                let longest = cells.map(|cell| cell.chars().count()).max();
                longest.unwrap_or(0).max(heading.len())
            })
            .collect()
    }

    fn write_row<'a>(
        &self,
        out: &mut dyn Write,
        style: Style,
        cells: impl Iterator<Item = &'a str>,
        widths: &[usize],
        max: Option<usize>,
    ) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            let padding = width.saturating_sub(cell.chars().count());
            match align {
                Align::Left => line.extend([cell, &" ".repeat(padding)]),
                Align::Right => line.extend([&" ".repeat(padding), cell]),
            }
        }
        let line = line.trim_end();
        let line: String = match max {
            Some(max) if line.chars().count() > max => {
                let kept = line.chars().take(max.saturating_sub(1));
                kept.chain(std::iter::once('…')).collect()
            }
            _ => line.to_owned(),
        };
        writeln!(out, "{style}{line}{style:#}")
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
        let mut out = Vec::new();
        table.write(&mut out, width).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "NAME         BYTES  TO\na                1  x\näöü-long  12345678  yyy\n";
        check(None, expected);
        check(Some(80), expected);
    }

    #[test]
    fn long_lines_are_cut() {
        check(
            Some(21),
            "NAME         BYTES  …\na                1  x\näöü-long  12345678  …\n",
        );
    }
}

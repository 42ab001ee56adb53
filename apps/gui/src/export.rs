//! What is shown, as a file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowner_core::json::{FlowLine, HeadLine, SummaryLine, write_line};
use flowner_core::present::Column;
use flowner_core::private_file::{self, Existing};
use flowner_core::{FlowRecord, csv};

use crate::column;
use crate::feed::Picture;

/// How flows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A line a flow, for spreadsheets.
    #[default]
    Csv,
    /// An object a line, as `flowner --json` writes them.
    Json,
}

impl Format {
    /// How the names of such files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "jsonl",
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON lines",
        }
    }
}

/// The default place of exported flows.
pub fn usual_place(format: Format) -> PathBuf {
    let name = format!("network-flows.{}", format.extension());
    etcetera::home_dir().unwrap_or_default().join(name)
}

/// Writes the flows that are listed, in their order; returns how many. Only the user may read the
/// file, which takes the place of one that is there.
///
/// # Errors
/// When the file cannot be written.
pub fn write(picture: &Arc<Picture>, format: Format, path: &Path) -> io::Result<usize> {
    let mut file = BufWriter::new(private_file::create(path, Existing::Replace)?);
    match format {
        Format::Csv => csv::Writer::new(&mut file).flows(listed(picture))?,
        Format::Json => json(picture, &mut file)?,
    }
    file.flush()?;
    Ok(picture.listed.len())
}

/// The flows that are listed, in their order.
fn listed(picture: &Picture) -> impl Iterator<Item = &FlowRecord> {
    (0..picture.listed.len()).filter_map(|row| picture.listed(row))
}

fn json(picture: &Picture, file: &mut impl Write) -> io::Result<()> {
    let input = &picture.report.input;
    let head = if input.is_live {
        HeadLine::watch(input)
    } else {
        HeadLine::read(input)
    };
    write_line(file, &head)?;
    for flow in listed(picture) {
        write_line(file, &FlowLine::new(flow))?;
    }
    write_line(file, &SummaryLine::new(&picture.report))
}

/// A row as it is copied: its cells, with tabs between.
pub fn row(
    picture: &Picture,
    row: usize,
    columns: &[Column],
    around: column::Surroundings<'_>,
) -> Option<String> {
    let flow = picture.listed(row)?;
    let cells = columns
        .iter()
        .map(|column| column::cell(*column, flow, around).content());
    Some(cells.collect::<Vec<_>>().join("\t"))
}

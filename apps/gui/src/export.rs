//! What is shown, as a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowner_core::wire::{FlowLine, HeadLine, SummaryLine};

use crate::column::{self, Column};
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

/// Where flows are written unless somebody says otherwise.
pub fn usual_place(format: Format) -> PathBuf {
    let name = format!("network-flows.{}", format.extension());
    etcetera::home_dir().unwrap_or_default().join(name)
}

/// Writes the flows that are listed, in their order; returns how many.
///
/// # Errors
/// When the file cannot be written.
pub fn write(picture: &Arc<Picture>, format: Format, path: &Path) -> io::Result<usize> {
    let mut file = BufWriter::new(File::create(path)?);
    match format {
        Format::Csv => csv(picture, &mut file)?,
        Format::Json => json(picture, &mut file)?,
    }
    file.flush()?;
    Ok(picture.listed.len())
}

fn json(picture: &Picture, file: &mut impl Write) -> io::Result<()> {
    let input = &picture.report.input;
    let head = if input.is_live {
        HeadLine::watch(input)
    } else {
        HeadLine::read(input)
    };
    let mut line = |text: serde_json::Result<String>| writeln!(file, "{}", text?);
    line(serde_json::to_string(&head))?;
    for row in 0..picture.listed.len() {
        if let Some(flow) = picture.listed(row) {
            line(serde_json::to_string(&FlowLine::new(flow)))?;
        }
    }
    line(serde_json::to_string(&SummaryLine::new(&picture.report)))
}

/// The columns of a CSV file, whatever is shown.
const HEADS: &str = "program,pid,user,service,protocol,local,remote,direction,state,first_seen,\
                     last_seen,sent_packets,sent_bytes,received_packets,received_bytes";

fn csv(picture: &Picture, file: &mut impl Write) -> io::Result<()> {
    writeln!(file, "{HEADS}")?;
    for row in 0..picture.listed.len() {
        let Some(flow) = picture.listed(row) else {
            continue;
        };
        let owner = column::owner(flow);
        let pid = owner.and_then(|owner| owner.verdict.processes().first().map(|it| it.pid));
        let user = owner.and_then(column::user).unwrap_or_default();
        let texts = [
            column::party(flow).to_string(),
            pid.map(|pid| pid.to_string()).unwrap_or_default(),
            user,
            column::service(flow),
            flow.protocol.to_string(),
            column::endpoint(flow, flow.local),
            column::endpoint(flow, flow.remote),
            flow.direction.name().to_owned(),
            flow.state.name().to_owned(),
            seconds(flow.first_seen),
            seconds(flow.last_seen),
            flow.sent.packets.to_string(),
            flow.sent.bytes.to_string(),
            flow.received.packets.to_string(),
            flow.received.bytes.to_string(),
        ];
        let quoted = texts.map(|text| quoted(&text));
        writeln!(file, "{}", quoted.join(","))?;
    }
    Ok(())
}

/// Seconds since the Unix epoch, with microseconds.
fn seconds(time: std::time::Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

/// A field (RFC 4180). One that a spreadsheet would take for a formula is made a text.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
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
        .map(|column| column.cell(flow, around).content());
    Some(cells.collect::<Vec<_>>().join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("-x,y"), "\"'-x,y\"");
    }
}

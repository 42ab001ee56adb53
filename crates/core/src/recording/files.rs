//! The files that are written, one after the other.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flowner_capture::pcapng::{Counters, Interface, Section, Writer};

use super::{Output, RecordingConfig, Rotation};
use crate::error::Error;

/// Bytes that are collected before they are handed to the operating system.
const BUFFER: usize = 64 << 10;

/// What all files begin with.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) section: Section,
    pub(crate) interface: Interface,
}

/// The current file, and those before it.
#[derive(Debug)]
pub(crate) struct Files {
    output: Output,
    rotation: Rotation,
    overwrite: bool,
    origin: Origin,
    current: Writer<Blocks>,
    /// When the current one was begun, since the Unix epoch.
    begun: Duration,
    /// Those that were written and are there, the current one last.
    kept: VecDeque<PathBuf>,
    /// Files that were begun, and the bytes of those that are complete.
    count: u64,
    complete: u64,
}

impl Files {
    /// Begins the first file. `now` is since the Unix epoch.
    pub(crate) fn begin(
        config: &RecordingConfig,
        origin: Origin,
        now: Duration,
    ) -> Result<Self, Error> {
        let path = path_of(&config.output, &config.rotation, 1, now);
        let current = begin(path.as_deref(), config.overwrite, &origin)?;
        Ok(Self {
            output: config.output.clone(),
            rotation: config.rotation,
            overwrite: config.overwrite,
            origin,
            current,
            begun: now,
            kept: path.into_iter().collect(),
            count: 1,
            complete: 0,
        })
    }

    /// Writes a packet, perhaps into the next file. `counters` are for the end of this one.
    pub(super) fn packet(
        &mut self,
        packet: &Packet<'_>,
        now: Duration,
        counters: impl FnOnce() -> Counters,
    ) -> Result<(), Error> {
        if self.is_full(packet, now) {
            self.rotate(now, &counters())?;
        }
        let Packet {
            time,
            wire_len,
            data,
            comments,
        } = *packet;
        let comments = comments.iter().map(String::as_str).collect::<Vec<_>>();
        let written = self.current.packet(0, time, wire_len, data, &comments);
        written.map_err(|error| self.failed(error))
    }

    /// Hands what was written to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.current.flush();
        flushed.map_err(|error| self.failed(error))
    }

    /// Closes the last file.
    pub(super) fn finish(&mut self, now: Duration, counters: &Counters) -> Result<(), Error> {
        let counters = Counters {
            started: Some(self.begun),
            ended: Some(now),
            ..*counters
        };
        let finished = self
            .current
            .counters(0, now, &counters)
            .and_then(|()| self.current.flush());
        finished.map_err(|error| self.failed(error))
    }

    /// Bytes of all files.
    pub(super) const fn bytes(&self) -> u64 {
        self.complete + self.current.written()
    }

    /// Files that were begun.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the packet is for the next file. A file that would have no packet never is.
    fn is_full(&self, packet: &Packet<'_>, now: Duration) -> bool {
        // A header with all lengths, paddings of data and comments, and what ends the file.
        const AROUND: usize = 256;
        let comments = packet.comments.iter().map(|comment| comment.len() + 8);
        let len = AROUND + packet.data.len() + comments.sum::<usize>();
        let has_packets = self.current.written() > self.current.get_ref().head;
        let by_size = self.rotation.size.is_some_and(|size| {
            has_packets && self.current.written().saturating_add(len as u64) > size
        });
        let by_time = self
            .rotation
            .time
            .is_some_and(|time| has_packets && now.saturating_sub(self.begun) >= time);
        by_size || by_time
    }

    fn rotate(&mut self, now: Duration, counters: &Counters) -> Result<(), Error> {
        self.finish(now, counters)?;
        let path = path_of(&self.output, &self.rotation, self.count + 1, now);
        let next = begin(path.as_deref(), self.overwrite, &self.origin)?;
        self.complete += self.current.written();
        self.current = next;
        self.count += 1;
        self.begun = now;
        self.kept.extend(path);
        let max = self.rotation.files.map_or(usize::MAX, Into::into);
        while self.kept.len() > max
            && let Some(oldest) = self.kept.pop_front()
        {
            if let Err(error) = fs::remove_file(&oldest) {
                // It may have been moved away, which is no reason to stop.
                tracing::warn!(path = %oldest.display(), %error, "an old file was not removed");
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        unwritable(self.kept.back().map(PathBuf::as_path), source)
    }
}

/// A packet that is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) time: Duration,
    pub(super) wire_len: u32,
    pub(super) data: &'a [u8],
    pub(super) comments: &'a [String],
}

fn unwritable(path: Option<&Path>, source: io::Error) -> Error {
    let path = path.unwrap_or(Path::new("standard output")).to_owned();
    Error::Unwritable { path, source }
}

fn begin(path: Option<&Path>, overwrite: bool, origin: &Origin) -> Result<Writer<Blocks>, Error> {
    let output = match path {
        None => Sink::StandardOutput(io::stdout()),
        Some(path) => Sink::File(create(path, overwrite)?),
    };
    let blocks = Blocks {
        output,
        waiting: Vec::with_capacity(BUFFER),
        whole: 0,
        head: 0,
    };
    let begun = Writer::new(blocks, &origin.section).and_then(|mut writer| {
        writer.interface(&origin.interface)?;
        // So that the file can be read from now on.
        writer.flush()?;
        Ok(writer)
    });
    let mut writer = begun.map_err(|error| unwritable(path, error))?;
    let head = writer.written();
    writer.get_mut().head = head;
    Ok(writer)
}

fn create(path: &Path, overwrite: bool) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true);
    if overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Error::Exists { path: path.into() };
        }
        unwritable(Some(path), source)
    })
}

fn path_of(output: &Output, rotation: &Rotation, number: u64, now: Duration) -> Option<PathBuf> {
    let Output::File(path) = output else {
        return None;
    };
    if !rotation.is_on() {
        return Some(path.clone());
    }
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + now).to_string();
    let time = time.replace(['-', ':'], "");
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{number:05}_{time}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    Some(path.with_file_name(name))
}

/// Collects whole blocks: an output has a part of one only if it fails within it, and a file
/// is cut back then.
#[derive(Debug)]
struct Blocks {
    output: Sink,
    waiting: Vec<u8>,
    /// Bytes that the output has.
    whole: u64,
    /// Bytes of the blocks that each file begins with.
    head: u64,
}

#[derive(Debug)]
enum Sink {
    File(File),
    StandardOutput(io::Stdout),
}

impl Write for Blocks {
    /// Takes a block.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        if !self.waiting.is_empty() && self.waiting.len() + block.len() > BUFFER {
            self.flush()?;
        }
        self.waiting.extend_from_slice(block);
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = match &mut self.output {
            Sink::File(file) => file.write_all(&self.waiting),
            Sink::StandardOutput(out) => out.write_all(&self.waiting).and_then(|()| out.flush()),
        };
        if let (Err(_), Sink::File(file)) = (&written, &mut self.output) {
            // Where that fails, too, the last block of the file is cut.
            let _best_effort = file
                .set_len(self.whole)
                .and_then(|()| file.seek(io::SeekFrom::Start(self.whole)));
        }
        written?;
        self.whole += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
#[path = "files/tests.rs"]
mod tests;

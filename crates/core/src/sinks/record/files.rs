//! The output files, one after the other.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Seek, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flowner_capture::pcapng::{Counters, Interface, PacketOptions, ProcessFacts, Section, Writer};

use super::config::{Output, RecordingConfig};
use super::packet::{Packet, Packets};
use crate::model::error::Error;
use crate::model::names::Name;
use crate::system::private_file::{Directory, Existing};
use crate::system::removed;

/// The size of the write buffer.
const BUFFER: usize = 64 << 10;

/// Processes and names that a file is known to have. Past that, this forgets and repeats them.
const MAX_DESCRIBED: usize = 10_000;

/// The header of all files.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) section: Section,
    pub(crate) interface: Interface,
}

/// The current file and the earlier ones.
#[derive(Debug)]
pub(crate) struct Files {
    config: RecordingConfig,
    /// Their directory, from the start on.
    directory: Option<Directory>,
    origin: Origin,
    current: Writer<Blocks>,
    /// The processes that the current file describes, by pid, and its names of addresses.
    described: HashMap<u32, ProcessFacts>,
    named: HashSet<(IpAddr, Name)>,
    /// The start of the current file, since the Unix epoch.
    begun: Duration,
    /// The existing files, with the current one last.
    kept: VecDeque<PathBuf>,
    /// The number of files, and the bytes of complete ones.
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
        let directory = match &config.output {
            Output::File(path) => {
                Some(Directory::of(path).map_err(|error| uncreated(path, error))?)
            }
            Output::StandardOutput => None,
        };
        let (path, current) = begin_file(config, directory.as_ref(), 1, now, &origin)?;
        Ok(Self {
            config: config.clone(),
            directory,
            origin,
            current,
            described: HashMap::new(),
            named: HashSet::new(),
            begun: now,
            kept: path.into_iter().collect(),
            count: 1,
            complete: 0,
        })
    }

    /// Writes a packet, perhaps into the next file. `counters` are for the end of the current one.
    /// The packet is in the file after a [`flush`](Self::flush), or else [`lost`](Self::lost).
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
            origin,
            data,
            comments,
            process,
            names,
            host,
        } = *packet;
        let described = process.map_or(Ok(()), |facts| self.describe(facts));
        let described = described.and_then(|()| host.map_or(Ok(()), |host| self.name(host)));
        described.map_err(|error| self.failed(error))?;
        let comments = comments.iter().map(String::as_str).collect::<Vec<_>>();
        let mut about = PacketOptions::of_comments(&comments);
        about.origin = origin;
        about.pid = process.map(|facts| facts.pid);
        let written = self.current.packet_with(0, time, wire_len, data, &about);
        written.map_err(|error| self.failed(error))?;
        self.current.get_mut().took_packet(names);
        Ok(())
    }

    /// Describes a process, unless the file already does.
    fn describe(&mut self, facts: &ProcessFacts) -> io::Result<()> {
        if self.described.get(&facts.pid) == Some(facts) {
            return Ok(());
        }
        if self.described.len() >= MAX_DESCRIBED {
            self.described.clear();
        }
        self.described.insert(facts.pid, facts.clone());
        self.current.process(facts)
    }

    /// Adds the name of an address, unless the file already has it.
    fn name(&mut self, host: &(IpAddr, Name)) -> io::Result<()> {
        if self.named.len() >= MAX_DESCRIBED {
            self.named.clear();
        }
        if !self.named.insert(host.clone()) {
            return Ok(());
        }
        self.current.name(host.0, host.1.as_str())
    }

    /// Flushes the buffer to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.current.flush();
        flushed.map_err(|error| self.failed(error))?;
        self.check_is_there()
    }

    /// Packets that were accepted but are not in the file, because the write failed.
    pub(super) const fn lost(&self) -> Packets {
        self.current.get_ref().lost
    }

    /// No one could ever read the content of a removed file.
    fn check_is_there(&mut self) -> Result<(), Error> {
        let Some(path) = self.kept.back() else {
            return Ok(());
        };
        let blocks = self.current.get_mut();
        match &blocks.output {
            Sink::File(file) if removed::is_removed(file) => {
                blocks.lose_all();
                Err(Error::Removed { path: path.clone() })
            }
            _ => Ok(()),
        }
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
        finished.map_err(|error| self.failed(error))?;
        self.check_is_there()
    }

    /// The size of all files.
    pub(super) const fn bytes(&self) -> u64 {
        self.complete + self.current.get_ref().len()
    }

    /// The number of files.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the packet belongs into the next file. Never if the current one would stay without
    /// packets.
    fn is_full(&self, packet: &Packet<'_>, now: Duration) -> bool {
        // A header with all lengths, the padding of data and comments, and the end of the file.
        const AROUND: usize = 256;
        let comments = packet.comments.iter().map(|comment| comment.len() + 8);
        // The block that describes the process, unless it is in the file.
        let texts = |facts: &ProcessFacts| {
            let texts = [&facts.name, &facts.path, &facts.user];
            texts.into_iter().flatten().map(String::len).sum::<usize>()
        };
        let process = packet.process.map_or(0, |facts| AROUND + texts(facts));
        let host = packet.host.map_or(0, |(_, name)| 48 + name.as_str().len());
        let len = AROUND + packet.data.len() + comments.sum::<usize>() + process + host;
        let has_packets = self.current.written() > self.current.get_ref().head;
        let by_size = self.config.rotation.size.is_some_and(|size| {
            has_packets && self.current.written().saturating_add(len as u64) > size
        });
        let by_time = self
            .config
            .rotation
            .time
            .is_some_and(|time| has_packets && now.saturating_sub(self.begun) >= time);
        by_size || by_time
    }

    fn rotate(&mut self, now: Duration, counters: &Counters) -> Result<(), Error> {
        self.finish(now, counters)?;
        let (path, next) = begin_file(
            &self.config,
            self.directory.as_ref(),
            self.count + 1,
            now,
            &self.origin,
        )?;
        self.complete += self.current.written();
        self.current = next;
        self.described.clear();
        self.named.clear();
        self.count += 1;
        self.begun = now;
        self.kept.extend(path);
        let max = self.config.rotation.files.map_or(usize::MAX, Into::into);
        while self.kept.len() > max
            && let Some(oldest) = self.kept.pop_front()
        {
            let name = oldest.file_name();
            let removed = self.directory.as_ref().zip(name);
            let removed = removed.map_or(Ok(()), |(directory, name)| directory.remove(name));
            if let Err(error) = removed {
                // It may have been moved, which is no reason to stop.
                tracing::warn!(path = %oldest.display(), %error, "an old file was not removed");
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        unwritable(self.kept.back().map(PathBuf::as_path), source)
    }
}

fn unwritable(path: Option<&Path>, source: io::Error) -> Error {
    let path = path.unwrap_or(Path::new("standard output")).to_owned();
    Error::Unwritable { path, source }
}

/// Begins the file with this number, and returns its path.
fn begin_file(
    config: &RecordingConfig,
    directory: Option<&Directory>,
    number: u64,
    now: Duration,
    origin: &Origin,
) -> Result<(Option<PathBuf>, Writer<Blocks>), Error> {
    let (Output::File(named), Some(directory)) = (&config.output, directory) else {
        return Ok((
            None,
            begin(None, Sink::StandardOutput(io::stdout()), origin)?,
        ));
    };
    let existing = if config.overwrite {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let (path, file) = if config.rotation.is_on() {
        create_numbered(directory, named, number, now, existing)?
    } else {
        (named.clone(), create(directory, named, existing)?)
    };
    let writer = begin(Some(&path), Sink::File(file), origin)?;
    Ok((Some(path), writer))
}

fn begin(path: Option<&Path>, output: Sink, origin: &Origin) -> Result<Writer<Blocks>, Error> {
    let blocks = Blocks::new(output);
    let begun = Writer::new(blocks, &origin.section).and_then(|mut writer| {
        writer.interface(&origin.interface)?;
        // So that the file is readable from now on.
        writer.flush()?;
        Ok(writer)
    });
    let mut writer = begun.map_err(|error| unwritable(path, error))?;
    let head = writer.written();
    writer.get_mut().head = head;
    Ok(writer)
}

fn create(directory: &Directory, path: &Path, existing: Existing) -> Result<File, Error> {
    let created = match path.file_name() {
        Some(name) => directory.create(name, existing),
        None => Err(io::ErrorKind::IsADirectory.into()),
    };
    created.map_err(|error| uncreated(path, error))
}

fn uncreated(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        io::ErrorKind::NotFound => Error::NoFolder { path: path.into() },
        _ => unwritable(Some(path), source),
    }
}

/// As [`create`], with a generated name. If a file has that name already, which another user with
/// write access to the directory may have made to stop this, it uses another name.
fn create_numbered(
    directory: &Directory,
    named: &Path,
    number: u64,
    now: Duration,
    existing: Existing,
) -> Result<(PathBuf, File), Error> {
    const TRIES: usize = 16;
    let path = numbered(named, number, now, "");
    let mut created = create(directory, &path, existing).map(|file| (path.clone(), file));
    for _ in 0..TRIES {
        let in_the_way = match &created {
            Err(Error::Exists { .. }) => true,
            Err(Error::Unwritable { path, .. }) => {
                path.file_name().is_some_and(|name| directory.has(name))
            }
            _ => false,
        };
        if !in_the_way {
            break;
        }
        // A random number, which no one else knows before.
        let secret_number = RandomState::new().build_hasher().finish();
        let suffix = format!("_{secret_number:016x}");
        let path = numbered(named, number, now, &suffix);
        created = create(directory, &path, Existing::Keep).map(|file| (path, file));
    }
    created
}

/// The path of a file with a number and a time in its name.
fn numbered(path: &Path, number: u64, now: Duration, suffix: &str) -> PathBuf {
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + now).to_string();
    let time = time.replace(['-', ':'], "");
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{number:05}_{time}{suffix}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Collects whole blocks: an output contains a part of one only if the write fails within it, and
/// then a file is cut back.
#[derive(Debug)]
struct Blocks {
    output: Sink,
    waiting: Vec<u8>,
    /// The ends of packets in the buffer, and whether they name a process.
    ends: Vec<(usize, bool)>,
    /// The number of bytes in the output.
    whole: u64,
    /// The number of bytes in the header blocks of each file.
    head: u64,
    /// Packets in the output.
    written: Packets,
    /// Packets that will never be in the output.
    lost: Packets,
}

#[derive(Debug)]
enum Sink {
    File(File),
    StandardOutput(io::Stdout),
}

impl Blocks {
    fn new(output: Sink) -> Self {
        Self {
            output,
            waiting: Vec::with_capacity(BUFFER),
            ends: Vec::new(),
            whole: 0,
            head: 0,
            written: Packets::default(),
            lost: Packets::default(),
        }
    }

    /// Records that the last block was a packet.
    fn took_packet(&mut self, names: bool) {
        self.ends.push((self.waiting.len(), names));
    }

    const fn len(&self) -> u64 {
        self.whole + self.waiting.len() as u64
    }

    /// Removes the `taken` bytes of the buffer that the output accepted. They stay as far as they
    /// are whole packets; the rest is lost.
    fn cut(&mut self, taken: usize) {
        let mut kept = 0;
        for (end, names) in self.ends.drain(..) {
            if end <= taken {
                self.written.add(names);
                kept = end;
            } else {
                self.lost.add(names);
            }
        }
        self.waiting.clear();
        self.whole += kept as u64;
        if let Sink::File(file) = &mut self.output {
            // If that fails, too, the last block of the file is cut.
            let _best_effort = file
                .set_len(self.whole)
                .and_then(|()| file.seek(io::SeekFrom::Start(self.whole)));
        }
    }

    /// There is no file any more.
    fn lose_all(&mut self) {
        self.lost.all += self.written.all;
        self.lost.named += self.written.named;
        self.written = Packets::default();
    }
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
        let mut taken = 0;
        let result = match &mut self.output {
            Sink::File(file) => write_all(file, &self.waiting, &mut taken),
            Sink::StandardOutput(out) => {
                write_all(out, &self.waiting, &mut taken).and_then(|()| out.flush())
            }
        };
        if result.is_err() {
            self.cut(taken);
            return result;
        }
        self.whole += taken as u64;
        self.waiting.clear();
        for (_, names) in self.ends.drain(..) {
            self.written.add(names);
        }
        Ok(())
    }
}

/// As [`Write::write_all`], which does not return its progress.
fn write_all(out: &mut impl Write, bytes: &[u8], taken: &mut usize) -> io::Result<()> {
    while *taken < bytes.len() {
        match out.write(&bytes[*taken..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => *taken += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "files/tests.rs"]
mod tests;

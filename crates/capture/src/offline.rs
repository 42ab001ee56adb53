//! Reads a capture file, or standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

use crate::error::Error;
use crate::file::{FileReader, ReadError};
use crate::filter::Filters;
use crate::link_type::{LinkType, OtherLinkType};
use crate::pcapng::Interface;
use crate::raw_packet::{Next, Progress, RawPacket};
use crate::stopper::Stopper;

/// An open capture file.
pub(crate) struct Offline {
    input: String,
    reader: FileReader<Box<dyn Read + Send>>,
    /// The link type of the first interface that the decoder knows, or of the first one.
    link_type: Result<LinkType, OtherLinkType>,
    filters: Option<Filters>,
    /// Its size when it was opened, if it has one.
    len: Option<u64>,
    /// The same file, to check whether it has grown since.
    file: Option<File>,
    stopper: Stopper,
}

/// A capture file, or standard input, that is open and of which nothing was read. A program can give up
/// privileges before it [reads](crate::Source::open_file) the content, which others wrote.
#[derive(Debug)]
pub struct OpenFile {
    input: String,
    /// `None` for standard input.
    file: Option<File>,
}

impl OpenFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchFile`], [`Error::IsDirectory`], [`Error::Unreadable`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Ok(Self {
            input: path.display().to_string(),
            file: Some(open_file(path)?),
        })
    }

    /// Standard input, which is always open.
    pub fn stdin() -> Self {
        Self {
            input: "standard input".to_owned(),
            file: None,
        }
    }
}

impl Offline {
    pub(crate) fn new(open: OpenFile, filter: Option<&str>) -> Result<Self, Error> {
        let OpenFile { input, file } = open;
        let (bytes, len, again): (Box<dyn Read + Send>, _, _) = match file {
            None => (Box::new(io::stdin()), None, None),
            Some(file) => {
                let metadata = file.metadata();
                let metadata = metadata.map_err(|error| unreadable(Path::new(&input), error))?;
                // A pipe has no size.
                let len = metadata.is_file().then_some(metadata.len());
                let again = file.try_clone().ok();
                (Box::new(file), len, again)
            }
        };
        let reader = FileReader::new(bytes).map_err(|error| classify(&input, error))?;
        let link_type = link_type(&reader);
        let filters = filter.map(|expression| Filters::new(expression, link_type));
        Ok(Self {
            input,
            reader,
            link_type,
            filters: filters.transpose()?,
            len,
            file: again,
            stopper: Stopper::new(None),
        })
    }

    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) const fn link_type(&self) -> Result<LinkType, OtherLinkType> {
        self.link_type
    }

    /// The addresses of the interfaces that the file has described so far.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let interfaces = (0..).map_while(|number| self.reader.interface(number));
        interfaces.flat_map(|interface| interface.addresses.iter().copied())
    }

    pub(crate) fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, Error> {
        if self.stopper.is_requested() {
            return Ok(Next::Stopped);
        }
        let Self {
            reader, filters, ..
        } = self;
        let packet = match filters {
            None => reader.next(),
            Some(filters) => reader.next_where(|packet| filters.pass(packet)),
        };
        match packet {
            Err(ReadError::Truncated(_)) if has_grown(self.file.as_ref(), self.len) => {
                Err(Error::Growing {
                    input: self.input.clone(),
                })
            }
            Err(error) => Err(classify(&self.input, error)),
            Ok(None) => Ok(Next::End),
            Ok(Some(packet)) => Ok(Next::Packet(RawPacket {
                time: packet.time,
                wire_len: packet.wire_len,
                link_type: packet.link_type,
                data: packet.data,
                comments: packet.comments,
                origin: packet.origin,
                device: None,
            })),
        }
    }

    /// The oddities so far, in words.
    pub(crate) fn remarks(&self) -> Option<String> {
        let oddities = self.reader.oddities();
        let odd = (!oddities.is_empty()).then(|| oddities.to_string());
        let unfiltered = self.filters.as_ref().and_then(Filters::remark);
        let all: Vec<_> = odd.into_iter().chain(unfiltered).collect();
        (!all.is_empty()).then(|| format!("{}: {}", self.input, all.join("; ")))
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        Some(Progress {
            read: self.reader.position(),
            total: self.len?,
        })
    }
}

/// Whether a file is longer than it was.
fn has_grown(file: Option<&File>, len: Option<u64>) -> bool {
    let now = file.and_then(|file| file.metadata().ok());
    now.zip(len).is_some_and(|(now, len)| now.len() > len)
}

fn link_type<R: Read>(reader: &FileReader<R>) -> Result<LinkType, OtherLinkType> {
    let interfaces = || (0..).map_while(|number| reader.interface(number));
    let first = interfaces().next().map(Interface::frames);
    let decodable = interfaces().map(Interface::frames).find(Result::is_ok);
    decodable.or(first).unwrap_or(Err(OtherLinkType::NONE))
}

fn open_file(path: &Path) -> Result<File, Error> {
    // This comes first, because Windows refuses to open a directory with "permission denied".
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(Error::IsDirectory { path: path.into() });
    }
    File::open(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoSuchFile { path },
        _ => Error::Unreadable { path, source },
    }
}

fn classify(input: &str, error: ReadError) -> Error {
    let path = Path::new(input);
    let input = input.to_owned();
    match error {
        ReadError::Empty => Error::Empty { input },
        ReadError::NotACapture(message) => Error::NotACapture { input, message },
        ReadError::Truncated(message) => Error::Truncated { input, message },
        ReadError::Corrupt(message) => Error::Corrupt { input, message },
        ReadError::Input(error) => unreadable(path, error),
    }
}

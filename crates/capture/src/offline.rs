//! Reading a capture file, or standard input.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;

use pcap::Linktype;

use crate::error::Error;
use crate::file::{FileReader, ReadError};
use crate::filter::Filters;
use crate::link_type::LinkType;
use crate::pcapng::Interface;
use crate::raw_packet::{Next, Progress, RawPacket};
use crate::stopper::Stopper;

/// A file that is read.
pub(crate) struct Offline {
    input: String,
    reader: FileReader<Box<dyn Read + Send>>,
    /// Of the first interface whose frames can be decoded.
    link_type: LinkType,
    filters: Option<Filters>,
    /// Its size when it was opened, where it has one.
    len: Option<u64>,
    /// The same file, to be asked whether it has grown since.
    file: Option<File>,
    stopper: Stopper,
}

impl Offline {
    pub(crate) fn open(path: &Path, filter: Option<&str>) -> Result<Self, Error> {
        let file = open_file(path)?;
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        // A pipe has no size.
        let len = metadata.is_file().then_some(metadata.len());
        let again = file.try_clone().ok();
        let this = Self::new(path.display().to_string(), Box::new(file), filter, len)?;
        Ok(Self {
            file: again,
            ..this
        })
    }

    pub(crate) fn stdin(filter: Option<&str>) -> Result<Self, Error> {
        Self::new(
            "standard input".to_owned(),
            Box::new(io::stdin()),
            filter,
            None,
        )
    }

    fn new(
        input: String,
        bytes: Box<dyn Read + Send>,
        filter: Option<&str>,
        len: Option<u64>,
    ) -> Result<Self, Error> {
        let reader = FileReader::new(bytes).map_err(|error| classify(&input, error))?;
        let link_type = link_type(&input, &reader)?;
        let filters = filter.map(|expression| Filters::new(expression, link_type));
        Ok(Self {
            input,
            reader,
            link_type,
            filters: filters.transpose()?,
            len,
            file: None,
            stopper: Stopper::new(None),
        })
    }

    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    pub(crate) const fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Addresses of the interfaces that were described so far.
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
        let mut failed = None;
        let packet = match filters {
            None => reader.next(),
            Some(filters) => reader.next_where(|packet| {
                filters.pass(packet).unwrap_or_else(|error| {
                    failed = Some(error);
                    true
                })
            }),
        };
        match (packet, failed) {
            (_, Some(error)) => Err(error),
            (Err(ReadError::Truncated(_)), None) if has_grown(self.file.as_ref(), self.len) => {
                Err(Error::Growing {
                    input: self.input.clone(),
                })
            }
            (Err(error), None) => Err(classify(&self.input, error)),
            (Ok(None), None) => Ok(Next::End),
            (Ok(Some(packet)), None) => Ok(Next::Packet(RawPacket {
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

fn link_type<R: Read>(input: &str, reader: &FileReader<R>) -> Result<LinkType, Error> {
    let mut interfaces = (0..).map_while(|number| reader.interface(number));
    let decodable = interfaces.find_map(Interface::decodable);
    decodable.ok_or_else(|| {
        let number = reader.interface(0).map_or(0, |first| first.link_type);
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        Error::LinkType {
            input: input.to_owned(),
            number,
            name: Linktype(number)
                .get_name()
                .unwrap_or_else(|_| "unknown".to_owned()),
        }
    })
}

fn open_file(path: &Path) -> Result<File, Error> {
    // Asked first, because Windows refuses to open a directory as if it were forbidden.
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

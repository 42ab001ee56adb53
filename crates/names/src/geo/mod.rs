//! The country, city and network of an address, from databases that the user has.
//!
//! Nothing is downloaded. The format is MMDB, which the files of MaxMind, DB-IP and
//! IPinfo have (`.mmdb`).

mod places;
mod record;
#[cfg(test)]
mod tests;

use std::fs::{File, Metadata};
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use maxminddb::{MaxMindDbError, Reader};

pub use places::usual_databases;
use record::Record;

/// The largest file that is read into memory, in bytes. MaxMind's largest, of cities, has less
/// than half.
pub const MAX_DATABASE: u64 = 512 << 20;
/// The longest text of a record that is kept, in bytes.
const MAX_TEXT: usize = 255;

/// Where an address is, as far as the databases know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// Where the network is, or where it is registered if it is in no country.
    pub country: Option<Country>,
    /// In English.
    pub city: Option<String>,
    /// The number of the autonomous system that announces the network.
    pub asn: Option<u32>,
    /// The organisation that this autonomous system belongs to.
    pub network_name: Option<String>,
}

/// A country.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Country {
    /// Two upper-case letters (ISO 3166-1 alpha-2).
    pub code: String,
    /// In English.
    pub name: Option<String>,
}

impl Place {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is too large to be read into memory.
    #[error("{}: {bytes} bytes, which is more than {MAX_DATABASE}; use a smaller edition, such as \
             GeoLite2-Country", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is no database, or a damaged one.
    #[error("{}: not a valid MaxMind database ({source}); download it again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: MaxMindDbError,
    },
}

/// Open databases. A lookup asks each of them, the first one first, for what the ones before it
/// did not know.
///
/// The files are in memory as a whole: a program that replaces one by writing over it changes
/// nothing here until [`refresh`](Self::refresh). A clone shares what is in memory.
#[derive(Debug, Clone, Default)]
pub struct GeoDatabases {
    files: Vec<Database>,
    files_read: u64,
}

#[derive(Debug, Clone)]
struct Database {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// `None` until a file can be read.
    reader: Option<Arc<Reader<Vec<u8>>>>,
}

/// What changes when a file is replaced or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
        }
    }
}

impl GeoDatabases {
    /// Reads the files. Those that cannot be read are kept in mind, for a later
    /// [`refresh`](Self::refresh), and reported.
    #[must_use]
    pub fn open(paths: impl IntoIterator<Item = PathBuf>) -> (Self, Vec<DatabaseError>) {
        let files = paths.into_iter().map(|path| Database {
            path,
            stamp: None,
            reader: None,
        });
        let mut databases = Self {
            files: files.collect(),
            files_read: 0,
        };
        let errors = databases.refresh();
        (databases, errors)
    }

    /// Reads again the files that changed since they were read. Where that fails, the one from
    /// before stays in use; each failure is reported once.
    ///
    /// It asks the file system and reads whole files: not for a thread that must not wait.
    pub fn refresh(&mut self) -> Vec<DatabaseError> {
        let mut errors = Vec::new();
        for file in &mut self.files {
            match file.refresh() {
                Ok(was_read) => self.files_read += u64::from(was_read),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// How often a file was read so far: whether a [`refresh`](Self::refresh) changed something.
    #[must_use]
    pub fn files_read(&self) -> u64 {
        self.files_read
    }

    /// Whether there is no database that can be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.reader.is_none())
    }

    /// The databases that can be asked: path, kind as the file itself says, and when it was made.
    pub fn loaded(&self) -> impl Iterator<Item = (&Path, &str, Option<SystemTime>)> {
        self.files.iter().filter_map(|file| {
            let metadata = file.reader.as_ref()?.metadata();
            let made = metadata.build_time().ok();
            Some((&*file.path, &*metadata.database_type, made))
        })
    }

    /// Where an address is. Takes some microseconds, and no system call.
    #[must_use]
    pub fn place_of(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let mut place = Place::default();
        for reader in self.files.iter().filter_map(|file| file.reader.as_ref()) {
            // A record of another kind, or a damaged one, tells nothing.
            let found = reader.lookup(address).and_then(|found| found.decode());
            if let Ok(Some(record)) = found {
                place.fill(&record);
            }
        }
        place
    }
}

impl Database {
    /// Whether the file was read.
    fn refresh(&mut self) -> Result<bool, DatabaseError> {
        let unreadable = |source| DatabaseError::Unreadable {
            path: self.path.clone(),
            source,
        };
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            // Between two versions of it, or taken away: what is in memory stays.
            Err(_) if self.reader.is_some() => return Ok(false),
            Err(source) => return Err(unreadable(source)),
        };
        if !metadata.is_file() {
            let message = "a directory, a pipe or a device; name a file";
            return Err(unreadable(std::io::Error::other(message)));
        }
        let stamp = Some(Stamp::of(&metadata));
        if self.stamp == stamp {
            return Ok(false);
        }
        self.stamp = stamp;
        let bytes = metadata.len();
        if bytes > MAX_DATABASE {
            let path = self.path.clone();
            return Err(DatabaseError::TooLarge { path, bytes });
        }
        let content = read(&self.path).map_err(unreadable)?;
        let broken = |source| DatabaseError::Broken {
            path: self.path.clone(),
            source,
        };
        let reader = Reader::from_source(content).map_err(broken)?;
        self.reader = Some(Arc::new(reader));
        Ok(true)
    }
}

/// No more than is allowed, though the file grows meanwhile.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(MAX_DATABASE)
        .read_to_end(&mut content)?;
    Ok(content)
}

impl Place {
    /// Takes what is not known yet.
    fn fill(&mut self, record: &Record) {
        if self.country.is_none()
            && let Some(code) = record.country_code()
        {
            let code = code.map(char::from).iter().collect();
            let name = record.country_name().map(bounded);
            self.country = Some(Country { code, name });
        }
        if self.city.is_none() {
            self.city = record.city().map(bounded);
        }
        if self.asn.is_none() {
            self.asn = record.asn();
        }
        if self.network_name.is_none() {
            self.network_name = record.network_name().map(bounded);
        }
    }
}

/// A database is a file that somebody else made: its texts may be as long as they like.
fn bounded(text: &str) -> String {
    let ends = text.char_indices().map(|(at, char)| at + char.len_utf8());
    let end = ends.take_while(|&end| end <= MAX_TEXT).last();
    text[..end.unwrap_or(0)].to_owned()
}

//! Packets from a device or a file, decoded to small plain [`Headers`].
//!
#![cfg_attr(feature = "pcap", doc = "```")]
#![cfg_attr(not(feature = "pcap"), doc = "```ignore")]
//! use flowner_capture::{Next, Source};
//! # fn capture_file() -> std::path::PathBuf {
//! #     let path = std::env::temp_dir().join("flowner-capture-doc.pcap");
//! #     let mut bytes = vec![
//! #         0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
//! #         0, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28, 0, 0, 0,
//! #     ];
//! #     bytes.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
//! #     bytes.extend([0x9c, 0x40, 0, 53, 0, 8, 0, 0]);
//! #     std::fs::write(&path, bytes).unwrap();
//! #     path
//! # }
//!
//! // A device works the same, with `Source::live`.
//! let mut source = Source::file(capture_file(), Some("udp"))?;
//! loop {
//!     let packet = match source.next()? {
//!         Next::Packet(packet) => packet,
//!         Next::Idle => continue, // a device is silent: time for other things
//!         Next::Stopped | Next::End => break,
//!     };
//!     match packet.headers() {
//!         Ok(headers) => println!("{} -> {}", headers.source, headers.destination),
//!         Err(error) => println!("{}: {error}", error.kind()),
//!     }
//! }
//! # Ok::<(), flowner_capture::Error>(())
//! ```
//!
//! # Decoding
//!
//! [`decode()`] takes any bytes and returns [`Headers`] or a typed [`DecodeError`], and never
//! panics. It is pure, and builds without libpcap when the default feature `pcap` is off. It
//! decodes a frame with a small snap length as far as possible; cut fields are absent, never wrong.
//!
//! # Files
//!
//! [`FileReader`] reads the packets of a pcap or pcapng file with their comments, and
//! [`pcapng::Writer`] writes such a file. Both are pure: they work on any stream of bytes, and
//! build without libpcap.
//!
//! # Capturing
//!
//! [`Source`] is one device, several or all of them, or one file, behind one interface. [`devices`]
//! lists the devices, and every [`Error`] says what helps. The thread that owns a source reads it;
//! the source has no thread or clock of its own. [`Source::next`] waits at most a quarter of a
//! second for a device. A [`Stopper`] ends the wait from another thread.
//!
//! # Features
//!
//! `pcap`, on by default: devices, and files with capture filters. It needs libpcap, or Npcap and
//! its SDK on Windows. Without it the crate has [`decode()`], [`FileReader`] and [`pcapng`].
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

/// The example in the README is a test.
#[cfg(all(doctest, feature = "pcap"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod decode;
mod dlt;
mod file;
mod file_packet;
mod headers;
mod link_type;
mod packet_origin;
pub mod pcapng;
mod shell;

#[cfg(all(feature = "fuzzing", target_os = "linux"))]
pub mod fuzzing;

#[cfg(feature = "pcap")]
mod address_changes;
#[cfg(feature = "pcap")]
mod classify;
#[cfg(feature = "pcap")]
mod device;
#[cfg(feature = "pcap")]
mod error;
#[cfg(feature = "pcap")]
mod filter;
#[cfg(feature = "pcap")]
mod links;
#[cfg(feature = "pcap")]
mod live;
#[cfg(feature = "pcap")]
mod live_options;
#[cfg(feature = "pcap")]
mod message;
#[cfg(all(feature = "pcap", target_os = "linux"))]
mod netlink;
#[cfg(feature = "pcap")]
mod offline;
#[cfg(feature = "pcap")]
mod origin;
#[cfg(feature = "pcap")]
mod packet_senders;
#[cfg(feature = "pcap")]
mod raw_packet;
#[cfg(feature = "pcap")]
mod several;
#[cfg(feature = "pcap")]
mod source;
#[cfg(feature = "pcap")]
mod statistics;
#[cfg(feature = "pcap")]
mod stopper;
#[cfg(feature = "pcap")]
mod system;
mod up;
#[cfg(feature = "pcap")]
mod version;
#[cfg(feature = "pcap")]
mod wait;

pub use decode::{DecodeError, decode};
pub use file::{FileReader, Oddities, ReadError};
pub use file_packet::FilePacket;
pub use headers::{Fragment, Headers, Icmp, Ports, Quoted, Tcp, TcpFlags};
pub use link_type::{LinkType, OtherLinkType, ParseLinkTypeError};
pub use packet_origin::PacketOrigin;
pub use shell::shell_word;
pub use up::is_up;

#[cfg(feature = "pcap")]
pub use address_changes::{AddressChanges, OwnAddress};
#[cfg(feature = "pcap")]
pub use device::{Address, Device, LinkStatus, all_begin_alike, default_device, devices};
#[cfg(feature = "pcap")]
pub use error::Error;
#[cfg(feature = "pcap")]
pub use links::{Link, Links, LinksStopper};
#[cfg(feature = "pcap")]
pub use live_options::LiveOptions;
#[cfg(feature = "pcap")]
pub use offline::OpenFile;
#[cfg(feature = "pcap")]
pub use packet_senders::{FrameSenders, PacketSenders};
#[cfg(feature = "pcap")]
pub use raw_packet::{Next, Progress, RawPacket};
#[cfg(feature = "pcap")]
pub use source::Source;
#[cfg(feature = "pcap")]
pub use statistics::Statistics;
#[cfg(feature = "pcap")]
pub use stopper::Stopper;
#[cfg(feature = "pcap")]
pub use version::library_version;

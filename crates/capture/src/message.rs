//! The messages of libpcap.

/// The message of libpcap, without the name of a library before it.
pub(crate) fn message(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.trim().to_owned(),
        other => other.to_string(),
    }
}

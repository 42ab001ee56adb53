//! What names, and the bytes that are copied for them, cost the thread that captures.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{compare, send};

/// `None`: nothing is measured where the times of threads are not known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn compare(_rounds: u64) -> Option<()> {
    None
}

/// `None`: nothing is measured where the times of threads are not known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send() -> Option<()> {
    None
}

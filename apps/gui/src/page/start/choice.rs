//! What was chosen to be watched, and why it cannot be.

/// What is to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Chosen {
    /// All devices.
    #[default]
    All,
    /// The device of this name.
    Device(String),
}

impl Chosen {
    /// Whether it is the device of this name.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self, Self::Device(chosen) if chosen == name)
    }
}

/// Why something cannot be watched.
#[derive(Debug)]
pub struct Failure {
    pub(super) message: String,
    /// Whether it is the capture filter that is wrong.
    pub(super) is_filter: bool,
}

impl Failure {
    /// What an error says here. The command that gives the permission is shown below.
    pub fn of(error: &flowner_core::Error) -> Self {
        use flowner_core::Error::Capture;
        use flowner_core::capture::Error::{Filter, Permission};
        let message = match error {
            Capture(Permission { device, .. }) => {
                format!("No permission to capture on {device}.")
            }
            other => flowner_core::present::capitalized(&other.to_string()),
        };
        Self {
            message,
            is_filter: matches!(error, Capture(Filter { .. })),
        }
    }
}

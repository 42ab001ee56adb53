//! The recent traffic of a device, and the text beside its name.

use flowner_core::capture::Device;

/// Looks at a device that a sparkline shows.
pub(super) const SPARKS: usize = 40;

#[derive(Debug, Default)]
pub(super) struct Activity {
    pub(super) last: Option<u64>,
    pub(super) carried: Vec<u64>,
}

impl Activity {
    pub(super) fn add(&mut self, carried: Option<u64>) {
        let Some(carried) = carried else {
            return;
        };
        if let Some(last) = self.last.replace(carried) {
            self.carried.push(carried.saturating_sub(last));
            if self.carried.len() > SPARKS {
                self.carried.remove(0);
            }
        }
    }
}

pub(super) fn describe(device: &Device) -> String {
    let addresses = device
        .addresses
        .iter()
        .map(|address| address.ip.to_string());
    let mut words: Vec<String> = device.description.iter().cloned().collect();
    words.extend(addresses.take(3));
    if words.is_empty() {
        words.push(
            if device.is_up() {
                "no addresses"
            } else {
                "switched off"
            }
            .to_owned(),
        );
    }
    words.join("   ")
}

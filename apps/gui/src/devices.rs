//! The devices of this host, read once a second while the user chooses one.

use std::time::Duration;

use flowner_core::capture::{self, Device};
use iced::Subscription;
use iced::futures::channel::mpsc;

/// A device, and how many bytes it has carried, where the system tells.
#[derive(Debug, Clone)]
pub struct Look {
    pub device: Device,
    pub carried: Option<u64>,
    /// Whether it is the one that most people mean.
    pub is_likely: bool,
}

/// All devices, or why they cannot be listed.
pub type Looks = Result<Vec<Look>, String>;

/// A look at all devices once a second.
pub fn watch() -> Subscription<Looks> {
    Subscription::run(looks)
}

fn looks() -> mpsc::Receiver<Looks> {
    let (mut sender, receiver) = mpsc::channel(1);
    let spawned = std::thread::Builder::new()
        .name("flowner-devices".to_owned())
        .spawn(move || {
            while !sender.is_closed() {
                // A window that has not taken the last look yet does without this one.
                if let Err(error) = sender.try_send(look())
                    && error.is_disconnected()
                {
                    return;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "devices are not looked at");
    }
    receiver
}

fn look() -> Looks {
    let devices = capture::devices().map_err(|error| error.to_string())?;
    let likely = capture::default_device(&devices).map(|device| device.name.clone());
    // The picker has a row of its own for all devices.
    let real = devices.into_iter().filter(|device| !device.is_pseudo());
    let looks = real.map(|device| Look {
        carried: device.carried(),
        is_likely: likely.as_ref() == Some(&device.name),
        device,
    });
    Ok(looks.collect())
}

//! Writes what the kernel of this host answers through netlink to a folder, a file for
//! each message that is received: seeds for the target `netlink`. Linux only.

use std::io;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = folder.ok_or_else(|| io::Error::other("answers FOLDER"))?;
    for (number, answer) in platform::answers()?.iter().enumerate() {
        std::fs::write(
            std::path::Path::new(&folder).join(format!("answer-{number}")),
            answer,
        )?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod platform {
    pub use flowner_attribution::snapshot::linux::fuzzing::answers;
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub fn answers() -> std::io::Result<Vec<Vec<u8>>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

//! Where there is the portable table only, or none.

use super::{Extent, Sight, Subject};
use crate::resolver::Attributor;

pub(super) fn sights() -> Vec<Sight> {
    let (extent, detail) = match Attributor::new().and_then(|mut table| table.snapshot()) {
        Ok(snapshot) => {
            let count = snapshot.sockets().len();
            let detail = format!(
                "{count} are listed with their processes; those of other users may stay \
                 hidden from who is not administrator"
            );
            (Extent::Limited, detail)
        }
        Err(error) => (Extent::Nothing, error.to_string()),
    };
    vec![Sight {
        subject: Subject::Sockets,
        extent,
        detail,
        remedy: None,
    }]
}

pub(super) fn system() -> String {
    std::env::consts::OS.to_owned()
}

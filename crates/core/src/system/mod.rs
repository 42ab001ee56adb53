//! What this program may do on the host: the privileges that it gives up, files that only its
//! user may read, whether a file was removed, and a check of what works.

pub mod doctor;
pub mod private_file;
pub mod privileges;
pub(crate) mod removed;

//! Privileges of the process, files that only its user may read, whether a file was removed, and a
//! check of what works here.

pub mod doctor;
pub mod private_file;
pub mod privileges;
pub(crate) mod removed;

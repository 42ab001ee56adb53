//! Serialises paths and arguments as text with the feature `serde`. It replaces bytes that are not
//! UTF-8, because it could not serialise the value otherwise.
#![allow(clippy::ref_option, reason = "serde gives a reference to the field")]

/// The path of an executable.
pub(super) mod path {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::answer) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref()
            .map(|path| path.to_string_lossy())
            .serialize(to)
    }

    pub(in crate::answer) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Option::deserialize(from)
    }
}

/// The arguments of a process.
pub(super) mod arguments {
    use std::ffi::OsString;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::answer) fn serialize<S: Serializer>(
        arguments: &Option<Vec<OsString>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let text = |arguments: &Vec<OsString>| -> Vec<_> {
            let arguments = arguments.iter();
            arguments
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect()
        };
        arguments.as_ref().map(text).serialize(to)
    }

    pub(in crate::answer) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<OsString>>, D::Error> {
        let text: Option<Vec<String>> = Option::deserialize(from)?;
        Ok(text.map(|all| all.into_iter().map(OsString::from).collect()))
    }
}

//! Suggests the likely meaning of an unknown name.

/// The number of compared characters: no name is this long.
const MAX_CHARACTERS: usize = 32;

/// The name in `known` that `text`, in the same case, most likely means: at most two insertions,
/// deletions, substitutions or swaps of neighbours away, and nearer than an unrelated word.
///
/// ```
/// use flowner_core::nearest;
///
/// assert_eq!(nearest("wotch", ["watch", "who"]), Some("watch"));
/// assert_eq!(nearest("help", ["watch", "who"]), None);
/// ```
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text: String = text.chars().take(MAX_CHARACTERS).collect();
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&text, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance * 2 <= name.len())
        // An unfinished word is likelier than a typing error.
        .min_by_key(|(distance, name)| (*distance, !name.starts_with(&text)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_nearest(text: &str, expected: Option<&str>) {
        let known = ["program", "port", "proto", "pid", "dir", "bytes"];
        assert_eq!(nearest(text, known.into_iter()), expected, "{text}");
    }

    #[test]
    fn slips_are_recognised() {
        check_nearest("prt", Some("port"));
        check_nearest("prot", Some("proto"));
        check_nearest("prto", Some("proto"));
        check_nearest("progarm", Some("program"));
        check_nearest("byte", Some("bytes"));
        check_nearest("porto", Some("port"));
        check_nearest("https", None);
        check_nearest("", None);
        check_nearest(&"x".repeat(10_000), None);
    }
}

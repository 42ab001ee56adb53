//! Commands for a shell.

/// Quotes a word so that a POSIX shell reads it unchanged.
///
/// ```
/// assert_eq!(flowner_capture::shell_word("/usr/bin/flowner"), "/usr/bin/flowner");
/// assert_eq!(flowner_capture::shell_word("/opt/My App/it's"), r"'/opt/My App/it'\''s'");
/// ```
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

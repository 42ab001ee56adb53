//! Rust source → words, strings and signs, without comments. It knows no grammar: enough to
//! find paths and modules.

/// A part of a source that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword; `r#name` without its mark.
    Word(String),
    /// What is between the quotes of a string, escapes as they stand.
    Text(String),
    /// `::`.
    Colons,
    /// Any other sign, also a digit of a number: those lead to no path.
    Sign(char),
}

impl Token {
    pub(super) fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The tokens of a source.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = after_block(rest);
        } else if let Some((text, after)) = string(rest) {
            found.push(Token::Text(text.to_owned()));
            rest = after;
        } else if first == '\'' {
            rest = after_quote(rest);
        } else if let Some(after) = rest.strip_prefix("::") {
            found.push(Token::Colons);
            rest = after;
        } else if is_name(first) && !first.is_ascii_digit() {
            rest = rest.strip_prefix("r#").unwrap_or(rest);
            let end = rest.find(|other| !is_name(other)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if first.is_ascii_digit() {
            found.push(Token::Sign('0'));
            let end = rest.find(|other| !is_name(other)).unwrap_or(rest.len());
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                found.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// What follows a block comment, which may have others in it.
fn after_block(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("/*") {
            depth += 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = after;
        } else {
            let mut characters = rest.chars();
            characters.next();
            rest = characters.as_str();
        }
        if depth == 0 {
            break;
        }
    }
    rest
}

/// A string of any kind at the beginning of a text, and what follows.
fn string(text: &str) -> Option<(&str, &str)> {
    let unmarked = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = unmarked.strip_prefix('r') {
        let content = raw.trim_start_matches('#');
        let marks = raw.len() - content.len();
        if let Some(content) = content.strip_prefix('"') {
            let end = format!("\"{}", "#".repeat(marks));
            let (content, after) = content.split_once(&end)?;
            return Some((content, after));
        }
    }
    let content = unmarked.strip_prefix('"')?;
    let mut is_escaped = false;
    for (place, character) in content.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some((&content[..place], &content[place + 1..])),
            _ => {}
        }
    }
    Some((content, ""))
}

/// What follows a character or the mark of a lifetime.
fn after_quote(text: &str) -> &str {
    let rest = &text[1..];
    let mut characters = rest.chars();
    match characters.next() {
        Some('\\') => {
            // The escaped character may be a quote.
            characters.next();
            let rest = characters.as_str();
            rest.find('\'').map_or("", |end| &rest[end + 1..])
        }
        Some(_) if characters.as_str().starts_with('\'') => &characters.as_str()[1..],
        // A lifetime: its name follows as a word, which leads nowhere.
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = tokens(text).into_iter();
        words
            .filter_map(|token| token.word().map(str::to_owned))
            .collect()
    }

    #[test]
    fn comments_and_strings_hold_no_words() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(words("a \"b \\\" c\" d"), ["a", "d"]);
        assert_eq!(words("a r#\"b \" c\"# d b\"e\" f"), ["a", "d", "f"]);
        assert_eq!(
            words("r#type '\"' a '\\'' b '\\u{41}' c"),
            ["type", "a", "b", "c"]
        );
    }

    #[test]
    fn lifetimes_and_numbers_are_distinct_tokens() {
        assert_eq!(words("&'a str, 1_u8"), ["a", "str"]);
        let text = tokens("#[path = \"x/mod.rs\"]");
        assert!(text.contains(&Token::Text("x/mod.rs".to_owned())));
        assert_eq!(
            tokens("a::b"),
            [
                Token::Word("a".to_owned()),
                Token::Colons,
                Token::Word("b".to_owned())
            ]
        );
    }
}

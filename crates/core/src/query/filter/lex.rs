//! Splits text into tokens.

use std::ops::Range;

use super::error::Problem;

/// A token and its place in the expression, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    Word(Word),
}

/// A term as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Without the quotes.
    pub(super) text: String,
    /// Where an operator divides it.
    pub(super) split: Option<Split>,
}

/// `key:value` or `key>value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) key: String,
    pub(super) operator: Operator,
    pub(super) value: String,
    /// The place of the key in the expression.
    pub(super) key_span: Range<usize>,
    /// The place of the value in the expression.
    pub(super) value_span: Range<usize>,
}

/// What stands between a key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Is,
    Compare(Relation),
}

/// How an amount is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Relation {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// Longer ones first, as some begin like others.
const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::Compare(Relation::LessOrEqual)),
    (">=", Operator::Compare(Relation::GreaterOrEqual)),
    ("!=", Operator::Compare(Relation::NotEqual)),
    ("<", Operator::Compare(Relation::Less)),
    (">", Operator::Compare(Relation::Greater)),
    ("=", Operator::Compare(Relation::Equal)),
    (":", Operator::Is),
];

/// The tokens of an expression.
pub(super) fn lex(expression: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut place = 0;
    while let Some(next) = expression[place..].chars().next() {
        let start = place;
        let (kind, end) = match next {
            blank if blank.is_whitespace() => {
                place += blank.len_utf8();
                continue;
            }
            '(' => (Kind::Open, start + 1),
            ')' => (Kind::Close, start + 1),
            '!' => (Kind::Not, start + 1),
            '|' => (Kind::Or, end_of_run(expression, start, '|')),
            '&' => (Kind::And, end_of_run(expression, start, '&')),
            _ => word(expression, start)?,
        };
        let span = start..end;
        tokens.push(Token { kind, span });
        place = end;
    }
    Ok(tokens)
}

/// `text` as a word or part of one, with quotes if it would be read otherwise.
pub(super) fn quote(text: &str) -> String {
    let is_special = |c: char| c.is_whitespace() || "()|&!\":<>=".contains(c);
    if text.is_empty() || text.contains(is_special) || keyword(text).is_some() {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// One `|` means the same as two.
fn end_of_run(expression: &str, start: usize, c: char) -> usize {
    let rest = expression[start..].trim_start_matches(c);
    (expression.len() - rest.len()).min(start + 2)
}

fn keyword(word: &str) -> Option<Kind> {
    let keywords = [("and", Kind::And), ("or", Kind::Or), ("not", Kind::Not)];
    let mut keywords = keywords.into_iter();
    keywords
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, kind)| kind)
}

/// The word or keyword at `start`, and its end.
fn word(expression: &str, start: usize) -> Result<(Kind, usize), Problem> {
    let mut text = String::new();
    let mut operator = None;
    let mut place = start;
    while let Some(next) = expression[place..].chars().next() {
        let rest = &expression[place..];
        if next == '"' {
            place = quoted(expression, place, &mut text)?;
        } else if next.is_whitespace() || "()|&".contains(next) {
            break;
        } else if operator.is_none()
            && let Some(found) = OPERATORS.iter().find(|found| rest.starts_with(found.0))
        {
            operator = Some((found, text.len(), place));
            text.push_str(found.0);
            place += found.0.len();
        } else {
            text.push(next);
            place += next.len_utf8();
        }
    }
    let split = operator.map(|((symbol, operator), at, at_source)| Split {
        key: text[..at].to_owned(),
        operator: *operator,
        value: text[at + symbol.len()..].to_owned(),
        key_span: start..at_source,
        value_span: at_source + symbol.len()..place,
    });
    let kind = keyword(&expression[start..place]).unwrap_or(Kind::Word(Word { text, split }));
    Ok((kind, place))
}

/// Adds the quoted text that begins at `start`; its end.
fn quoted(expression: &str, start: usize, text: &mut String) -> Result<usize, Problem> {
    let mut place = start + 1;
    while let Some(length) = expression[place..].find('"') {
        text.push_str(&expression[place..place + length]);
        place += length + 1;
        if !expression[place..].starts_with('"') {
            return Ok(place);
        }
        text.push('"');
        place += 1;
    }
    let span = start..expression.len();
    Err(Problem::new(span, "this quote is never closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in short: words as they are, in brackets where they are divided.
    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let tokens = lex(expression).unwrap();
        let shown: Vec<_> = tokens.into_iter().map(|token| show(token.kind)).collect();
        assert_eq!(shown.join(" "), expected);
    }

    fn show(kind: Kind) -> String {
        match kind {
            Kind::Open => "(".to_owned(),
            Kind::Close => ")".to_owned(),
            Kind::And => "AND".to_owned(),
            Kind::Or => "OR".to_owned(),
            Kind::Not => "NOT".to_owned(),
            Kind::Word(Word { split: None, text }) => text,
            Kind::Word(Word { split: Some(s), .. }) => {
                let operator = match s.operator {
                    Operator::Is => ":",
                    Operator::Compare(relation) => relation.symbol(),
                };
                format!("[{} {operator} {}]", s.key, s.value)
            }
        }
    }

    #[test]
    fn tokens() {
        check("", "");
        check(" a  b\tc\n", "a b c");
        check("(a|b)||!c", "( a OR b ) OR NOT c");
        check("a and b OR not c && d", "a AND b OR NOT c AND d");
        check("|||", "OR OR");
        check("or\"\" \"or\" orb", "or or orb");
        check("port:443", "[port : 443]");
        check("remote:[::1]:443", "[remote : [::1]:443]");
        check(
            "bytes>=1M bytes>1 bytes!=2",
            "[bytes >= 1M] [bytes > 1] [bytes != 2]",
        );
        check("program:\"a b\"c", "[program : a bc]");
        check("\"a:b\" \"say \"\"x\"\"\"", "a:b say \"x\"");
        check("a!b", "a!b");
        check("ä:ö", "[ä : ö]");
    }

    #[test]
    fn places_are_those_of_the_expression() {
        let tokens = lex("x \"ä\"k:\"v\"").unwrap();
        assert_eq!(tokens[1].span, 2..11);
        let Kind::Word(Word { split: Some(s), .. }) = &tokens[1].kind else {
            panic!("{tokens:?}");
        };
        assert_eq!((s.key_span.clone(), s.value_span.clone()), (2..7, 8..11));
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(lex("a \"b c").unwrap_err().span, 2..6);
        assert_eq!(lex("\"\"\"").unwrap_err().span, 0..3);
    }
}

//! Tokens to an expression.
//!
//! ```text
//! any  = all { "or" all }
//! all  = not { [ "and" ] not }
//! not  = { "not" } ( "(" any ")" | word )
//! ```

use std::iter::Peekable;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::vec::IntoIter;

use super::error::Problem;
use super::expression::Expression;
use super::keys::{self, Takes};
use super::lex::{Kind, Operator, Split, Token, Word, lex};
use super::term::Term;
use super::value::{Text, amount};

/// Groups within groups. A person who writes more by hand has lost count, and the
/// parser's own stack is bounded.
const MAX_DEPTH: usize = 64;

/// The expression, or `None` where nothing is written.
pub(super) fn parse(expression: &str) -> Result<Option<Expression>, Problem> {
    let mut parser = Parser {
        source: expression,
        tokens: lex(expression)?.into_iter().peekable(),
        depth: 0,
    };
    if parser.tokens.peek().is_none() {
        return Ok(None);
    }
    let parsed = parser.any()?;
    match parser.tokens.next() {
        None => Ok(Some(parsed)),
        // Only this token ends `any` early.
        Some(close) => Err(Problem::new(close.span, "this `)` closes no `(`")),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all(None)?];
        while let Some(or) = self.take(&Kind::Or) {
            parts.push(self.all(Some(or))?);
        }
        Ok(Expression::any(parts))
    }

    /// What follows the token at `after`, or begins a group.
    fn all(&mut self, after: Option<Range<usize>>) -> Result<Expression, Problem> {
        let mut parts = vec![self.not(after)?];
        loop {
            let and = self.take(&Kind::And);
            let is_over = match self.tokens.peek() {
                None => true,
                Some(next) => matches!(next.kind, Kind::Or | Kind::Close),
            };
            if and.is_none() && is_over {
                return Ok(Expression::all(parts));
            }
            parts.push(self.not(and)?);
        }
    }

    fn not(&mut self, mut after: Option<Range<usize>>) -> Result<Expression, Problem> {
        let mut is_negated = false;
        while let Some(not) = self.take(&Kind::Not) {
            is_negated = !is_negated;
            after = Some(not);
        }
        let inner = self.operand(after)?;
        Ok(if is_negated {
            Expression::not(inner)
        } else {
            inner
        })
    }

    fn operand(&mut self, after: Option<Range<usize>>) -> Result<Expression, Problem> {
        let Some(token) = self.tokens.next() else {
            let end = self.source.len();
            return Err(self.missing(after, end..end));
        };
        match token.kind {
            Kind::Word(word) => Ok(Expression::Term(term(word, token.span)?)),
            Kind::Open => self.group(token.span),
            _ => Err(self.missing(after, token.span)),
        }
    }

    fn group(&mut self, open: Range<usize>) -> Result<Expression, Problem> {
        if self.depth == MAX_DEPTH {
            let message = format!("groups are nested deeper than {MAX_DEPTH} here");
            return Err(Problem::new(open, message));
        }
        if let Some(close) = self.take(&Kind::Close) {
            return Err(Problem::new(open.start..close.end, "this group is empty"));
        }
        let unclosed = Problem::new(open, "this `(` is never closed: `)` is missing");
        if self.tokens.peek().is_none() {
            return Err(unclosed);
        }
        self.depth += 1;
        let inner = self.any()?;
        self.depth -= 1;
        self.take(&Kind::Close).map(|_| inner).ok_or(unclosed)
    }

    /// A term is missing where `found` is, behind the token at `after`.
    fn missing(&self, after: Option<Range<usize>>, found: Range<usize>) -> Problem {
        let text = |span: &Range<usize>| self.source[span.clone()].to_owned();
        match after {
            Some(after) => {
                let message = format!("`{}` needs a term behind it", text(&after));
                Problem::new(after, message)
            }
            None if found.is_empty() => Problem::new(found, "a term is missing here"),
            None => {
                let message = format!("a term is missing before this `{}`", text(&found));
                Problem::new(found, message)
            }
        }
    }

    fn take(&mut self, kind: &Kind) -> Option<Range<usize>> {
        self.tokens
            .next_if(|token| token.kind == *kind)
            .map(|token| token.span)
    }
}

/// The term that is written as `word` at `span`.
fn term(word: Word, span: Range<usize>) -> Result<Term, Problem> {
    let Word { text, split } = word;
    // No text contains that of a network, so the term is a network.
    if text.contains('/')
        && let Ok(network) = text.parse()
    {
        return Ok(Term::Host(network));
    }
    match split {
        Some(split) if is_key(&split.key) && !is_address(&text) => keyed(&split),
        _ if text.is_empty() => Err(Problem::new(span, "there is no text to search for")),
        _ => Ok(Term::Anywhere(Text::new(&text))),
    }
}

fn keyed(split: &Split) -> Result<Term, Problem> {
    let key =
        keys::find(&split.key).map_err(|message| Problem::new(split.key_span.clone(), message))?;
    let (name, example) = (key.name, key.example());
    let whole = split.key_span.start..split.value_span.end;
    if split.value.is_empty() {
        let message = format!("{name} needs a value, as in {example}");
        return Err(Problem::new(whole, message));
    }
    let value = &*split.value;
    let term = match (key.takes, split.operator) {
        (Takes::Value(term_of), Operator::Is) => term_of(value),
        (Takes::Amount(measure), Operator::Compare(relation)) => {
            amount(value).map(|amount| Term::Amount(measure, relation, amount))
        }
        (Takes::Amount(_), Operator::Is) | (Takes::Value(_), Operator::Compare(_)) => {
            let place = split.key_span.end..split.value_span.start;
            let message = format!("{name} is written as in {example}");
            return Err(Problem::new(place, message));
        }
    };
    term.map_err(|message| Problem::new(split.value_span.clone(), message))
}

/// Whether `text` looks like a key, known or not.
fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// Addresses such as `fe80::1` look as if they had a key.
fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

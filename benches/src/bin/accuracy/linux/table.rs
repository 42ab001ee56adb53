//! What came out, added up and printed.

use std::collections::BTreeMap;
use std::fmt::Write;

use flowner_attribution::Reason;

use super::cases::Need;
use super::truth::{Outcome, Worth};

/// What the answers to one side of a case were worth.
#[derive(Debug, Default)]
pub(crate) struct Score {
    counts: BTreeMap<Worth, usize>,
    pub(crate) wrong_words: Vec<String>,
}

impl Score {
    pub(crate) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut score = Self::default();
        for outcome in outcomes {
            *score.counts.entry(outcome.worth.clone()).or_default() += 1;
            if outcome.worth == Worth::Wrong {
                score.wrong_words.push(outcome.words.clone());
            }
        }
        // Messages of one flow have the same.
        score.wrong_words.dedup();
        score
    }

    fn count(&self, worth: &Worth) -> usize {
        self.counts.get(worth).copied().unwrap_or(0)
    }

    /// Whether nothing was judged.
    pub(crate) fn is_empty(&self) -> bool {
        self.total() == 0
    }

    fn total(&self) -> usize {
        self.counts.values().sum()
    }

    fn unknown(&self) -> String {
        let mut words = Vec::new();
        for (worth, count) in &self.counts {
            if let Worth::Unknown(reason) = worth {
                words.push(format!("{count} {reason}"));
            }
        }
        words.join(", ")
    }
}

/// One side of one case.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) need: Need,
    pub(crate) at_once: usize,
    pub(crate) is_server: bool,
    pub(crate) score: Score,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        let side = if self.is_server { "server" } else { "client" };
        let at_once = match self.at_once {
            1 => String::new(),
            several => format!(", {several} at once"),
        };
        format!("{}{at_once}: {side}", self.case)
    }

    /// How many answers were the best there can be, of all, in hundredths of a percent.
    fn right(&self) -> usize {
        let count = |worth| self.score.count(&worth);
        let right = match self.need {
            Need::Users => count(Worth::Partial),
            Need::Nobody => count(Worth::Unknown(Reason::OtherNamespace.name().to_owned())),
            Need::NoneNamed => self.score.total() - count(Worth::Wrong) - count(Worth::Missing),
            _ => count(Worth::Named) + count(Worth::Shared),
        };
        right * 10_000 / self.score.total().max(1)
    }

    /// Whether the case reached what it must.
    pub(crate) fn is_good(&self, is_lenient: bool) -> bool {
        let enough = match (self.need, self.at_once) {
            (Need::NoneWrong, _) => 0,
            (Need::NoneNamed, _) => 10_000,
            (Need::AtOnce, _) if is_lenient => 0,
            _ if is_lenient => 5_000,
            (Need::Half, _) => 5_000,
            (Need::All | Need::Users | Need::Nobody, _) => 10_000,
            (Need::AtOnce, 1) => 9_950,
            (Need::AtOnce, _) => 9_700,
        };
        self.score.count(&Worth::Wrong) == 0 && self.right() >= enough
    }
}

/// As Markdown.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| case | n | named | shared | partial | unknown | missing | wrong | right |\n\
         |---|---:|---:|---:|---:|---|---:|---:|---:|\n",
    );
    for row in rows {
        let count = |worth| row.score.count(&worth);
        let right = row.right();
        let written = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {}.{:02} % |",
            row.name(),
            row.score.total(),
            count(Worth::Named),
            count(Worth::Shared),
            count(Worth::Partial),
            row.score.unknown(),
            count(Worth::Missing),
            count(Worth::Wrong),
            right / 100,
            right % 100,
        );
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    text
}

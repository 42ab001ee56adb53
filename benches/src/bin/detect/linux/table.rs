//! All verdicts, as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::situations::Situation;
use super::trial::Trial;

/// One situation with all its trials.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    trials: Vec<Trial>,
    /// Why it was not played.
    missing: Option<&'static str>,
}

impl Row {
    pub(crate) fn of(situation: &Situation, trials: Vec<Trial>) -> Self {
        Self {
            name: situation.name,
            trials,
            missing: None,
        }
    }

    pub(crate) fn not_run(situation: &Situation, why: &'static str) -> Self {
        Self {
            missing: Some(why),
            ..Self::of(situation, Vec::new())
        }
    }

    /// Whether every owner was named in every trial, and the bytes were right.
    pub(crate) fn is_good(&self) -> bool {
        let mut trials = self.trials.iter();
        trials.all(|trial| trial.is_detected() && trial.counts_right())
    }

    pub(crate) fn line(&self) -> String {
        if let Some(why) = self.missing {
            return format!("| {} | not run | not run | | | {why} |", self.name);
        }
        let count = |is: fn(&Trial) -> bool| {
            let good = self.trials.iter().filter(|trial| is(trial)).count();
            format!("{good} of {}", self.trials.len())
        };
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.name,
            count(Trial::is_detected),
            count(Trial::counts_right),
            range(self.trials.iter().filter_map(|trial| trial.sent)),
            range(self.trials.iter().filter_map(|trial| trial.received)),
            self.remarks(),
        )
    }

    /// The wrong names, and the reasons for unknown owners.
    fn remarks(&self) -> String {
        let mut remarks = BTreeSet::new();
        for trial in &self.trials {
            remarks.extend(trial.wrong.iter().map(|path| format!("WRONG: {path}")));
            if !trial.is_detected() || !trial.counts_right() {
                let named = format!("{} of {} named", trial.named, trial.processes);
                remarks.insert(named);
                let reasons = trial.unknown.keys();
                remarks.extend(reasons.map(|reason| format!("unknown: {reason}")));
            }
        }
        remarks.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// The least and the most of the program's bytes, in per cent of what is right.
fn range(bytes: impl Iterator<Item = (u64, u64)>) -> String {
    let percents = bytes.map(|(found, right)| found * 1_000 / right.max(1));
    let percents: BTreeSet<u64> = percents.collect();
    let text = |tenths: &u64| format!("{}.{}", tenths / 10, tenths % 10);
    match (percents.first(), percents.last()) {
        (Some(least), Some(most)) if least == most => format!("{} %", text(least)),
        (Some(least), Some(most)) => format!("{} to {} %", text(least), text(most)),
        _ => String::new(),
    }
}

pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| situation | named | bytes right | sent | received | |\n|---|---:|---:|---:|---:|---|\n",
    );
    for row in rows {
        let written = writeln!(text, "{}", row.line());
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    let played = rows.iter().filter(|row| row.missing.is_none()).count();
    let passed = |is: fn(&Trial) -> bool| {
        let all = |row: &&Row| row.missing.is_none() && row.trials.iter().all(is);
        rows.iter().filter(all).count()
    };
    let written = writeln!(
        text,
        "\nOf {played} situations: named in {}, bytes right in {}.",
        passed(Trial::is_detected),
        passed(Trial::counts_right),
    );
    debug_assert!(written.is_ok(), "a string takes everything");
    text
}

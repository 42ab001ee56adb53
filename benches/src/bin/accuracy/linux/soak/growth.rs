//! Whether what a process takes has grown.

use std::fmt;

use super::watched::Usage;

/// One sample a second, of which the first are of the warm-up.
#[derive(Debug, Default)]
pub(super) struct Growth {
    samples: Vec<Usage>,
}

/// What must not grow.
#[derive(Debug, Clone, Copy)]
struct Rule {
    name: &'static str,
    of: fn(&Usage) -> u64,
    /// So much more is none: a share, in hundredths, and a number.
    percent: u64,
    number: u64,
}

/// What the documents say in words: see [`RULE`].
const RULES: [Rule; 3] = [
    Rule {
        name: "memory, KiB",
        of: |usage| usage.resident_kib,
        percent: 5,
        number: 1_024,
    },
    Rule {
        name: "descriptors",
        of: |usage| usage.descriptors,
        percent: 0,
        number: 2,
    },
    Rule {
        name: "threads",
        of: |usage| usage.threads,
        percent: 0,
        number: 0,
    },
];

pub(super) const RULE: &str = "grown: after the warm-up, the median of the last third is above \
    the median of the middle third, by more than 5 % and 1 MiB (memory), 2 (descriptors), \
    0 (threads)";

/// A run with fewer seconds after the warm-up proves nothing.
const LEAST: usize = 60;

/// How one of them went.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    name: &'static str,
    first: u64,
    middle: u64,
    last: u64,
    most: u64,
    pub(super) has_grown: bool,
}

impl Growth {
    pub(super) fn add(&mut self, usage: Usage) {
        self.samples.push(usage);
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn last(&self) -> Usage {
        self.samples.last().copied().unwrap_or_default()
    }

    /// Judges what came after so many seconds; `None` if that is too little.
    pub(super) fn findings(&self, warm_up: usize) -> Option<Vec<Finding>> {
        let rest = self.samples.get(warm_up..)?;
        if rest.len() < LEAST {
            return None;
        }
        let third = rest.len() / 3;
        let finding = |rule: &Rule| {
            let values: Vec<u64> = rest.iter().map(rule.of).collect();
            let median = |part: &[u64]| {
                let mut part = part.to_vec();
                part.sort_unstable();
                part.get(part.len() / 2).copied().unwrap_or_default()
            };
            let middle = median(&values[third..2 * third]);
            let last = median(&values[2 * third..]);
            Finding {
                name: rule.name,
                first: median(&values[..third]),
                middle,
                last,
                most: values.iter().copied().max().unwrap_or_default(),
                has_grown: last > middle + middle * rule.percent / 100 + rule.number,
            }
        };
        Some(RULES.iter().map(finding).collect())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} |",
            self.name,
            self.first,
            self.middle,
            self.last,
            self.most,
            if self.has_grown { "GROWN" } else { "flat" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(seconds: u64, usage: impl Fn(u64) -> Usage) -> Option<Vec<bool>> {
        let mut growth = Growth::default();
        (0..seconds).for_each(|second| growth.add(usage(second)));
        let findings = growth.findings(120)?;
        Some(findings.iter().map(|finding| finding.has_grown).collect())
    }

    const FLAT: Usage = Usage {
        resident_kib: 40_000,
        descriptors: 30,
        threads: 7,
    };

    #[test]
    fn what_stays_is_flat() {
        let busy = |second: u64| Usage {
            // What comes and goes.
            descriptors: 30 + second % 7,
            resident_kib: 40_000 + second % 100,
            ..FLAT
        };
        assert_eq!(grown(600, busy), Some(vec![false; 3]));
        assert_eq!(grown(150, busy), None);
    }

    #[test]
    fn the_warm_up_may_grow() {
        let start = |second: u64| Usage {
            resident_kib: 40_000.min(1_000 * second),
            ..FLAT
        };
        assert_eq!(grown(600, start), Some(vec![false; 3]));
    }

    #[test]
    fn each_is_found() {
        let leak = |second: u64| Usage {
            resident_kib: 40_000 + 20 * second,
            ..FLAT
        };
        assert_eq!(grown(900, leak), Some(vec![true, false, false]));
        let leak = |second: u64| Usage {
            descriptors: 30 + second / 60,
            ..FLAT
        };
        assert_eq!(grown(900, leak), Some(vec![false, true, false]));
        let leak = |second: u64| Usage {
            threads: 7 + second / 300,
            ..FLAT
        };
        assert_eq!(grown(900, leak), Some(vec![false, false, true]));
    }
}

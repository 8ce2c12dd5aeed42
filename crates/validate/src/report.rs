//! What a validator found.

use core::fmt;

use exectrace_reader::Time;

use crate::rule::{Rule, Severity};

/// A place where a trace breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The time of the event that breaks it, or at which it shows.
    pub time: Time,
    /// The number of that event, from 0.
    pub event: u64,
    /// What the rule wants, in words.
    pub expected: String,
    /// What is there instead, in words.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            time,
            event,
            expected,
            found,
        } = self;
        write!(
            f,
            "event {event} at {time}: expected {expected}, found {found} [{rule}]"
        )
    }
}

/// What a validator found in a trace. `Display` prints a line for each violation that was kept and
/// a line for each rule that was broken more often.
#[derive(Clone, Debug, Default)]
pub struct Report {
    events: u64,
    violations: Vec<Violation>,
    counts: Vec<u64>,
    limit: usize,
}

impl Report {
    /// The number of events that were checked.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The first violations of each rule, in the trace's order. See [`Report::count`] for how many
    /// there were.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How often a rule was broken. Exact.
    #[must_use]
    pub fn count(&self, rule: Rule) -> u64 {
        self.counts.get(rule as usize).copied().unwrap_or(0)
    }

    /// How often rules of a severity were broken. Exact.
    #[must_use]
    pub fn count_of(&self, severity: Severity) -> u64 {
        Rule::ALL
            .iter()
            .filter(|rule| rule.severity() == severity)
            .map(|rule| self.count(*rule))
            .sum()
    }

    /// The worst severity of all violations; `None` if there are none.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        Rule::ALL
            .iter()
            .filter(|rule| self.count(**rule) != 0)
            .map(|rule| rule.severity())
            .max()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        for rule in Rule::ALL {
            let kept = self.violations.iter().filter(|kept| kept.rule == *rule);
            let more = self.count(*rule) - kept.count() as u64;
            if more != 0 {
                writeln!(f, "{more} more [{rule}]: {}", rule.text())?;
            }
        }
        Ok(())
    }
}

/// The report in the making, and where in the trace it is.
#[derive(Debug)]
pub(crate) struct Findings {
    report: Report,
    time: Time,
}

impl Findings {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            report: Report {
                events: 0,
                violations: Vec::new(),
                counts: vec![0; Rule::ALL.len()],
                limit,
            },
            time: Time(0),
        }
    }

    /// MUST be called for each event before anything is found in it.
    pub(crate) fn next_event(&mut self, time: Time) {
        self.report.events += 1;
        self.time = time;
    }

    /// Says that the event breaks a rule.
    #[cold]
    pub(crate) fn add(
        &mut self,
        rule: Rule,
        expected: fmt::Arguments<'_>,
        found: fmt::Arguments<'_>,
    ) {
        let report = &mut self.report;
        let Some(count) = report.counts.get_mut(rule as usize) else {
            return;
        };
        *count += 1;
        // At most this many of each rule, so that a harmless one does not hide a bad one.
        if *count <= report.limit as u64 {
            report.violations.push(Violation {
                rule,
                time: self.time,
                event: report.events.saturating_sub(1),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }

    /// The number of violations so far.
    pub(crate) fn total(&self) -> u64 {
        self.report.counts.iter().sum()
    }

    pub(crate) fn finish(self) -> Report {
        self.report
    }
}

/// `expected` is not the case: `found` is. Arguments are formatted only if they are kept.
macro_rules! violation {
    ($findings:expr, $rule:ident, $expected:literal $(, $earg:expr)* ; $found:literal $(, $farg:expr)* $(,)?) => {
        $findings.add(
            $crate::rule::Rule::$rule,
            format_args!($expected $(, $earg)*),
            format_args!($found $(, $farg)*),
        )
    };
}
pub(crate) use violation;

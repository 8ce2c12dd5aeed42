//! `exectrace validate`: whether traces keep to the rules.

use core::fmt::Write as _;
use std::io::{self, Write as _};

use clap::{Args, ValueHint};
use exectrace_reader::{Error, Options, Reader};
use exectrace_validate::{Report, Severity, Validator};

use super::salvage;
use crate::{
    args::{Global, source_parser},
    error::{Failure, Outcome, is_trouble_on_the_way},
    input::{self, Expected, OnDamage, Source},
    output,
    progress::Progress,
    terminal::{Paint, harmless},
    units,
};

/// Check whether traces are whole and keep to the rules
#[derive(Debug, Args)]
#[command(after_help = "\
Each trace gets a line that says `ok`, `invalid`, `damaged` or `unreadable`; what is wrong follows,
indented. Each violation names its rule in brackets.

Examples:
  exectrace validate trace.out
  exectrace validate traces/*.trace | grep -v ': ok'
  go test -trace=t.trace && exectrace validate --notices t.trace

The exit status is 1 if any trace is damaged or breaks a rule, and 2 if any file cannot be
read.")]
pub(crate) struct ValidateArgs {
    /// The traces: files, `-` or http:// addresses. May be compressed with gzip or zstd
    #[arg(value_name = "FILE", required = true, value_parser = source_parser(),
          value_hint = ValueHint::AnyPath)]
    sources: Vec<Source>,
    /// Read on after damage and check what is sound; such a trace is still damaged
    #[arg(long)]
    salvage: bool,
    /// Also list what is unusual but may be right
    #[arg(long)]
    notices: bool,
    /// How many violations of one rule to list for a trace
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

impl ValidateArgs {
    /// One trace, as if nothing else were said.
    pub(crate) fn of(source: Source) -> Self {
        Self {
            sources: vec![source],
            salvage: false,
            notices: false,
            limit: 10,
        }
    }
}

pub(crate) fn run(args: &ValidateArgs, global: &Global) -> Result<Outcome, Failure> {
    let paint = Paint::for_stdout(global.color);
    let mut outcome = Outcome::Fine;
    for source in &args.sources {
        match check(source, args, global) {
            Ok(verdict) => {
                output::print(&verdict.render(&source.to_string(), args, paint))?;
                if !verdict.is_fine() {
                    outcome = outcome.max(Outcome::Findings);
                }
            }
            // What is no trace is a result, too.
            Err(failure) if failure.is_about_the_trace() => {
                let label = paint.bad("unreadable");
                let reason = harmless(&failure.reason());
                output::print(&format!(
                    "{}: {label}\n  {reason}\n",
                    harmless(&source.to_string())
                ))?;
                outcome = outcome.max(Outcome::Findings);
            }
            // One that cannot be had does not keep us from the others.
            Err(failure) => {
                let _ = writeln!(io::stderr(), "exectrace: {failure}");
                outcome = Outcome::Trouble;
            }
        }
    }
    Ok(outcome)
}

/// What is known of a trace in the end.
struct Verdict {
    report: Report,
    /// What ended the reading before the trace did.
    error: Option<Error>,
    losses: Vec<String>,
}

fn check(source: &Source, args: &ValidateArgs, global: &Global) -> Result<Verdict, Failure> {
    let on_damage = if args.salvage {
        OnDamage::Tolerate
    } else {
        OnDamage::Fail
    };
    let input = input::open(source, Expected::Binary, on_damage, !global.quiet)?;
    let _progress = Progress::start(!global.quiet, "checking", input.stored, input.total);
    let failed = |error| Failure::trace(source, error);
    let options = Options::default().salvage(args.salvage);
    let mut reader = Reader::overlapped(input.bytes, options).map_err(failed)?;
    let mut validator = Validator::with_limit(reader.version(), args.limit);
    let error = loop {
        match reader.next_event() {
            Ok(Some(event)) => {
                validator.check(&event);
            }
            Ok(None) => break None,
            Err(error) if is_trouble_on_the_way(&error) => return Err(failed(error)),
            Err(error) => break Some(error),
        }
    };
    Ok(Verdict {
        report: validator.finish(),
        error,
        losses: salvage::losses(&reader, &input.cut),
    })
}

impl Verdict {
    fn is_damaged(&self) -> bool {
        self.error.is_some() || !self.losses.is_empty()
    }

    fn violations(&self) -> u64 {
        self.report.count_of(Severity::Go) + self.report.count_of(Severity::Strict)
    }

    fn is_fine(&self) -> bool {
        !self.is_damaged() && self.violations() == 0
    }

    fn render(&self, name: &str, args: &ValidateArgs, paint: Paint) -> String {
        // 1. The line.
        let events = units::counted(self.report.events(), "event", "events");
        let violations = units::counted(self.violations(), "violation", "violations");
        let notices = units::counted(self.report.count_of(Severity::Notice), "notice", "notices");
        let verdict = if self.is_damaged() {
            format!("{}, {events}, {violations}", paint.bad("damaged"))
        } else if self.violations() > 0 {
            format!("{}, {events}, {violations}", paint.bad("invalid"))
        } else {
            format!("{}, {events}", paint.good("ok"))
        };
        let name = harmless(name);
        let mut out = if args.notices {
            format!("{name}: {verdict}, {notices}\n")
        } else {
            format!("{name}: {verdict}\n")
        };

        // 2. What is wrong. Writing to a string cannot fail.
        let mut item = |text: &str| {
            let _ = writeln!(out, "  {}", harmless(text));
        };
        if let Some(error) = &self.error {
            item(&error.to_string());
        }
        self.losses.iter().for_each(|loss| item(loss));
        let listed = |severity| args.notices || severity > Severity::Notice;
        for violation in self.report.violations() {
            if listed(violation.rule.severity()) {
                item(&violation.to_string());
            }
        }
        for rule in exectrace_validate::Rule::ALL {
            let kept = self.report.violations().iter().filter(|v| v.rule == *rule);
            let more = self.report.count(*rule) - kept.count() as u64;
            if more > 0 && listed(rule.severity()) {
                item(&format!("{} more [{rule}]", units::count(more)));
            }
        }
        out
    }
}

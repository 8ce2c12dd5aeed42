//! What a reader should make of a trace, event by event, in a form that can be compared.

use core::fmt;
use std::collections::BTreeMap;

/// An event without its time: where it happened, and what.
///
/// The text is that of Go's tools with each stack on the same line, reduced to its functions:
///
/// ```text
/// M=0 P=1 G=2 StateTransition GoID=2 Running->Waiting Reason="sleep" Stack=[time.Sleep main.f]
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// What the fact is about.
    pub subject: Subject,
    /// The text.
    pub text: String,
}

/// What a fact is about. The facts of one subject have one order, whatever the clocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The process: garbage collection.
    Process,
    /// A goroutine: its transitions, and what the program's author wrote about it.
    Goroutine(u64),
    /// A proc: its transitions and sweeps.
    Proc(u64),
    /// A thread: metrics and experiments.
    Thread(u64),
    /// A thread's CPU samples, which are ordered by time alone.
    Samples(u64),
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Fact {
    /// Reads the output of `go tool trace -d=parsed`. Syncs are left out: they are no facts about
    /// the program.
    #[must_use]
    pub fn parse(parsed: &str) -> Vec<Self> {
        let mut facts: Vec<Self> = Vec::new();
        for line in parsed.lines() {
            if let Some(stack) = line.strip_suffix("Stack=") {
                if let Some(fact) = facts.last_mut() {
                    fact.text += &format!(" {stack}Stack=[]");
                }
            } else if let Some(frame) = line.strip_prefix('\t') {
                // The second line of a frame, its file, begins with two tabs.
                let Some((function, _)) = frame.split_once(" @ ") else {
                    continue;
                };
                if let Some(fact) = facts.last_mut() {
                    fact.text.pop();
                    let first = fact.text.ends_with('[');
                    fact.text += if first { "" } else { " " };
                    fact.text += function;
                    fact.text.push(']');
                }
            } else if let Some((before, after)) = line.split_once(" Time=") {
                let after = after.split_once(' ').map_or("", |(_, rest)| rest);
                let text = format!("{before} {after}");
                if !before.ends_with(" Sync") {
                    facts.push(Self::new(text.trim_end().to_owned()));
                }
            }
        }
        facts
    }

    pub(super) fn new(text: String) -> Self {
        Self {
            subject: subject(&text),
            text,
        }
    }
}

/// The number after a key such as ` GoID=`.
fn number(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

fn subject(text: &str) -> Subject {
    let kind = text.split(' ').nth(3).unwrap_or_default();
    let goroutine = number(text, " G=").map(Subject::Goroutine);
    let thread = number(text, "M=").unwrap_or(u64::MAX);
    let found = match kind {
        "StateTransition" => number(text, " GoID=")
            .map(Subject::Goroutine)
            .or(number(text, " ProcID=").map(Subject::Proc)),
        "RangeBegin" | "RangeActive" | "RangeEnd" => number(text, "Scope=Goroutine(")
            .map(Subject::Goroutine)
            .or(number(text, "Scope=Proc(").map(Subject::Proc))
            .or(Some(Subject::Process)),
        "Metric" | "Experimental" => None,
        "StackSample" => Some(Subject::Samples(thread)),
        _ => goroutine,
    };
    found.unwrap_or(Subject::Thread(thread))
}

/// The facts of each subject, in order: what a reader must find whatever the clocks say.
///
/// One thing does depend on the clocks: which proc a thread seems to hold when it states that its
/// goroutine is in a system call, for the proc may be stolen at that moment. It is blanked.
#[must_use]
pub fn histories(facts: &[Fact]) -> BTreeMap<Subject, Vec<Fact>> {
    let mut histories: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for fact in facts {
        let mut fact = fact.clone();
        let about_a_syscall =
            fact.text.contains("->Syscall Reason") && !fact.text.contains("Running->Syscall");
        if about_a_syscall || fact.text.contains(" RangeActive Name=\"GC mark assist\"") {
            fact.text = without_proc(&fact.text);
        }
        histories.entry(fact.subject).or_default().push(fact);
    }
    histories
}

fn without_proc(text: &str) -> String {
    match text.split_once(" P=") {
        Some((before, after)) => {
            let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{before} P=? {rest}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_the_parsed_form() {
        let parsed = "\
M=-1 P=-1 G=-1 Sync Time=64 N=1
M=1 P=0 G=2 StateTransition Time=576 GoID=3 NotExist->Runnable Reason=\"\"
TransitionStack=

Stack=
\tmain.g @ 0x401010
\t\tmain.go:10
\tmain.main @ 0x401020
\t\tmain.go:20

M=7 P=-1 G=-1 StackSample Time=600
M=1 P=0 G=2 RangeActive Time=577 Name=\"GC incremental sweep\" Scope=Proc(5)
";
        let facts = Fact::parse(parsed);
        let texts: Vec<_> = facts.iter().map(|fact| fact.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "M=1 P=0 G=2 StateTransition GoID=3 NotExist->Runnable Reason=\"\" \
                 TransitionStack=[] Stack=[main.g main.main]",
                "M=7 P=-1 G=-1 StackSample",
                "M=1 P=0 G=2 RangeActive Name=\"GC incremental sweep\" Scope=Proc(5)",
            ]
        );
        let subjects: Vec<_> = facts.iter().map(|fact| fact.subject).collect();
        assert_eq!(
            subjects,
            [Subject::Goroutine(3), Subject::Samples(7), Subject::Proc(5)]
        );
    }
}

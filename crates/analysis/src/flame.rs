//! Profiles as flame graphs: folded stacks, and the format of speedscope.

use std::collections::{BTreeMap, HashMap};

use crate::{
    ids::StackIx,
    pprof::reason_name,
    profile::{Profile, ProfileKind, ProfileSample},
    store::Store,
};

/// A stack with names, root first, and what it weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The names of the functions, the root first; then what labels say.
    pub frames: Vec<String>,
    /// Nanoseconds, or CPU samples.
    pub weight: u64,
}

/// The samples of a profile, by the names of their functions: stacks that differ in lines only are
/// one. Sorted by name.
#[must_use]
pub fn fold(store: &Store, profile: &Profile) -> Vec<Folded> {
    let mut weights: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    let mut names: HashMap<Option<StackIx>, Vec<String>> = HashMap::new();
    for sample in &profile.samples {
        let names = names
            .entry(sample.stack)
            .or_insert_with(|| names_of(store, sample.stack));
        let mut frames = names.clone();
        frames.extend(labels_of(store, sample));
        let weight = match profile.kind {
            ProfileKind::Cpu => sample.count,
            _ => sample.nanos,
        };
        let sum = weights.entry(frames).or_default();
        *sum = sum.saturating_add(weight);
    }
    weights
        .into_iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(frames, weight)| Folded { frames, weight })
        .collect()
}

fn names_of(store: &Store, stack: Option<StackIx>) -> Vec<String> {
    let Some(stack) = stack else {
        return vec!["(no stack)".to_owned()];
    };
    let symbols = store.symbols();
    let frames = symbols.stack(stack).iter().rev();
    frames
        .map(|frame| {
            let name = symbols.string(symbols.frame(*frame).function);
            match name.is_empty() {
                true => "(unknown)".to_owned(),
                false => name.to_string(),
            }
        })
        .collect()
}

/// Labels as frames above the leaf: the function first at the root would hide the stack's own root.
fn labels_of(store: &Store, sample: &ProfileSample) -> Vec<String> {
    let mut labels = Vec::new();
    if let Some(goroutine) = sample.goroutine {
        labels.push(format!("[goroutine {goroutine}]"));
    }
    if let Some(state) = sample.state {
        labels.push(format!("[{state}]"));
    }
    if let Some(reason) = sample.reason {
        labels.push(format!("[{}]", reason_name(store, reason)));
    }
    labels
}

/// Folded stacks as text: a line each, frames with semicolons between them, then the weight. It is
/// what `flamegraph.pl`, inferno, speedscope and others read.
#[must_use]
pub fn to_folded_text(folded: &[Folded]) -> String {
    let mut out = String::new();
    for stack in folded {
        let frames: Vec<String> = stack.frames.iter().map(|name| plain(name)).collect();
        out += &frames.join(";");
        out += &format!(" {}\n", stack.weight);
    }
    out
}

/// A name without what has a meaning in folded stacks.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            ';' => ':',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_text_has_one_line_a_stack_whatever_the_names() {
        let folded = [Folded {
            frames: vec!["main;x".to_owned(), "a\nb".to_owned()],
            weight: 7,
        }];
        assert_eq!(to_folded_text(&folded), "main:x;a\u{fffd}b 7\n");
    }
}

//! Flame graphs in the file format of speedscope
//! (`https://www.speedscope.app/file-format-schema.json`).

use std::collections::HashMap;

use exectrace_analysis::{Folded, ProfileKind};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    shared: Shared<'a>,
    profiles: [Sampled<'a>; 1],
    name: &'a str,
    exporter: String,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled<'a> {
    r#type: &'static str,
    name: &'a str,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    /// Frames by number, the root first.
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

pub(super) fn json(title: &str, kind: ProfileKind, folded: &[Folded]) -> String {
    let mut frames = Vec::new();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut number = |name| {
        *numbers.entry(name).or_insert_with(|| {
            frames.push(Frame { name });
            frames.len() - 1
        })
    };
    let samples: Vec<Vec<usize>> = folded
        .iter()
        .map(|stack| {
            stack
                .frames
                .iter()
                .map(|name| number(name.as_str()))
                .collect()
        })
        .collect();
    let weights: Vec<u64> = folded.iter().map(|stack| stack.weight).collect();
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        profiles: [Sampled {
            r#type: "sampled",
            name: title,
            unit: match kind {
                ProfileKind::Cpu => "none",
                _ => "nanoseconds",
            },
            start_value: 0,
            end_value: weights
                .iter()
                .fold(0, |sum, weight| sum.saturating_add(*weight)),
            samples,
            weights,
        }],
        shared: Shared { frames },
        name: title,
        exporter: format!("exectrace {}", env!("CARGO_PKG_VERSION")),
    };
    // Strings and numbers only: this cannot fail.
    let mut json = serde_json::to_string(&file).unwrap_or_default();
    json.push('\n');
    json
}

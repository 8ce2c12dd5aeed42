//! Flame graphs as pictures that need nothing else: no script, no font, no network.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use exectrace_analysis::{Folded, ProfileKind};

use crate::{analysis::nanos, terminal::harmless, units};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const HEAD: f64 = 34.0;
/// Narrower boxes are not drawn: nobody could see them, and there may be very many.
const NARROWEST: f64 = 0.3;
/// Of a monospaced font of 12 pixels.
const CHARACTER: f64 = 7.0;

/// A frame with what was called from it.
#[derive(Debug, Default)]
struct Node<'a> {
    weight: u64,
    /// By name, so that equal profiles give equal pictures.
    children: BTreeMap<&'a str, Node<'a>>,
}

impl Node<'_> {
    fn depth(&self) -> usize {
        let children = self.children.values();
        children.map(|child| 1 + child.depth()).max().unwrap_or(0)
    }
}

pub(super) fn render(title: &str, kind: ProfileKind, folded: &[Folded]) -> String {
    // 1. The tree.
    let mut root = Node::default();
    for stack in folded {
        root.weight = root.weight.saturating_add(stack.weight);
        let mut node = &mut root;
        for name in &stack.frames {
            node = node.children.entry(name).or_default();
            node.weight = node.weight.saturating_add(stack.weight);
        }
    }

    // 2. The picture, the roots at the top.
    let height = HEAD + ROW * (root.depth() + 1) as f64 + 8.0;
    let mut picture = Picture {
        out: String::new(),
        kind,
        all: root.weight,
    };
    let _ = write!(
        picture.out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         font-family=\"monospace\" font-size=\"12\">\n\
         <style>rect{{stroke:#fff;stroke-width:.5}}g:hover rect{{stroke:#000}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"21\" font-size=\"15\">{}: {}</text>\n",
        escaped(title),
        escaped(&picture.weight(root.weight)),
    );
    picture.node("all", &root, 0.0, 0);
    picture.out += "</svg>\n";
    picture.out
}

struct Picture {
    out: String,
    kind: ProfileKind,
    all: u64,
}

impl Picture {
    fn weight(&self, weight: u64) -> String {
        match self.kind {
            ProfileKind::Cpu => units::counted(weight, "sample", "samples"),
            _ => nanos(weight),
        }
    }

    /// Draws a frame from `x` on, and what was called from it below.
    fn node(&mut self, name: &str, node: &Node<'_>, x: f64, depth: usize) {
        let width = match self.all {
            0 => WIDTH,
            all => node.weight as f64 / all as f64 * WIDTH,
        };
        if width < NARROWEST {
            return;
        }
        let y = HEAD + depth as f64 * ROW;
        let share = units::percent(node.weight, self.all);
        let tip = format!("{name}: {}, {share}", self.weight(node.weight));
        let _ = write!(
            self.out,
            "<g><title>{}</title><rect x=\"{x:.2}\" y=\"{y:.0}\" width=\"{width:.2}\" \
             height=\"{:.0}\" fill=\"{}\"/>",
            escaped(&tip),
            ROW - 1.0,
            colour(name),
        );
        let room = ((width - 6.0) / CHARACTER) as usize;
        if room >= 3 {
            let _ = write!(
                self.out,
                "<text x=\"{:.2}\" y=\"{:.0}\">{}</text>",
                x + 3.0,
                y + 12.0,
                escaped(&shortened(name, room)),
            );
        }
        self.out += "</g>\n";
        let mut x = x;
        for (name, child) in &node.children {
            self.node(name, child, x, depth + 1);
            if self.all > 0 {
                x += child.weight as f64 / self.all as f64 * WIDTH;
            }
        }
    }
}

/// A name that fits, from its end: what tells functions apart stands there.
fn shortened(name: &str, room: usize) -> String {
    let length = name.chars().count();
    if length <= room {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - (room - 1)).collect();
    format!("…{end}")
}

/// One colour for each package: warm ones, labels grey.
fn colour(name: &str) -> String {
    if name.starts_with(['[', '(']) {
        return "hsl(0,0%,85%)".to_owned();
    }
    let after_path = name.rfind('/').map_or(0, |at| at + 1);
    let package = match name[after_path..].find('.') {
        Some(dot) => &name[..after_path + dot],
        None => name,
    };
    let hash = package.bytes().fold(5381u32, |hash, byte| {
        hash.wrapping_mul(33) ^ u32::from(byte)
    });
    format!(
        "hsl({},{}%,{}%)",
        hash % 60,
        70 + hash / 60 % 20,
        65 + hash / 1200 % 12
    )
}

fn escaped(text: &str) -> String {
    harmless(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_ends_and_cannot_break_the_picture() {
        assert_eq!(shortened("net/http.serve", 6), "…serve");
        assert_eq!(shortened("é", 1), "é");
        let folded = [Folded {
            frames: vec!["a<b>&\"c\"\u{1}".to_owned()],
            weight: 10,
        }];
        let svg = render("t", ProfileKind::Wall, &folded);
        assert!(
            svg.contains("a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}"),
            "{svg}"
        );
    }

    #[test]
    fn nothing_is_no_trouble() {
        let svg = render("t", ProfileKind::Cpu, &[]);
        assert!(svg.contains("0 samples") && !svg.contains("NaN"), "{svg}");
    }
}

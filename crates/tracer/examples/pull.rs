//! A tree is walked by a recursive function and read as an iterator: a coroutine, which the trace shows
//! as a goroutine of its own.
//!
//! `cargo run --example pull`, then `go tool trace pull.trace`.

use exectrace::{
    Session, SessionError,
    iter::{Pull, Yielder, pull},
    sink::Sink,
    thread,
};

fn main() -> Result<(), SessionError> {
    let session = Session::start(Sink::path("pull.trace"))?;
    thread::register_current("main");
    same_leaves();
    session.stop().map(drop)
}

enum Tree {
    Leaf(u32),
    Fork(Box<Tree>, Box<Tree>),
}

/// Balanced, or like a list.
fn tree(low: u32, high: u32, balanced: bool) -> Tree {
    if high - low == 1 {
        return Tree::Leaf(low);
    }
    let middle = if balanced { (low + high) / 2 } else { low + 1 };
    let [left, right] = [(low, middle), (middle, high)].map(|(a, b)| tree(a, b, balanced));
    Tree::Fork(Box::new(left), Box::new(right))
}

impl Tree {
    /// Gives all leaves, from left to right; whether more are wanted.
    fn walk(&self, yielder: &Yielder<'_, u32>) -> bool {
        match self {
            Self::Leaf(value) => yielder.give(*value),
            Self::Fork(left, right) => left.walk(yielder) && right.walk(yielder),
        }
    }

    fn leaves(self) -> Pull<u32> {
        pull(move |yielder| {
            self.walk(yielder);
        })
    }
}

/// What is traced: whether two trees of different shape have the same leaves.
pub(crate) fn same_leaves() -> bool {
    let [one, other] = [true, false].map(|balanced| tree(0, 50, balanced));
    one.leaves().eq(other.leaves())
}

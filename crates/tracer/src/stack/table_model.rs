//! Threads that put equal and different stacks, in every order of their steps. Run with
//! `RUSTFLAGS="--cfg loom" cargo test --release -p exectrace --lib model`.

use loom::{sync::Arc, thread};

use super::*;

/// Puts stacks on one thread each and checks: one id a stack, and all of them in the table.
fn model(stacks: &'static [&'static [usize]]) {
    // The models' nodes are not in blocks.
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(0)));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let table = Arc::new(Table::new(pool, 0));
        let threads: Vec<_> = stacks
            .iter()
            .map(|stack| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let captured = Captured::from_addresses(stack);
                    let id = table.put(&captured).unwrap();
                    assert_eq!(table.put(&captured), Some(id));
                    id
                })
            })
            .collect();
        let ids: Vec<StackId> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        let mut expected: Vec<(StackId, &[usize])> =
            ids.into_iter().zip(stacks.iter().copied()).collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(table.stacks(), expected);
    });
}

/// Under loom there are two buckets, by the top bit of the hash; these share one.
const A: &[usize] = &[0x1000, 0x2000];
const B: &[usize] = &[0x1000, 0x2001];

#[test]
fn model_of_equal_stacks() {
    model(&[A, A, A]);
}

#[test]
fn model_of_different_stacks() {
    model(&[A, B]);
}

#[test]
fn model_of_equal_and_different_stacks() {
    model(&[A, B, A]);
}

#[test]
fn the_stacks_share_a_bucket() {
    let bit = |stack| Captured::from_addresses(stack).hash() >> 63;
    assert_eq!(bit(A), bit(B));
}

//! The table on one thread and on many, and its memory read as after a crash.
#![allow(unsafe_code, reason = "tables are reset, and memory is looked at")]

use std::collections::{HashMap, HashSet};
use std::sync::Barrier;

use super::super::arena::{Arena, ROOM, tests::pool};
use super::super::node::scan;
use super::*;

fn stack(addresses: &[usize]) -> Captured {
    Captured::from_addresses(addresses)
}

/// Numbers that look random and are the same in each run.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ z >> 27
    }
}

#[test]
fn equal_stacks_have_one_id_and_ids_begin_at_one() {
    let table = Table::new(pool(), 1 << 20);
    assert_eq!(table.put(&stack(&[])), None);
    assert_eq!(table.put(&stack(&[5, 6])), Some(StackId(1)));
    assert_eq!(table.put(&stack(&[5])), Some(StackId(2)));
    assert_eq!(table.put(&stack(&[6, 5])), Some(StackId(3)));
    assert_eq!(table.put(&stack(&[5, 6])), Some(StackId(1)));
    let expected: [(StackId, &[usize]); 3] = [
        (StackId(1), &[5, 6]),
        (StackId(2), &[5]),
        (StackId(3), &[6, 5]),
    ];
    assert_eq!(table.stacks(), expected);
    let stats = table.stats();
    assert_eq!((stats.stacks, stats.frames, stats.of_one_frame), (3, 5, 1));

    // SAFETY: nobody else has the table, and nothing of it is in use.
    unsafe { table.reset(2) };
    assert_eq!(table.stacks(), []);
    assert_eq!(table.put(&stack(&[6, 5])), Some(StackId(1)));
}

#[test]
fn stacks_with_one_hash_are_told_apart() {
    // The check and so the bucket are the same; only the addresses differ.
    let table = Table::new(pool(), 1 << 20);
    let (mut one, mut other) = (stack(&[1, 2, 3]), stack(&[1, 2, 4]));
    one.set_hash(7);
    other.set_hash(7);
    assert_eq!(table.put(&one), Some(StackId(1)));
    assert_eq!(table.put(&other), Some(StackId(2)));
    assert_eq!(table.put(&one), Some(StackId(1)));
}

#[test]
fn a_full_table_counts_and_still_knows_what_it_has() {
    let table = Table::new(pool(), BLOCK_BYTES);
    let deep: Vec<usize> = (1..=128).collect();
    let mut known = vec![];
    for first in 1000.. {
        let mut addresses = deep.clone();
        addresses[0] = first;
        match table.put(&stack(&addresses)) {
            Some(id) => known.push((id, addresses)),
            None => break,
        }
    }
    assert_eq!(known.len(), ROOM / (24 + 128 * 8));
    assert_eq!(table.put(&stack(&[1])), None);
    assert_eq!(table.stats().overflowed, 2);
    for (id, addresses) in &known {
        assert_eq!(table.put(&stack(addresses)), Some(*id));
    }
    // SAFETY: nobody else has the table, and nothing of it is in use.
    unsafe { table.reset(1) };
    assert_eq!(table.stats().overflowed, 0);
    assert_eq!(table.put(&stack(&[1])), Some(StackId(1)));
    assert_eq!(Table::new(pool(), 0).put(&stack(&[1])), None);
}

/// Threads put the same stacks in different orders: each gets the same id everywhere, no two share
/// one, and none is missing.
#[test]
fn threads_agree_on_ids() {
    const THREADS: u64 = 4;
    const STACKS: u64 = 3_000;
    let table = Table::new(pool(), 16 << 20);
    for round in 1..=5u64 {
        let barrier = Barrier::new(THREADS as usize);
        let addresses = |n: u64| -> Vec<usize> {
            let mut next = numbers(n);
            (0..=n % 20).map(|_| next() as usize >> 16).collect()
        };
        let ids: Vec<HashMap<u64, StackId>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (table, barrier) = (&table, &barrier);
                    scope.spawn(move || {
                        let mut next = numbers(thread * round);
                        let mut ids = HashMap::new();
                        barrier.wait();
                        for i in 0..2 * STACKS {
                            // All begin with the same stacks at the same time; later each has its own
                            // order.
                            let n = if i < STACKS { i } else { next() % STACKS };
                            let id = table.put(&stack(&addresses(n))).unwrap();
                            assert_eq!(*ids.entry(n).or_insert(id), id);
                        }
                        ids
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|map| *map == ids[0]));
        let different: HashSet<StackId> = ids[0].values().copied().collect();
        assert_eq!(different.len() as u64, STACKS);
        let stacks: HashMap<StackId, &[usize]> = table.stacks().into_iter().collect();
        assert_eq!(stacks.len() as u64, STACKS);
        for (n, id) in &ids[0] {
            assert_eq!(stacks[id], addresses(*n));
        }
        drop(stacks);
        // SAFETY: the threads have ended, and nothing of the table is in use.
        unsafe { table.reset(round) };
    }
}

/// Memory as a dead process leaves it: nodes, a node that lost a race, one that was not finished, and old
/// nodes of another generation.
#[test]
fn a_dead_process_memory_gives_its_stacks() {
    let arena = Arena::new(pool(), 1);
    let put = |generation: u64, id: u64, addresses: &[usize]| {
        let check = check(generation, stack(addresses).hash());
        NodeRef::create(&arena, generation, id, check, addresses).unwrap()
    };
    let first = put(7, 1, &[0x1000, 0x2000]);
    put(6, 1, &[0x3000; 128]);
    put(7, 2, &[0x4000; 9]).abandon();
    arena.allocate(5 * 8, 7).unwrap();
    put(7, 300, &[0x5000]);

    let length = (3 + 2) + (3 + 128) + (3 + 9) + 5 + (3 + 1);
    // SAFETY: the arena's one block is in one piece, the nodes lie one after another, and nobody changes
    // them; what was not written is zero, as the allocator has it from the system.
    let memory = unsafe {
        std::ptr::write_bytes(first.as_ptr().cast::<usize>().add(5 + 131 + 12), 0, 5);
        std::slice::from_raw_parts(first.as_ptr().cast::<u8>(), length * 8).to_vec()
    };
    let found: Vec<_> = scan(&memory, 7).collect();
    let expected = vec![(1, vec![0x1000, 0x2000]), (300, vec![0x5000])];
    assert_eq!(found, expected);
    assert_eq!(
        scan(&memory, 6).collect::<Vec<_>>(),
        [(1, vec![0x3000; 128])]
    );
    assert_eq!(scan(&memory, 8).count(), 0);

    // Cut anywhere and with any word damaged, it gives what is whole, and nothing else.
    for cut in 0..memory.len() {
        assert!(scan(&memory[..cut], 7).all(|s| expected.contains(&s)));
    }
    for at in (0..memory.len()).step_by(8) {
        let mut damaged = memory.clone();
        damaged[at + 1] ^= 0x10;
        // The id and the link are not covered by the check.
        assert!(scan(&damaged, 7).all(|(_, pcs)| expected.iter().any(|(_, e)| *e == pcs)));
    }
}

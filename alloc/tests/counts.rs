//! What is counted, with the allocator installed.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests fail by panicking, and counts are exact"
)]

use std::hint::black_box;
use std::thread;

use perfgate_alloc::{CountingAllocator, count, count_with_setup};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// One test, because allocations of all threads count: tests beside it would add theirs.
#[test]
fn what_a_call_allocates_is_counted() {
    a_call_that_allocates_nothing_has_no_allocations();
    the_peak_is_what_is_in_use_at_once();
    the_input_of_a_call_is_not_part_of_it();
    allocations_of_other_threads_count();
}

fn a_call_that_allocates_nothing_has_no_allocations() {
    let counted = count(|| black_box(1_u64) + 1).unwrap();
    assert_eq!((counted.allocations, counted.allocated_bytes), (0.0, 0.0));
    assert_eq!(counted.peak_heap_bytes, 0.0);
}

fn the_peak_is_what_is_in_use_at_once() {
    // Two buffers after one another, and one beside the second.
    let counted = count(|| {
        drop(black_box(vec![0_u8; 1000]));
        let second = black_box(vec![0_u8; 600]);
        let third = black_box(vec![1_u8; 700]);
        drop((second, third));
    });
    let counted = counted.unwrap();
    assert_eq!((counted.allocations, counted.allocated_bytes), (3.0, 2300.0));
    assert_eq!(counted.peak_heap_bytes, 1300.0);
}

fn the_input_of_a_call_is_not_part_of_it() {
    let counted = count_with_setup(
        || vec![0_u8; 1 << 16],
        |mut input| {
            input.push(1);
            input
        },
    );
    // The vector doubles: it grows by as much as it had.
    let counted = counted.unwrap();
    assert_eq!((counted.allocations, counted.allocated_bytes), (1.0, 65_536.0));
}

fn allocations_of_other_threads_count() {
    let counted = count(|| {
        thread::scope(|scope| {
            scope.spawn(|| black_box(vec![0_u8; 100_000])).join().map(|buffer| buffer.len())
        })
    });
    assert!(counted.unwrap().allocated_bytes >= 100_000.0);
}

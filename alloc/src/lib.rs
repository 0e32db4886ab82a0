//! Counts the allocations of a call, for benches that perfgate measures.
//!
//! Install the allocator once in a bench, and record each benchmark where it is defined:
//!
//! ```no_run
//! use perfgate_alloc::CountingAllocator;
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator::new();
//!
//! fn encode(text: &str) -> Vec<u32> {
//!     text.chars().map(u32::from).collect()
//! }
//!
//! // Inside of the closure of `bench_function("encode/short", |b| { … })`, before `b.iter`:
//! perfgate_alloc::record("encode/short", || encode("some text"));
//! ```
//!
//! perfgate then has three metrics for the benchmark: `allocations`, `allocated_bytes` and
//! `peak_heap_bytes`, each of one call. They hardly vary, so a `[[metric]]` on them finds small
//! changes in a few launches.
//!
//! Outside of perfgate, [`record`] does nothing, and the allocator only reads a flag that is not set.
//! Allocations of all threads count, because inference code works in pools.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Variable that names the file for metrics. perfgate sets it when it starts a bench.
const METRICS_VARIABLE: &str = "PERFGATE_METRICS";

/// Number of calls that are not counted, so that what is set up once is not part of a call.
const WARMUP_CALLS: u32 = 1;

/// Number of calls that are counted.
const COUNTED_CALLS: u32 = 4;

/// Whether allocations are counted now.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
/// Number of allocations and reallocations.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Bytes of all allocations, and bytes that reallocations added.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
/// Bytes in use, less those that were in use when counting began.
static IN_USE: AtomicI64 = AtomicI64::new(0);
/// Largest number of bytes in use.
static PEAK: AtomicI64 = AtomicI64::new(0);

/// An allocator that counts what another one allocates.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator<A = System> {
    inner: A,
}

impl CountingAllocator {
    /// Counts what the allocator of the system allocates.
    pub const fn new() -> Self {
        Self { inner: System }
    }
}

impl<A> CountingAllocator<A> {
    /// Counts what `inner` allocates.
    pub const fn wrap(inner: A) -> Self {
        Self { inner }
    }
}

fn count_allocation(bytes: usize) {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    change_use(i64::try_from(bytes).unwrap_or(i64::MAX));
}

fn change_use(bytes: i64) {
    let in_use = IN_USE.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    PEAK.fetch_max(in_use, Ordering::Relaxed);
}

fn to_signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[expect(unsafe_code, reason = "an allocator can only be implemented with unsafe code")]
// SAFETY: every method passes its arguments on to `inner` and returns what that returns. Counting
// neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Ordering::Relaxed) {
            count_allocation(layout.size());
        }
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `inner`.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Ordering::Relaxed) {
            count_allocation(layout.size());
        }
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is that of `inner`.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if IS_COUNTING.load(Ordering::Relaxed) {
            change_use(-to_signed(layout.size()));
        }
        // SAFETY: the caller keeps the contract of `dealloc`, which is that of `inner`.
        unsafe { self.inner.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if IS_COUNTING.load(Ordering::Relaxed) {
            let added = new_size.saturating_sub(layout.size());
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            ALLOCATED.fetch_add(u64::try_from(added).unwrap_or(u64::MAX), Ordering::Relaxed);
            change_use(to_signed(new_size) - to_signed(layout.size()));
        }
        // SAFETY: the caller keeps the contract of `realloc`, which is that of `inner`.
        unsafe { self.inner.realloc(pointer, layout, new_size) }
    }
}

/// What one call allocates, as the mean of some calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallAllocations {
    /// Number of allocations and reallocations.
    pub allocations: f64,
    /// Bytes that they asked for.
    pub allocated_bytes: f64,
    /// Largest number of bytes in use at once, beside those in use before the call.
    pub peak_heap_bytes: f64,
}

/// Counts what `call` allocates on all threads, with the time in which its result is dropped. Returns
/// `None` if no [`CountingAllocator`] is installed.
pub fn count<T>(mut call: impl FnMut() -> T) -> Option<CallAllocations> {
    count_with_setup(|| (), |()| call())
}

/// Counts what `call` allocates for an input of `setup`, as [`count`] does. What `setup` allocates does
/// not count, and what the input holds is not part of the peak.
pub fn count_with_setup<I, T>(
    mut setup: impl FnMut() -> I,
    mut call: impl FnMut(I) -> T,
) -> Option<CallAllocations> {
    static LOCK: Mutex<()> = Mutex::new(());
    let _alone = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_installed() {
        return None;
    }
    for _ in 0..WARMUP_CALLS {
        drop(black_box(call(setup())));
    }
    let (mut allocations, mut allocated, mut peak) = (0, 0, 0);
    for _ in 0..COUNTED_CALLS {
        let input = setup();
        let counted = CountGuard::begin();
        drop(black_box(call(input)));
        drop(counted);
        allocations += ALLOCATIONS.load(Ordering::Relaxed);
        allocated += ALLOCATED.load(Ordering::Relaxed);
        peak = peak.max(PEAK.load(Ordering::Relaxed));
    }
    let calls = f64::from(COUNTED_CALLS);
    #[expect(clippy::cast_precision_loss, reason = "no call allocates 2^53 bytes")]
    Some(CallAllocations {
        allocations: allocations as f64 / calls,
        allocated_bytes: allocated as f64 / calls,
        peak_heap_bytes: peak as f64,
    })
}

/// Counts while it exists, also if a call panics.
struct CountGuard;

impl CountGuard {
    fn begin() -> Self {
        ALLOCATIONS.store(0, Ordering::Relaxed);
        ALLOCATED.store(0, Ordering::Relaxed);
        IN_USE.store(0, Ordering::Relaxed);
        PEAK.store(0, Ordering::Relaxed);
        IS_COUNTING.store(true, Ordering::SeqCst);
        Self
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        IS_COUNTING.store(false, Ordering::SeqCst);
    }
}

/// Returns whether a [`CountingAllocator`] is the global allocator.
fn is_installed() -> bool {
    let counted = CountGuard::begin();
    drop(black_box(Box::new(black_box(0_u8))));
    drop(counted);
    ALLOCATIONS.load(Ordering::Relaxed) > 0
}

/// Counts what `call` allocates, and reports it to perfgate as metrics of the benchmark `id`, which is
/// its whole name: `group/function/parameter`.
///
/// It does so once per process. Does nothing and makes no call if perfgate did not start the bench.
///
/// # Panics
///
/// Panics if no [`CountingAllocator`] is installed, or if the metrics cannot be written.
pub fn record<T>(id: &str, mut call: impl FnMut() -> T) {
    record_with_setup(id, || (), |()| call());
}

/// Records what `call` allocates for an input of `setup`, as [`record`] does. It belongs to
/// `iter_batched`.
///
/// # Panics
///
/// Panics if no [`CountingAllocator`] is installed, or if the metrics cannot be written.
pub fn record_with_setup<I, T>(id: &str, setup: impl FnMut() -> I, call: impl FnMut(I) -> T) {
    static RECORDED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Some(path) = find_metrics_path() else { return };
    // Criterion runs the closure of a benchmark several times.
    if !RECORDED.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
        return;
    }
    let counted = count_with_setup(setup, call).expect(
        "allocations cannot be counted: install `perfgate_alloc::CountingAllocator` as \
         `#[global_allocator]`",
    );
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format_line(id, counted).as_bytes()));
    if let Err(error) = written {
        panic!("the metrics of `{id}` cannot be written to `{}`: {error}", path.display());
    }
}

/// Returns the file for metrics, or `None` if perfgate did not start this process.
fn find_metrics_path() -> Option<&'static PathBuf> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    PATH.get_or_init(|| env::var_os(METRICS_VARIABLE).map(PathBuf::from)).as_ref()
}

/// Returns the line of one benchmark, as JSON.
fn format_line(id: &str, counted: CallAllocations) -> String {
    let mut quoted = String::new();
    for character in id.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    let CallAllocations { allocations, allocated_bytes, peak_heap_bytes } = counted;
    format!(
        "{{\"id\":\"{quoted}\",\"metrics\":{{\"allocations\":{allocations},\
         \"allocated_bytes\":{allocated_bytes},\"peak_heap_bytes\":{peak_heap_bytes}}}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{CallAllocations, format_line};

    #[test]
    fn an_id_is_quoted_as_json() {
        let counted =
            CallAllocations { allocations: 1.0, allocated_bytes: 2.5, peak_heap_bytes: 0.0 };
        assert_eq!(
            format_line("a\"\\\n", counted),
            "{\"id\":\"a\\\"\\\\\\u000a\",\"metrics\":{\"allocations\":1,\
             \"allocated_bytes\":2.5,\"peak_heap_bytes\":0}}\n"
        );
    }
}

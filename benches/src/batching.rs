//! A dynamic batcher: it puts requests of any length through a model together, and returns the answers by id.
//!
//! The model is a closure over a [`PaddedBatch`]. [`find_batch_size`] chooses how many requests go together.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// The most requests in one batch, however its size was chosen.
pub const LARGEST_BATCH: usize = 1000;

/// Identifies a request among those of one batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u64);

/// Tokens of several requests as one rectangle, row by row. Fillers at the end make all rows equally long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaddedBatch {
    /// Number of requests.
    pub rows: usize,
    /// Number of tokens of the longest request.
    pub columns: usize,
    /// `rows × columns` tokens. After the last token of a request, [`PaddedBatch::FILLER`].
    pub tokens: Vec<i64>,
    /// `rows × columns` numbers: 1 for a token of a request, 0 for a filler.
    pub attention: Vec<i64>,
}

impl PaddedBatch {
    /// The token that fills up a row: `[PAD]` of BERT's vocabulary. The attention mask hides it from the model.
    pub const FILLER: i64 = 0;

    /// Pads `requests` to the length of the longest.
    pub fn new<T: AsRef<[u32]>>(requests: &[T]) -> Self {
        let columns = requests.iter().map(|tokens| tokens.as_ref().len()).max().unwrap_or(0);
        let cells = requests.len() * columns;
        let (mut tokens, mut attention) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
        for request in requests.iter().map(AsRef::as_ref) {
            let end = tokens.len() + columns;
            tokens.extend(request.iter().map(|&token| i64::from(token)));
            attention.resize(tokens.len(), 1);
            tokens.resize(end, Self::FILLER);
            attention.resize(end, 0);
        }
        Self { rows: requests.len(), columns, tokens, attention }
    }
}

/// Requests that wait for a model, in the order of their arrival.
pub struct Batcher {
    batch_size: NonZeroUsize,
    waiting: VecDeque<(RequestId, Vec<u32>)>,
    next_id: u64,
}

impl Batcher {
    /// Makes an empty batcher. A batch has at most `batch_size` requests, and never more than [`LARGEST_BATCH`].
    pub fn new(batch_size: NonZeroUsize) -> Self {
        Self { batch_size, waiting: VecDeque::new(), next_id: 0 }
    }

    /// Puts a request at the end of the queue, and returns its id, which no other request gets.
    pub fn push(&mut self, tokens: Vec<u32>) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.waiting.push_back((id, tokens));
        id
    }

    /// Takes batches off the queue and calls `infer` for each, until the queue is empty.
    ///
    /// `infer` returns one answer per row.
    ///
    /// # Errors
    ///
    /// Returns the first error of `infer`. The batch that failed and the requests after it stay in the queue.
    pub fn run<A, E>(
        &mut self,
        mut infer: impl FnMut(&PaddedBatch) -> Result<Vec<A>, E>,
    ) -> Result<Answers<A>, E> {
        let started = Instant::now();
        let (mut batches, mut tokens, mut fillers) = (0, 0, 0);
        let mut by_id = HashMap::with_capacity(self.waiting.len());
        while !self.waiting.is_empty() {
            let size = self.waiting.len().min(self.batch_size.get()).min(LARGEST_BATCH);
            let requests =
                self.waiting.range(..size).map(|(_, tokens)| tokens.as_slice()).collect::<Vec<_>>();
            let padded = PaddedBatch::new(&requests);
            let answers = infer(&padded)?;
            let used = requests.iter().map(|tokens| tokens.len()).sum::<usize>();
            batches += 1;
            tokens += used;
            fillers += padded.tokens.len() - used;
            by_id.extend(self.waiting.drain(..size).map(|(id, _)| id).zip(answers));
        }
        let statistics =
            QueueStatistics::new(by_id.len(), batches, tokens, fillers, started.elapsed());
        Ok(Answers { by_id, statistics })
    }
}

/// The answers to all requests of a queue.
pub struct Answers<A> {
    by_id: HashMap<RequestId, A>,
    statistics: QueueStatistics,
}

impl<A> Answers<A> {
    /// The answer to one request, by a hash table: the time does not depend on the number of answers.
    pub fn get(&self, id: RequestId) -> Option<&A> {
        self.by_id.get(&id)
    }

    /// The number of answers.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are no answers.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The figures of the queue, which [`Batcher::run`] computed after the last batch.
    pub fn statistics(&self) -> QueueStatistics {
        self.statistics
    }
}

/// The figures of a queue that was worked off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueStatistics {
    /// Number of requests that were answered.
    pub requests: usize,
    /// Number of calls of the model.
    pub batches: usize,
    /// Number of tokens in all requests.
    pub tokens: usize,
    /// Number of fillers in all batches.
    pub fillers: usize,
    /// Time from the padding of the first batch to the answers of the last.
    pub duration: Duration,
    /// `duration` ÷ `requests`; zero without requests.
    pub per_request: Duration,
    /// `requests` ÷ `duration`; zero without requests or if the duration is zero.
    pub requests_per_second: f64,
}

impl QueueStatistics {
    /// Computes the two figures that follow from the counts and the duration.
    pub fn new(
        requests: usize,
        batches: usize,
        tokens: usize,
        fillers: usize,
        duration: Duration,
    ) -> Self {
        let seconds = duration.as_secs_f64();
        let per_request =
            if requests == 0 { Duration::ZERO } else { duration.div_f64(requests as f64) };
        let requests_per_second = if seconds == 0.0 { 0.0 } else { requests as f64 / seconds };
        Self { requests, batches, tokens, fillers, duration, per_request, requests_per_second }
    }
}

/// The time and memory that a batch took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchCost {
    /// Time from the call to the answers.
    pub latency: Duration,
    /// Peak memory; `None` if the machine does not report it.
    pub memory_bytes: Option<u64>,
}

/// The most time and memory that a batch may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Time from the call to the answers.
    pub latency: Duration,
    /// Peak memory. A cost without a figure for memory is over any limit.
    pub memory_bytes: Option<u64>,
}

impl BatchLimits {
    fn allow(&self, cost: &BatchCost) -> bool {
        let fits_memory = |limit| cost.memory_bytes.is_some_and(|bytes| bytes <= limit);
        cost.latency <= self.latency && self.memory_bytes.is_none_or(fits_memory)
    }
}

/// Finds the batch size within `limits` that answers most requests per second, and returns it with its cost.
///
/// Returns `None` if a batch of one request is over the limits. Of sizes with the same throughput, the smallest wins.
///
/// # Errors
///
/// Returns the first error of `measure`.
pub fn find_batch_size<E>(
    limits: &BatchLimits,
    largest: usize,
    mut measure: impl FnMut(usize) -> Result<BatchCost, E>,
) -> Result<Option<(usize, BatchCost)>, E> {
    let largest = largest.clamp(1, LARGEST_BATCH);
    let mut best: Option<(usize, BatchCost)> = None;
    // The largest size known to be within the limits, and the smallest known to be over them.
    let (mut within, mut over) = (0, largest + 1);
    while within + 1 < over {
        // Double the size until one is over the limits, then bisect between the last two.
        let size =
            if over > largest { (2 * within).clamp(1, largest) } else { within.midpoint(over) };
        let cost = measure(size)?;
        if !limits.allow(&cost) {
            over = size;
            continue;
        }
        within = size;
        if best.is_none_or(|best| is_better((size, cost), best)) {
            best = Some((size, cost));
        }
    }
    Ok(best)
}

/// Whether `one` answers more requests per second than `other`, or as many with a smaller batch.
fn is_better(one: (usize, BatchCost), other: (usize, BatchCost)) -> bool {
    let throughput = |(size, cost): (usize, BatchCost)| size as f64 / cost.latency.as_secs_f64();
    throughput(one) > throughput(other) || (throughput(one) >= throughput(other) && one.0 < other.0)
}

/// Estimates a batch size by a formula that measures nothing: one millisecond and 57.24 bytes per request.
///
/// It exists to be compared with [`find_batch_size`]. Both constants are assumptions, and neither is near that of a real
/// model.
pub fn estimate_batch_size(memory_mebibytes: u32, latency: Duration) -> usize {
    const BYTES_PER_REQUEST: f64 = 57.24;
    let by_memory = f64::from(memory_mebibytes) * 1024.0 * 1024.0 / BYTES_PER_REQUEST;
    let by_latency = latency.as_millis().min(LARGEST_BATCH as u128) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1..=1000 before the cast"
    )]
    let size = by_memory.min(by_latency).clamp(1.0, LARGEST_BATCH as f64) as usize;
    size
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    #[test]
    fn shorter_requests_are_filled_up_and_hidden_from_attention() {
        let padded = PaddedBatch::new(&[vec![5, 6, 7], vec![], vec![8]]);
        assert_eq!((padded.rows, padded.columns), (3, 3));
        assert_eq!(padded.tokens, [5, 6, 7, 0, 0, 0, 8, 0, 0]);
        assert_eq!(padded.attention, [1, 1, 1, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn every_request_gets_its_own_answer_whatever_batch_it_was_in() {
        let mut batcher = Batcher::new(NonZeroUsize::new(4).unwrap());
        let ids = (0..10_u32)
            .map(|request| batcher.push(vec![request; 1 + request as usize % 3]))
            .collect::<Vec<_>>();
        let first_tokens = |padded: &PaddedBatch| {
            Ok::<_, Infallible>(padded.tokens.chunks(padded.columns).map(|row| row[0]).collect())
        };
        let answers = batcher.run(first_tokens).unwrap();
        for (request, id) in (0..).zip(ids) {
            assert_eq!(answers.get(id), Some(&request));
        }
        let statistics = answers.statistics();
        assert_eq!(
            (statistics.requests, statistics.batches, statistics.tokens, statistics.fillers),
            (10, 3, 19, 11)
        );
    }

    #[test]
    fn after_an_error_the_requests_of_the_failed_batch_are_still_there() {
        let mut batcher = Batcher::new(ONE);
        batcher.push(vec![1]);
        let id = batcher.push(vec![2]);
        let refuse_two =
            |padded: &PaddedBatch| if padded.tokens == [2] { Err("two") } else { Ok(vec![()]) };
        assert_eq!(batcher.run(refuse_two).err(), Some("two"));
        let answers = batcher.run(|padded| Ok::<_, Infallible>(padded.tokens.clone())).unwrap();
        assert_eq!((answers.len(), answers.get(id)), (1, Some(&2)));
    }

    proptest! {
        #[test]
        fn mean_and_pace_of_a_queue_are_in_the_units_of_its_duration(requests in 1_usize..100_000, micros in 1_u64..1 << 40) {
            let duration = Duration::from_micros(micros);
            let statistics = QueueStatistics::new(requests, 1, 0, 0, duration);
            let total = statistics.per_request.as_secs_f64() * requests as f64;
            // A duration is a whole number of nanoseconds: rounding can lose half a nanosecond per request.
            prop_assert!((total - duration.as_secs_f64()).abs() <= requests as f64 * 1e-9);
            prop_assert!((statistics.requests_per_second * duration.as_secs_f64() / requests as f64 - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn no_requests_take_no_time_each() {
        let statistics = QueueStatistics::new(0, 0, 0, 0, Duration::ZERO);
        assert_eq!((statistics.per_request, statistics.requests_per_second), (Duration::ZERO, 0.0));
    }

    #[track_caller]
    fn find_size(limits: BatchLimits, cost: impl Fn(usize) -> BatchCost) -> Option<usize> {
        find_batch_size(&limits, LARGEST_BATCH, |size| Ok::<_, Infallible>(cost(size)))
            .unwrap()
            .map(|(size, _)| size)
    }

    fn cost_two_milliseconds_and_half_a_one_per_request(size: usize) -> BatchCost {
        BatchCost {
            latency: Duration::from_micros(2000 + 500 * size as u64),
            memory_bytes: Some(1000 * size as u64),
        }
    }

    #[test]
    fn the_batch_size_is_the_largest_within_the_limits_if_larger_batches_are_faster() {
        let limits = |latency, memory_bytes| BatchLimits {
            latency: Duration::from_millis(latency),
            memory_bytes,
        };
        assert_eq!(
            find_size(limits(10, None), cost_two_milliseconds_and_half_a_one_per_request),
            Some(16)
        );
        assert_eq!(
            find_size(limits(10, Some(7500)), cost_two_milliseconds_and_half_a_one_per_request),
            Some(7)
        );
        assert_eq!(
            find_size(limits(2, None), cost_two_milliseconds_and_half_a_one_per_request),
            None
        );
        assert_eq!(
            find_size(limits(3_600_000, None), cost_two_milliseconds_and_half_a_one_per_request),
            Some(LARGEST_BATCH)
        );
    }

    #[test]
    fn a_larger_batch_that_answers_no_faster_is_not_chosen() {
        let in_proportion =
            |size| BatchCost { latency: Duration::from_millis(size as u64), memory_bytes: None };
        let second = BatchLimits { latency: Duration::from_secs(1), memory_bytes: None };
        assert_eq!(find_size(second, in_proportion), Some(1));
    }

    #[test]
    fn unknown_memory_is_over_any_memory_limit() {
        let unknown = |_| BatchCost { latency: Duration::ZERO, memory_bytes: None };
        assert_eq!(
            find_size(
                BatchLimits { latency: Duration::from_secs(1), memory_bytes: Some(u64::MAX) },
                unknown
            ),
            None
        );
    }

    #[test]
    fn the_estimate_follows_the_published_formula() {
        for (mebibytes, milliseconds, size) in [
            (512, 10, 10),
            (1024, 100, 100),
            (2048, 1, 1),
            (0, 10, 1),
            (512, 0, 1),
            (u32::MAX, 5000, 1000),
        ] {
            assert_eq!(estimate_batch_size(mebibytes, Duration::from_millis(milliseconds)), size);
        }
    }
}

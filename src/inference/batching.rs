//! A dynamic batcher: requests of any length go through a model together, and answers are found by id.
//!
//! The model is a closure over a [`Padded`] batch. [`measured_batch_size`] chooses how many requests go together.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// The most requests in one batch, whoever chooses.
pub const LARGEST_BATCH: usize = 1000;

/// Names a request among those of one batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u64);

/// Tokens of several requests as one rectangle, row by row: shorter rows are filled up at their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Padded {
    /// Requests.
    pub rows: usize,
    /// Tokens of the longest request.
    pub columns: usize,
    /// The tokens, [`Padded::FILLER`] where a row has no more.
    pub tokens: Vec<i64>,
    /// 1 for each token of a request, 0 for each filler.
    pub attention: Vec<i64>,
}

impl Padded {
    /// The token that fills up a row; `[PAD]` of BERT's vocabulary. The attention mask hides it from the model.
    pub const FILLER: i64 = 0;

    /// Pads `requests` to the longest of them.
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

/// Requests that wait for a model, first come, first served.
pub struct Batcher {
    batch_size: NonZeroUsize,
    waiting: VecDeque<(RequestId, Vec<u32>)>,
    next_id: u64,
}

impl Batcher {
    /// A batcher without requests that lets at most `batch_size` of them, and [`LARGEST_BATCH`], go together.
    pub fn new(batch_size: NonZeroUsize) -> Self {
        Self { batch_size, waiting: VecDeque::new(), next_id: 0 }
    }

    /// Puts a request at the end of the queue. The id is not given twice.
    pub fn push(&mut self, tokens: Vec<u32>) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.waiting.push_back((id, tokens));
        id
    }

    /// Empties the queue through `infer`, which returns one answer for each row.
    ///
    /// The first error ends it; what has not been inferred by then goes on waiting.
    pub fn run<A, E>(
        &mut self,
        mut infer: impl FnMut(&Padded) -> Result<Vec<A>, E>,
    ) -> Result<Answers<A>, E> {
        let started = Instant::now();
        let (mut batches, mut tokens, mut fillers) = (0, 0, 0);
        let mut by_id = HashMap::with_capacity(self.waiting.len());
        while !self.waiting.is_empty() {
            let size = self.waiting.len().min(self.batch_size.get()).min(LARGEST_BATCH);
            let requests =
                self.waiting.range(..size).map(|(_, tokens)| tokens.as_slice()).collect::<Vec<_>>();
            let padded = Padded::new(&requests);
            let answers = infer(&padded)?;
            let used = requests.iter().map(|tokens| tokens.len()).sum::<usize>();
            batches += 1;
            tokens += used;
            fillers += padded.tokens.len() - used;
            by_id.extend(self.waiting.drain(..size).map(|(id, _)| id).zip(answers));
        }
        let statistics = Statistics::new(by_id.len(), batches, tokens, fillers, started.elapsed());
        Ok(Answers { by_id, statistics })
    }
}

/// What came of a queue.
pub struct Answers<A> {
    by_id: HashMap<RequestId, A>,
    statistics: Statistics,
}

impl<A> Answers<A> {
    /// The answer to one request, in the same time however many there are.
    pub fn get(&self, id: RequestId) -> Option<&A> {
        self.by_id.get(&id)
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How the queue went; computed once, when its last batch was done.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }
}

/// How a queue of requests went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Requests that were answered.
    pub requests: usize,
    /// Calls of the model.
    pub batches: usize,
    /// Tokens of the requests.
    pub tokens: usize,
    /// Cells that only filled up rows.
    pub fillers: usize,
    /// From the first batch's padding to the last batch's answers.
    pub duration: Duration,
    /// The duration's share of one request; zero where there were none.
    pub per_request: Duration,
    /// Requests in a second at this pace; zero where there were none, or no time went by.
    pub requests_per_second: f64,
}

impl Statistics {
    /// All that follows from the counts and the duration.
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

/// What a batch of one size took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Time until its answers are there.
    pub latency: Duration,
    /// Memory at its peak, where the machine tells.
    pub memory_bytes: Option<u64>,
}

/// What a batch may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time until its answers are there.
    pub latency: Duration,
    /// Memory at its peak. A cost that does not tell it is over any limit.
    pub memory_bytes: Option<u64>,
}

impl Limits {
    fn allow(&self, cost: &Cost) -> bool {
        let fits = |limit| cost.memory_bytes.is_some_and(|bytes| bytes <= limit);
        cost.latency <= self.latency && self.memory_bytes.is_none_or(fits)
    }
}

/// The batch size that answers most requests in a second within `limits`, with its cost; `None` where even one request
/// is over them.
///
/// `measure` is called for sizes that double, up to `largest`, until one is over the limits; then between the last two.
/// Of sizes that are equally productive, the smallest is chosen.
pub fn measured_batch_size<E>(
    limits: &Limits,
    largest: usize,
    mut measure: impl FnMut(usize) -> Result<Cost, E>,
) -> Result<Option<(usize, Cost)>, E> {
    let largest = largest.clamp(1, LARGEST_BATCH);
    let (mut best, mut within, mut over): (Option<(usize, Cost)>, usize, usize) =
        (None, 0, largest + 1);
    while within + 1 < over {
        let size =
            if over > largest { (2 * within).clamp(1, largest) } else { within.midpoint(over) };
        let cost = measure(size)?;
        if limits.allow(&cost) {
            within = size;
            let pace = |(size, cost): (usize, Cost)| size as f64 / cost.latency.as_secs_f64();
            if best.is_none_or(|chosen| {
                pace((size, cost)) > pace(chosen)
                    || (pace((size, cost)) >= pace(chosen) && size < chosen.0)
            }) {
                best = Some((size, cost));
            }
        } else {
            over = size;
        }
    }
    Ok(best)
}

/// The batch size by a formula that measures nothing: one millisecond and 57.24 bytes for each request.
///
/// Kept to be compared with [`measured_batch_size`]: both figures were assumed, and neither is near a real model's.
pub fn assumed_batch_size(memory_mebibytes: u32, latency: Duration) -> usize {
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
        let padded = Padded::new(&[vec![5, 6, 7], vec![], vec![8]]);
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
        let first_tokens = |padded: &Padded| {
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
            |padded: &Padded| if padded.tokens == [2] { Err("two") } else { Ok(vec![()]) };
        assert_eq!(batcher.run(refuse_two).err(), Some("two"));
        let answers = batcher.run(|padded| Ok::<_, Infallible>(padded.tokens.clone())).unwrap();
        assert_eq!((answers.len(), answers.get(id)), (1, Some(&2)));
    }

    proptest! {
        #[test]
        fn mean_and_pace_of_a_queue_are_in_the_units_of_its_duration(requests in 1_usize..100_000, micros in 1_u64..1 << 40) {
            let duration = Duration::from_micros(micros);
            let statistics = Statistics::new(requests, 1, 0, 0, duration);
            let total = statistics.per_request.as_secs_f64() * requests as f64;
            // A duration is whole nanoseconds, so that half of one can be lost for each request.
            prop_assert!((total - duration.as_secs_f64()).abs() <= requests as f64 * 1e-9);
            prop_assert!((statistics.requests_per_second * duration.as_secs_f64() / requests as f64 - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn no_requests_take_no_time_each() {
        let statistics = Statistics::new(0, 0, 0, 0, Duration::ZERO);
        assert_eq!((statistics.per_request, statistics.requests_per_second), (Duration::ZERO, 0.0));
    }

    #[track_caller]
    fn chosen(limits: Limits, cost: impl Fn(usize) -> Cost) -> Option<usize> {
        measured_batch_size(&limits, LARGEST_BATCH, |size| Ok::<_, Infallible>(cost(size)))
            .unwrap()
            .map(|(size, _)| size)
    }

    fn two_milliseconds_and_half_a_one_each(size: usize) -> Cost {
        Cost {
            latency: Duration::from_micros(2000 + 500 * size as u64),
            memory_bytes: Some(1000 * size as u64),
        }
    }

    #[test]
    fn the_measured_batch_is_the_largest_within_the_latency_limit_where_size_pays() {
        let limits = |latency, memory_bytes| Limits {
            latency: Duration::from_millis(latency),
            memory_bytes,
        };
        assert_eq!(chosen(limits(10, None), two_milliseconds_and_half_a_one_each), Some(16));
        assert_eq!(chosen(limits(10, Some(7500)), two_milliseconds_and_half_a_one_each), Some(7));
        assert_eq!(chosen(limits(2, None), two_milliseconds_and_half_a_one_each), None);
        assert_eq!(
            chosen(limits(3_600_000, None), two_milliseconds_and_half_a_one_each),
            Some(LARGEST_BATCH)
        );
    }

    #[test]
    fn a_larger_batch_that_answers_no_faster_is_not_chosen() {
        let in_proportion =
            |size| Cost { latency: Duration::from_millis(size as u64), memory_bytes: None };
        let second = Limits { latency: Duration::from_secs(1), memory_bytes: None };
        assert_eq!(chosen(second, in_proportion), Some(1));
    }

    #[test]
    fn unknown_memory_is_over_any_memory_limit() {
        let unknown = |_| Cost { latency: Duration::ZERO, memory_bytes: None };
        assert_eq!(
            chosen(
                Limits { latency: Duration::from_secs(1), memory_bytes: Some(u64::MAX) },
                unknown
            ),
            None
        );
    }

    #[test]
    fn the_assumed_formula_answers_as_it_was_published() {
        for (mebibytes, milliseconds, size) in [
            (512, 10, 10),
            (1024, 100, 100),
            (2048, 1, 1),
            (0, 10, 1),
            (512, 0, 1),
            (u32::MAX, 5000, 1000),
        ] {
            assert_eq!(assumed_batch_size(mebibytes, Duration::from_millis(milliseconds)), size);
        }
    }
}

//! What adapters build: the benchmarks of one file by launch, checked as they are added.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::measure::soak::add_latency_growth;
use crate::measure::{CallAmounts, Observation, ObservedBenchmarks};
use crate::note::FailureReason;
use crate::run::{
    BenchmarkFailure, BenchmarkId, CallsPerSample, LoadShape, RATE_METRIC, Samples, Sampling,
    explain_json_error,
};
use crate::text::shorten;
use crate::units::{Nanos, UnitError};

/// Longest name of a benchmark, in bytes. Names of harnesses are far shorter.
const MAX_NAME_BYTES: usize = 2000;
/// Name of the condition that is the harness.
const HARNESS_CONDITION: &str = "harness";
/// Longest reason of a harness that is kept, in characters.
const MAX_SENTENCE_CHARS: usize = 200;
/// Longest part of a file's text in a message, in characters.
const MAX_SHOWN_CHARS: usize = 80;

/// Why a file is not what its harness writes.
#[derive(Debug, Error)]
pub(crate) enum AdapterError {
    /// The file is not JSON, is cut short, or has other fields than the harness writes.
    #[error("{}", explain_json_error(.0))]
    Json(#[from] serde_json::Error),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No adapter recognizes the file.
    #[error("it is not a file of a harness that perfgate recognizes")]
    Unrecognized,
    /// The results are files in a folder, and this is not one.
    #[error("it is not a folder")]
    NoFolder,
    /// The file is not XML.
    #[error("it is not XML: {0}")]
    Xml(String),
    /// The file is not UTF-8 text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A line is not what the harness prints.
    #[error("line {line}: {cause}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// The file has no benchmark.
    #[error("it has no benchmark")]
    Empty,
    /// The file has values, and none of them is a time.
    #[error("none of its values is a time: `{0}` is the first of them")]
    NoTime(String),
    /// A benchmark has no name.
    #[error("a benchmark has no name")]
    NoName,
    /// A name is too long to be one.
    #[error("the name of a benchmark has {0} bytes; at most {MAX_NAME_BYTES} are possible")]
    LongName(usize),
    /// Two benchmarks of one launch have the same name.
    #[error("benchmark `{0}` appears twice in one launch")]
    Repeated(String),
    /// A benchmark has no times.
    #[error("benchmark `{0}` has no times")]
    NoSamples(String),
    /// A field is missing.
    #[error("benchmark `{name}` has no `{field}`")]
    Missing {
        /// Name of the benchmark.
        name: String,
        /// Name of the field.
        field: &'static str,
    },
    /// A time is not a duration.
    #[error("benchmark `{name}`: {error}")]
    Time {
        /// Name of the benchmark.
        name: String,
        /// What is wrong with it.
        error: UnitError,
    },
    /// A number of calls, an amount or a further figure is not a number in its range.
    #[error("benchmark `{name}`: `{value}` is not a valid {what}")]
    Number {
        /// Name of the benchmark.
        name: String,
        /// What the number states.
        what: String,
        /// The number.
        value: f64,
    },
    /// A unit is not known.
    #[error("benchmark `{name}`: `{unit}` is not a unit of time that perfgate knows")]
    Unit {
        /// Name of the benchmark.
        name: String,
        /// The unit as the file has it.
        unit: String,
    },
    /// A histogram counts more calls than perfgate reads.
    #[error("benchmark `{0}` counts more calls than perfgate reads from one file")]
    TooManyCalls(String),
    /// The file has another version of the format.
    #[error("its format has version `{found}`; this adapter reads `{known}`")]
    Version {
        /// Version in the file.
        found: String,
        /// Version that the adapter reads.
        known: &'static str,
    },
}

/// Shortens text of a file for a message.
pub(super) fn shorten_name(name: &str) -> String {
    shorten(name, MAX_SHOWN_CHARS)
}

/// What one file of a harness holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AdapterRun {
    /// Name of the harness.
    pub(crate) harness: String,
    /// The launches, each with its benchmarks; at least one.
    pub(crate) launches: Vec<ObservedBenchmarks>,
    /// Names of the entries that are not times and were left out.
    pub(crate) left_out: Vec<String>,
}

/// The times of one benchmark in one launch, as a file states them.
#[derive(Debug)]
pub(super) struct AdapterEntry {
    name: String,
    /// Times of calls, or mean times of batches of calls.
    times: Vec<f64>,
    /// Number of nanoseconds that the unit of `times` has.
    unit: f64,
    sampling: Sampling,
    calls: Option<Vec<f64>>,
    amounts: CallAmounts,
    metrics: BTreeMap<String, f64>,
    conditions: BTreeMap<String, String>,
    /// Seconds at which the calls began, on any clock; empty if they are not known.
    starts: Vec<f64>,
}

impl AdapterEntry {
    fn new(name: impl Into<String>, times: Vec<f64>, unit: f64, sampling: Sampling) -> Self {
        Self {
            name: name.into(),
            times,
            unit,
            sampling,
            calls: None,
            amounts: CallAmounts::default(),
            metrics: BTreeMap::new(),
            conditions: BTreeMap::new(),
            starts: Vec::new(),
        }
    }

    /// Creates an entry whose `times` are those of single calls, in units of `unit` nanoseconds.
    pub(super) fn of_calls(name: impl Into<String>, times: Vec<f64>, unit: f64) -> Self {
        Self::new(name, times, unit, Sampling::Call)
    }

    /// Creates an entry whose `times` are means of batches, in units of `unit` nanoseconds. If each
    /// batch has one call, they are times of calls.
    pub(super) fn of_batches(
        name: impl Into<String>,
        times: Vec<f64>,
        unit: f64,
        calls: Option<Vec<f64>>,
    ) -> Self {
        #[expect(clippy::float_cmp, reason = "one call is written as exactly 1")]
        let are_calls = calls.as_ref().is_some_and(|calls| calls.iter().all(|calls| *calls == 1.0));
        if are_calls {
            return Self::of_calls(name, times, unit);
        }
        Self { calls, ..Self::new(name, times, unit, Sampling::Batch) }
    }

    /// Creates an entry of a single number: the mean of `calls` calls, `None` if their number is not
    /// known.
    pub(super) fn of_mean(
        name: impl Into<String>,
        mean: f64,
        unit: f64,
        calls: Option<f64>,
    ) -> Self {
        Self::of_batches(name, vec![mean], unit, calls.map(|calls| vec![calls]))
    }

    /// Adds a further figure of the launch if the file has it.
    pub(super) fn with_metric(mut self, name: &str, value: Option<f64>) -> Self {
        self.metrics.extend(value.map(|value| (name.to_owned(), value)));
        self
    }

    /// Adds further figures that the benchmark itself reports. A run has no negative ones, so they
    /// are left out.
    pub(super) fn with_counters(
        mut self,
        counters: impl IntoIterator<Item = (String, f64)>,
    ) -> Self {
        let counters = counters.into_iter().filter(|(_, value)| value.is_finite() && *value >= 0.0);
        self.metrics.extend(counters);
        self
    }

    /// Adds the number of items that one call handles.
    pub(super) fn with_elements(mut self, elements: Option<f64>) -> Self {
        self.amounts.elements = elements.filter(|elements| *elements != 0.0);
        self
    }

    /// Adds an amount that one call handles.
    pub(super) fn with_amount(mut self, unit: &str, amount: Option<f64>) -> Self {
        let amount = amount.filter(|amount| *amount != 0.0);
        self.amounts.per_call.extend(amount.map(|amount| (unit.to_owned(), amount)));
        self
    }

    /// Adds the conditions of the load.
    pub(super) fn with_load(mut self, shape: LoadShape) -> Self {
        self.conditions.extend(shape.to_conditions());
        self
    }

    /// Adds the seconds at which the calls began, on any clock. They give the rate of requests that
    /// was reached, and in a long launch how the latency grew.
    pub(super) fn with_starts(mut self, starts: Vec<f64>) -> Self {
        self.metrics.extend(compute_rate(&starts).map(|rate| (RATE_METRIC.to_owned(), rate)));
        self.starts = starts;
        self
    }

    /// Adds a condition of the benchmark if the file has it.
    pub(super) fn with_condition(mut self, key: &str, value: Option<impl ToString>) -> Self {
        self.conditions.extend(value.map(|value| (key.to_owned(), value.to_string())));
        self
    }

    /// Checks the numbers. Fails if one of them is not in its range.
    fn into_observation(self) -> Result<Observation, AdapterError> {
        let Self { name, times, unit, sampling, calls, amounts, mut metrics, conditions, starts } =
            self;
        let name = || shorten_name(&name);
        let number = |what: &str, value: f64| AdapterError::Number {
            name: name(),
            what: what.to_owned(),
            value,
        };
        let count = times.len();
        let samples =
            times.into_iter().map(|time| Nanos::new(time * unit)).collect::<Result<_, _>>();
        let samples = samples.map_err(|error| AdapterError::Time { name: name(), error })?;
        let samples = Samples::new(samples).ok_or_else(|| AdapterError::NoSamples(name()))?;
        if let Some(value) = calls.iter().flatten().find(|calls| !is_positive(**calls)) {
            return Err(number("number of calls", *value));
        }
        if calls.as_ref().is_some_and(|calls| calls.len() != count) {
            return Err(AdapterError::Missing { name: name(), field: "number of calls per time" });
        }
        let handled = amounts.elements.iter().chain(amounts.per_call.values());
        if let Some(value) = handled.copied().find(|amount| !is_positive(*amount)) {
            return Err(number("amount per call", value));
        }
        let is_invalid = |value: f64| !value.is_finite() || value < 0.0;
        if let Some((key, value)) = metrics.iter().find(|(_, value)| is_invalid(**value)) {
            return Err(number(key, *value));
        }
        if starts.len() == samples.len() {
            add_latency_growth(&mut metrics, &starts, &samples);
        }
        Ok(Observation {
            sampling,
            samples,
            calls_per_sample: calls.and_then(CallsPerSample::new),
            amounts,
            metrics,
            conditions: Arc::new(conditions),
        })
    }
}

/// Returns the rate at which calls began. Returns `None` if it cannot be computed.
fn compute_rate(starts: &[f64]) -> Option<f64> {
    let first = starts.iter().copied().reduce(f64::min)?;
    let last = starts.iter().copied().reduce(f64::max)?;
    let rate = (starts.len() - 1) as f64 / (last - first);
    is_positive(rate).then_some(rate)
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The launches that have a benchmark. A file may have a million of them, so they are neither counted
/// again each time nor kept one by one.
#[derive(Debug, Default)]
struct SeenLaunches {
    /// Number of launches from the first on without a gap.
    count: usize,
    /// Numbers of the launches after the gap.
    later: HashSet<usize>,
}

impl SeenLaunches {
    /// Adds a launch. Returns false if it was there already.
    fn insert(&mut self, launch: usize) -> bool {
        if launch < self.count || !self.later.insert(launch) {
            return false;
        }
        while self.later.remove(&self.count) {
            self.count += 1;
        }
        true
    }
}

/// Collects the benchmarks of one file.
#[derive(Debug, Default)]
pub(super) struct RunCollector {
    launches: Vec<ObservedBenchmarks>,
    seen: HashMap<String, SeenLaunches>,
    left_out: Vec<String>,
    conditions: BTreeMap<String, String>,
}

impl RunCollector {
    /// Creates a collector for a file of `harness`, which is a condition of all its benchmarks.
    pub(super) fn new(harness: &str) -> Self {
        let mut created = Self::default();
        created.conditions.insert(HARNESS_CONDITION.to_owned(), harness.to_owned());
        created
    }

    /// Adds a condition of all benchmarks if the file has it.
    pub(super) fn add_condition(&mut self, key: &str, value: Option<impl ToString>) {
        let value = value.map(|value| value.to_string()).filter(|value| !value.is_empty());
        self.conditions.extend(value.map(|value| (key.to_owned(), value)));
    }

    /// Adds the conditions of the load, which all benchmarks share.
    pub(super) fn add_load(&mut self, shape: LoadShape) {
        self.conditions.extend(shape.to_conditions());
    }

    /// Adds the times of a benchmark in the launch with number `launch`, from 0.
    ///
    /// # Errors
    ///
    /// Fails if a number is not valid, or if the launch already has a benchmark of this name.
    pub(super) fn add(&mut self, launch: usize, entry: AdapterEntry) -> Result<(), AdapterError> {
        let name = entry.name.clone();
        self.reserve_name(launch, &name)?;
        let observation = entry.into_observation()?;
        self.push(launch, name, Ok(observation));
        Ok(())
    }

    /// Adds a benchmark that was observed, or why it failed.
    ///
    /// # Errors
    ///
    /// Fails if the launch already has a benchmark of this name.
    pub(super) fn add_observed(
        &mut self,
        launch: usize,
        name: String,
        observed: Result<Observation, BenchmarkFailure>,
    ) -> Result<(), AdapterError> {
        self.reserve_name(launch, &name)?;
        self.push(launch, name, observed);
        Ok(())
    }

    /// Adds a benchmark that the harness itself calls failed, with its reason.
    ///
    /// # Errors
    ///
    /// Fails if the launch already has a benchmark of this name.
    pub(super) fn add_failure(
        &mut self,
        launch: usize,
        name: &str,
        sentence: &str,
    ) -> Result<(), AdapterError> {
        let reason = FailureReason::Reported { sentence: shorten(sentence, MAX_SENTENCE_CHARS) };
        let failure = BenchmarkFailure { reason, output: String::new() };
        self.add_observed(launch, name.to_owned(), Err(failure))
    }

    /// Notes that an entry is not a time and is left out.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.left_out.push(shorten_name(name));
    }

    /// Returns the number of launches that already have the benchmark `name`, up to the first that
    /// does not have it.
    pub(super) fn count_launches_of(&self, name: &str) -> usize {
        self.seen.get(name).map_or(0, |seen| seen.count)
    }

    fn reserve_name(&mut self, launch: usize, name: &str) -> Result<(), AdapterError> {
        if name.trim().is_empty() {
            return Err(AdapterError::NoName);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(AdapterError::LongName(name.len()));
        }
        while self.launches.len() <= launch {
            self.launches.push(Vec::new());
        }
        let is_new = match self.seen.get_mut(name) {
            Some(seen) => seen.insert(launch),
            None => self.seen.entry(name.to_owned()).or_default().insert(launch),
        };
        if is_new { Ok(()) } else { Err(AdapterError::Repeated(shorten_name(name))) }
    }

    fn push(
        &mut self,
        launch: usize,
        name: String,
        observed: Result<Observation, BenchmarkFailure>,
    ) {
        let benchmarks = &mut self.launches[launch];
        if benchmarks.capacity() == 0 {
            // Many launches of a single benchmark are kept without spare room.
            benchmarks.reserve_exact(1);
        }
        benchmarks.push((BenchmarkId { name, package: None }, observed));
    }

    /// Returns the launches, with the conditions of the file.
    ///
    /// # Errors
    ///
    /// Fails if the file has no benchmark with times.
    pub(super) fn finish(self) -> Result<AdapterRun, AdapterError> {
        let Self { mut launches, left_out, conditions, .. } = self;
        launches.retain(|launch| !launch.is_empty());
        if launches.is_empty() {
            let first = left_out.into_iter().next();
            return Err(first.map_or(AdapterError::Empty, AdapterError::NoTime));
        }
        let conditions = Arc::new(conditions);
        let observed = launches.iter_mut().flatten().filter_map(|(_, seen)| seen.as_mut().ok());
        for observation in observed {
            if observation.conditions.is_empty() {
                observation.conditions = Arc::clone(&conditions);
                continue;
            }
            let own = Arc::make_mut(&mut observation.conditions);
            for (key, value) in &*conditions {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let harness = conditions.get(HARNESS_CONDITION).cloned().unwrap_or_default();
        Ok(AdapterRun { harness, launches, left_out })
    }
}

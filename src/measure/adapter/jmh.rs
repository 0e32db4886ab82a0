//! JMH: `-rf json -rff FILE`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{expand_histogram, find_unit, parse_json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JmhResult<'a> {
    #[serde(borrow)]
    benchmark: Cow<'a, str>,
    #[serde(borrow)]
    mode: Cow<'a, str>,
    threads: Option<f64>,
    #[serde(borrow)]
    jmh_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    jdk_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    vm_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    #[serde(borrow)]
    primary_metric: JmhMetric<'a>,
    #[serde(borrow, default)]
    secondary_metrics: BTreeMap<Cow<'a, str>, JmhMetric<'a>>,
}

/// A figure. Its data are by fork, and then by iteration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JmhMetric<'a> {
    #[serde(borrow)]
    score_unit: Cow<'a, str>,
    #[serde(default)]
    raw_data: Vec<Vec<JmhNumber>>,
    /// Pairs of a time and how many calls took it.
    #[serde(default)]
    raw_data_histogram: Vec<Vec<Vec<(f64, f64)>>>,
}

/// JMH writes a number that is not one as text.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a number or \"NaN\"")]
enum JmhNumber {
    Number(f64),
    Word(serde::de::IgnoredAny),
}

impl JmhNumber {
    fn get(self) -> f64 {
        match self {
            Self::Number(value) => value,
            Self::Word(_) => f64::NAN,
        }
    }
}

/// The times of each fork, with the number of nanoseconds of their unit.
type ForkTimes = Vec<(Vec<f64>, f64)>;

/// Reads the data of each fork as a launch. An iteration is one sample: a batch, or a single call in
/// the mode `ss`. The mode `sample` has the times of calls.
///
/// # Errors
///
/// Fails if the file is not what JMH writes or has no raw data.
pub(super) fn parse_jmh(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let results: Vec<JmhResult<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new("jmh");
    for result in results {
        let name = format_name(&result);
        let runtime = result.vm_name.as_ref().zip(result.jdk_version.as_ref());
        let runtime = runtime.map(|(name, version)| format!("{name} {version}"));
        let Some(forks) = list_forks(&name, &result)? else {
            run.leave_out(&name);
            continue;
        };
        if forks.is_empty() {
            return Err(AdapterError::Missing { name: shorten_name(&name), field: "rawData" });
        }
        for (fork, (times, unit)) in forks.into_iter().enumerate() {
            let entry = match &*result.mode {
                "sample" | "ss" => AdapterEntry::of_calls(name.clone(), times, unit),
                _ => AdapterEntry::of_batches(name.clone(), times, unit, None),
            };
            let entry = entry
                .with_metric("allocated_bytes", find_allocated(&result, fork))
                .with_condition("harness-version", result.jmh_version.as_deref())
                .with_condition("runtime", runtime.as_deref())
                .with_condition("threads", result.threads);
            run.add(fork, entry)?;
        }
    }
    run.finish()
}

/// Returns the name with the parameters: `example.Sort.quick/size=10`.
fn format_name(result: &JmhResult<'_>) -> String {
    let params = result.params.iter().flatten().map(|(key, value)| format!("/{key}={value}"));
    result.benchmark.to_string() + &params.collect::<String>()
}

/// Returns the times of each fork with their unit. Returns `None` if the figure is not a time.
fn list_forks(name: &str, result: &JmhResult<'_>) -> Result<Option<ForkTimes>, AdapterError> {
    let metric = &result.primary_metric;
    let unknown =
        || AdapterError::Unit { name: shorten_name(name), unit: shorten_name(&metric.score_unit) };
    let data = || {
        metric
            .raw_data
            .iter()
            .map(|fork| fork.iter().map(|number| number.get()).collect::<Vec<_>>())
    };
    if let Some(unit) = metric.score_unit.strip_prefix("ops/") {
        // The time per operation is exact for one thread: its time by its number of operations.
        if result.threads.is_some_and(|threads| threads > 1.0) {
            return Ok(None);
        }
        let unit = find_unit(unit).ok_or_else(unknown)?;
        let forks = data().map(|fork| (fork.iter().map(|rate| rate.recip()).collect(), unit));
        return Ok(Some(forks.collect()));
    }
    let Some(unit) = metric.score_unit.strip_suffix("/op") else { return Err(unknown()) };
    let unit = find_unit(unit).ok_or_else(unknown)?;
    if metric.raw_data_histogram.is_empty() {
        return Ok(Some(data().map(|fork| (fork, unit)).collect()));
    }
    let forks = metric
        .raw_data_histogram
        .iter()
        .map(|fork| Ok((expand_histogram(name, fork.iter().flatten().copied())?, unit)));
    forks.collect::<Result<_, _>>().map(Some)
}

/// Returns the bytes that one call allocated in a fork, which JMH measures with `-prof gc`.
fn find_allocated(result: &JmhResult<'_>, fork: usize) -> Option<f64> {
    let mut metrics = result.secondary_metrics.iter();
    let (_, metric) = metrics.find(|(key, _)| key.ends_with("gc.alloc.rate.norm"))?;
    let data = metric.raw_data.get(fork).filter(|_| metric.score_unit == "B/op")?;
    let sum: f64 = data.iter().map(|number| number.get()).sum();
    Some(sum / data.len() as f64).filter(|mean| mean.is_finite() && *mean >= 0.0)
}

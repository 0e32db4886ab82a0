//! The content of `perfgate.toml`, as it is written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::claim::{BetterDirection, SumRule};
use super::figure::{LimitText, RateLimit};
use super::source::SourceConfig;
use super::{
    ConfigRemedy, FailOn, LimitSide, Metric, PEAK_RSS_METRIC, PolicyError, TargetFigure,
    TargetLimit,
};
use crate::measure::effort::MIN_LAUNCH_CALLS;
use crate::text::find_near_word;
use crate::units::{Confidence, Nanos, Percent, RequestRate};

/// Largest number of launches per side that can be asked for.
pub(crate) const MAX_LAUNCHES: u32 = 1000;

/// The whole file. Every part is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How much to measure.
    pub(crate) measure: MeasureConfig,
    /// What is tolerated, and what fails.
    pub(crate) gate: GateConfig,
    /// Absolute limits.
    pub(crate) target: Vec<TargetConfig>,
    /// Exceptions by pattern; the last match wins.
    pub(crate) bench: Vec<BenchConfig>,
    /// Metrics whose change is judged.
    pub(crate) metric: Vec<MetricConfig>,
    /// Claims about the ratio of two benchmarks.
    pub(crate) expect: Vec<ExpectConfig>,
    /// What the machine costs.
    pub(crate) cost: Option<CostConfig>,
    /// Where baselines are stored.
    pub(crate) store: StoreConfig,
}

/// `[measure]`: how much to measure. An absent key leaves the choice to the command line or to the
/// default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct MeasureConfig {
    /// Number of processes per side.
    #[serde(deserialize_with = "deserialize_launches")]
    pub(crate) launches: Option<u32>,
    /// Largest number of calls per launch.
    #[serde(deserialize_with = "deserialize_calls")]
    pub(crate) calls: Option<u32>,
    /// Least time of the calls of a benchmark per launch.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) launch_time: Option<Nanos>,
    /// Longest time that all rounds together may take, with their pilot launches.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) budget: Option<Nanos>,
    /// Longest time that one launch may take.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) timeout: Option<Nanos>,
    /// Command that is run in each worktree before it is built.
    pub(crate) prepare: Option<String>,
    /// Whether each benchmark gets a process of its own, so that its memory is its own.
    pub(crate) memory: Option<bool>,
    /// What is measured. Criterion benches if it is absent.
    pub(crate) source: Option<SourceConfig>,
}

/// `[gate]`: what is tolerated in the whole suite. An absent key means the default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct GateConfig {
    /// Slowdown up to which a change is tolerated.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) threshold: Option<Percent>,
    /// Slowdown that must be found.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) detect: Option<Percent>,
    /// Least tolerated slowdown in absolute terms, per call.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) min_effect: Option<Nanos>,
    /// Confidence of the intervals that are shown.
    pub(crate) confidence: Option<Confidence>,
    /// Reasons that fail a check.
    pub(crate) fail_on: Option<Vec<FailOn>>,
}

/// `[[target]]`: absolute limits for the benchmarks that a pattern matches, or for a sum of
/// benchmarks. `None` means no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct TargetConfig {
    /// Glob pattern for the ids of the benchmarks. `None` for a sum.
    pub(crate) bench: Option<String>,
    /// Name of the target in reports.
    pub(crate) name: Option<String>,
    /// Ids of the benchmarks whose calls follow each other.
    pub(crate) sum: Option<Vec<String>>,
    /// How many times the calls are repeated.
    pub(crate) times: Option<u32>,
    /// Rate of requests at which the limits must hold, of a service under load.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) at: Option<RequestRate>,
    /// Limit on the mean time of a call.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) mean: Option<Nanos>,
    /// Limit on the median.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) p50: Option<Nanos>,
    /// Limit on the 90th percentile.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) p90: Option<Nanos>,
    /// Limit on the 95th percentile.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) p95: Option<Nanos>,
    /// Limit on the 99th percentile.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) p99: Option<Nanos>,
    /// Least amount that is handled per second.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) throughput: Option<RateLimit>,
    /// Limit on the memory of the process.
    pub(crate) peak_rss: Option<LimitText>,
    /// Upper limits of metrics, by name.
    pub(crate) max: BTreeMap<String, LimitText>,
    /// Lower limits of metrics, by name.
    pub(crate) min: BTreeMap<String, LimitText>,
}

/// `[[metric]]`: a metric of launches whose change is judged like that of the median.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MetricConfig {
    /// Name of the metric.
    pub(crate) name: String,
    /// Glob pattern for the ids of the benchmarks. All if it is absent.
    pub(crate) bench: Option<String>,
    /// Worsening up to which a change is tolerated.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) threshold: Option<Percent>,
    /// Worsening that must be found.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) detect: Option<Percent>,
    /// Whether less or more is better.
    #[serde(default)]
    pub(crate) better: BetterDirection,
}

/// `[[expect]]`: a claim about the ratio of two benchmarks of one run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ExpectConfig {
    /// Name of the claim in reports.
    pub(crate) name: Option<String>,
    /// Ids of two benchmarks: the first is divided by the second.
    pub(crate) ratio: [String; 2],
    /// Least ratio.
    pub(crate) at_least: Option<f64>,
    /// Largest ratio.
    pub(crate) at_most: Option<f64>,
}

/// `[cost]`: what the machine costs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CostConfig {
    /// Price of an hour.
    pub(crate) per_hour: f64,
    /// What is paid for.
    pub(crate) name: Option<String>,
    /// Currency of the price.
    pub(crate) currency: Option<String>,
}

/// `[[bench]]`: an exception from `[gate]` for the benchmarks that a pattern matches. An absent key
/// inherits the value of `[gate]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BenchConfig {
    /// Glob pattern for the ids of the benchmarks.
    #[serde(rename = "match")]
    pub(crate) pattern: String,
    /// Slowdown up to which a change is tolerated.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) threshold: Option<Percent>,
    /// Slowdown that must be found.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) detect: Option<Percent>,
    /// Least tolerated slowdown in absolute terms, per call.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) min_effect: Option<Nanos>,
}

/// `[store]`: where baselines are stored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    /// Address of the store: `git:BRANCH` or `dir:PATH`.
    pub(crate) url: Option<String>,
}

/// Reads a number of launches. Fails if it is not one that the command line accepts.
fn deserialize_launches<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    let launches = u32::deserialize(deserializer)?;
    if (1..=MAX_LAUNCHES).contains(&launches) {
        return Ok(Some(launches));
    }
    let message = format!("`launches = {launches}` is not between 1 and {MAX_LAUNCHES}");
    Err(serde::de::Error::custom(message))
}

/// Reads a number of calls. Fails if it is not one that the command line accepts.
fn deserialize_calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let calls = u32::deserialize(deserializer)?;
    if calls >= MIN_LAUNCH_CALLS {
        return Ok(Some(calls));
    }
    let message = format!("`calls = {calls}` is less than {MIN_LAUNCH_CALLS}");
    Err(serde::de::Error::custom(message))
}

/// Reads a value from its text form.
///
/// Fails if the value is not a string, or if the string is not a valid `T`.
fn deserialize_from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Config {
    /// Reads the text of the file.
    ///
    /// Fails if the text is not TOML, has an unknown key, or has a value of the wrong kind. The
    /// error has the remedy, if one is known.
    pub(crate) fn from_toml(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
            PolicyError::Toml {
                line: before.matches('\n').count() + 1,
                message: error.message().lines().collect::<Vec<_>>().join(" "),
                remedy: find_remedy(error.message()),
            }
        })
    }
}

/// Returns the remedy for the problem that serde's message describes, or `None` if none is known.
fn find_remedy(message: &str) -> Option<ConfigRemedy> {
    if message.starts_with("unknown field ") || message.starts_with("unknown variant ") {
        // The unknown word is quoted first, and then all known ones.
        let mut names = message.split('`').skip(1).step_by(2);
        let unknown = names.next()?;
        let known: Vec<&str> = names.collect();
        return Some(match find_near_word(unknown, known.iter().copied()) {
            Some(nearest) => ConfigRemedy::Nearest(nearest.to_owned()),
            None => ConfigRemedy::Known(known.into_iter().map(str::to_owned).collect()),
        });
    }
    let (_, expected) = message
        .strip_prefix("invalid type: ")
        .or(message.strip_prefix("invalid value: "))?
        .rsplit_once("expected ")?;
    Some(match expected.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["a", "string", ..] => ConfigRemedy::Text,
        ["a", "sequence", ..] => ConfigRemedy::List,
        ["u32" | "u64", ..] => ConfigRemedy::Number,
        _ => return None,
    })
}

impl TargetConfig {
    /// Returns the limits on times, by metric. Metrics without a limit are left out.
    fn time_limits(&self) -> Vec<(Metric, Nanos)> {
        let limits = [
            (Metric::Mean, self.mean),
            (Metric::P50, self.p50),
            (Metric::P90, self.p90),
            (Metric::P95, self.p95),
            (Metric::P99, self.p99),
        ];
        limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect()
    }

    /// Returns all limits.
    ///
    /// Fails if the limit of a metric has another unit than the metric.
    pub(super) fn limits(&self) -> Result<Vec<TargetLimit>, PolicyError> {
        let name = self.name.clone();
        let times = self.time_limits().into_iter();
        let mut limits: Vec<TargetLimit> = times
            .map(|(metric, limit)| TargetLimit {
                name: name.clone(),
                ..TargetLimit::from_time(metric, limit)
            })
            .collect();
        limits.extend(self.throughput.clone().map(|rate| TargetLimit {
            figure: TargetFigure::Throughput(rate.unit),
            side: LimitSide::AtLeast,
            value: rate.per_second,
            name: name.clone(),
        }));
        let peak = self.peak_rss.iter().map(|text| (PEAK_RSS_METRIC, text, LimitSide::AtMost));
        if self.peak_rss.is_some() && self.max.contains_key(PEAK_RSS_METRIC) {
            return Err(PolicyError::TargetLimit {
                bench: self.bench.clone().unwrap_or_default(),
                why: format!("`peak-rss` and `max` both limit `{PEAK_RSS_METRIC}`"),
            });
        }
        let most = self.max.iter().map(|(key, text)| (key.as_str(), text, LimitSide::AtMost));
        let least = self.min.iter().map(|(key, text)| (key.as_str(), text, LimitSide::AtLeast));
        for (metric, text, side) in peak.chain(most).chain(least) {
            let refuse = |why| PolicyError::TargetLimit {
                bench: self.bench.clone().unwrap_or_default(),
                why,
            };
            let figure = TargetFigure::try_from(metric.to_owned()).map_err(refuse)?;
            if !matches!(figure, TargetFigure::Reported(_)) {
                return Err(refuse(format!(
                    "`{metric}` is not a metric: write `{metric} = \"…\"`"
                )));
            }
            let value = text.parse(metric).map_err(refuse)?;
            limits.push(TargetLimit { figure, side, value, name: name.clone() });
        }
        Ok(limits)
    }

    /// Returns the rule if the target is about a sum or a repetition, or `None` if it is about
    /// single calls.
    ///
    /// Fails if it names benchmarks in two ways or in none, or if it limits something else than the
    /// time of the sum.
    pub(super) fn to_sum(&self) -> Result<Option<SumRule>, PolicyError> {
        let refuse = |why| Err(PolicyError::TargetOfNothing(why));
        let parts = match (&self.bench, &self.sum) {
            (Some(_), Some(_)) => return refuse("has both `bench` and `sum`"),
            (None, None) => return refuse("has neither `bench` nor `sum`"),
            (None, Some(parts)) if parts.is_empty() => return refuse("is a sum of nothing"),
            (None, Some(parts)) => parts.clone(),
            (Some(_), None) if self.times.is_none() => return Ok(None),
            (Some(bench), None) => vec![bench.clone()],
        };
        let times = self.times.unwrap_or(1);
        if times == 0 {
            return refuse("has `times = 0`");
        }
        let others = self.throughput.is_some() || self.peak_rss.is_some();
        if others || !self.max.is_empty() || !self.min.is_empty() {
            return refuse("limits something else than the time of a sum");
        }
        let limits = self.time_limits();
        let shown = parts.join(" + ");
        let name = self.name.clone().unwrap_or_else(|| match times {
            1 => shown.clone(),
            times => format!("{times} × {shown}"),
        });
        if limits.is_empty() {
            return Err(PolicyError::TargetWithoutLimit(name));
        }
        Ok(Some(SumRule { name, parts, times, limits }))
    }
}

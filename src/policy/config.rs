//! `perfgate.toml`, as it is written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::{FailOn, Metric, PolicyError};
use crate::units::{Confidence, Nanos, Percent};

/// The whole file; every part may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How much to measure.
    pub(crate) measure: MeasureConfig,
    /// What is tolerated.
    pub(crate) gate: GateConfig,
    /// Absolute limits.
    pub(crate) target: Vec<TargetConfig>,
    /// Exceptions by pattern; the last match wins.
    pub(crate) bench: Vec<BenchConfig>,
    /// Where baselines are kept.
    pub(crate) store: StoreConfig,
}

/// `[measure]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MeasureConfig {
    /// Processes per side.
    pub(crate) launches: Option<u32>,
    /// Calls per launch, at most.
    pub(crate) calls: Option<u32>,
    /// Longest time all rounds together may take.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) budget: Option<Nanos>,
    /// Longest time one launch may take.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) timeout: Option<Nanos>,
    /// Run in each worktree before it is built.
    pub(crate) prepare: Option<String>,
}

/// `[gate]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct GateConfig {
    /// A slowdown up to this is tolerated.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) threshold: Option<Percent>,
    /// A slowdown of this size must be found.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) detect: Option<Percent>,
    /// The tolerated slowdown is never less than this in absolute terms.
    #[serde(deserialize_with = "deserialize_from_text")]
    pub(crate) min_effect: Option<Nanos>,
    /// Confidence of the intervals shown.
    pub(crate) confidence: Option<Confidence>,
    /// Which reasons fail.
    pub(crate) fail_on: Option<Vec<FailOn>>,
}

/// `[[target]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetConfig {
    /// Which benchmarks.
    pub(crate) bench: String,
    /// The limits.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) mean: Option<Nanos>,
    /// Limit on the median.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) p50: Option<Nanos>,
    /// Limit on the 90th percentile.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) p90: Option<Nanos>,
    /// Limit on the 95th percentile.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) p95: Option<Nanos>,
    /// Limit on the 99th percentile.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) p99: Option<Nanos>,
}

/// `[[bench]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BenchConfig {
    /// Which benchmarks.
    #[serde(rename = "match")]
    pub(crate) pattern: String,
    /// A slowdown up to this is tolerated.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) threshold: Option<Percent>,
    /// A slowdown of this size must be found.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) detect: Option<Percent>,
    /// The tolerated slowdown is never less than this in absolute terms.
    #[serde(default, deserialize_with = "deserialize_from_text")]
    pub(crate) min_effect: Option<Nanos>,
}

/// `[store]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    /// `git:BRANCH` or `dir:PATH`.
    pub(crate) url: Option<String>,
}

fn deserialize_from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Config {
    /// Reads the file's text.
    pub(crate) fn from_toml(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
            PolicyError::Toml {
                line: before.matches('\n').count() + 1,
                message: error.message().lines().collect::<Vec<_>>().join(" "),
                nearest: find_nearest_key(error.message()).map(str::to_owned),
            }
        })
    }
}

/// The known key nearest to the unknown one that serde's message names first.
fn find_nearest_key(message: &str) -> Option<&str> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names.min_by_key(|known| strsim::damerau_levenshtein(unknown, known))
}

impl TargetConfig {
    /// The limits by metric.
    pub(super) fn limits(&self) -> BTreeMap<Metric, Nanos> {
        let limits = [
            (Metric::Mean, self.mean),
            (Metric::P50, self.p50),
            (Metric::P90, self.p90),
            (Metric::P95, self.p95),
            (Metric::P99, self.p99),
        ];
        limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect()
    }
}

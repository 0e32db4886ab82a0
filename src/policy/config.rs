//! `perfgate.toml`, as it is written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::{FailOn, Metric, PolicyError};
use crate::units::{Confidence, Nanos, Share};

/// The whole file; every part may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How much to measure.
    pub measure: MeasureConfig,
    /// What is tolerated.
    pub gate: GateConfig,
    /// Absolute limits.
    pub target: Vec<TargetConfig>,
    /// Exceptions by pattern; the last match wins.
    pub bench: Vec<BenchConfig>,
    /// Where baselines are kept.
    pub store: StoreConfig,
}

/// `[measure]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeasureConfig {
    /// Processes per side.
    pub launches: Option<u32>,
    /// Calls per launch, at most.
    pub calls: Option<u32>,
    /// Longest time all rounds together may take.
    #[serde(deserialize_with = "written")]
    pub budget: Option<Nanos>,
    /// Longest time one launch may take.
    #[serde(deserialize_with = "written")]
    pub timeout: Option<Nanos>,
    /// Run in each worktree before it is built.
    pub prepare: Option<String>,
}

/// `[gate]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct GateConfig {
    /// A slowdown up to this is tolerated.
    #[serde(deserialize_with = "written")]
    pub threshold: Option<Share>,
    /// A slowdown of this size must be found.
    #[serde(deserialize_with = "written")]
    pub detect: Option<Share>,
    /// The tolerated slowdown is never less than this in absolute terms.
    #[serde(deserialize_with = "written")]
    pub min_effect: Option<Nanos>,
    /// Confidence of the intervals shown.
    pub confidence: Option<Confidence>,
    /// Which reasons fail.
    pub fail_on: Option<Vec<FailOn>>,
}

/// `[[target]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// Which benchmarks.
    pub bench: String,
    /// The limits.
    #[serde(default, deserialize_with = "written")]
    pub mean: Option<Nanos>,
    /// Limit on the median.
    #[serde(default, deserialize_with = "written")]
    pub p50: Option<Nanos>,
    /// Limit on the 90th percentile.
    #[serde(default, deserialize_with = "written")]
    pub p90: Option<Nanos>,
    /// Limit on the 95th percentile.
    #[serde(default, deserialize_with = "written")]
    pub p95: Option<Nanos>,
    /// Limit on the 99th percentile.
    #[serde(default, deserialize_with = "written")]
    pub p99: Option<Nanos>,
}

/// `[[bench]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BenchConfig {
    /// Which benchmarks.
    #[serde(rename = "match")]
    pub pattern: String,
    /// A slowdown up to this is tolerated.
    #[serde(default, deserialize_with = "written")]
    pub threshold: Option<Share>,
    /// A slowdown of this size must be found.
    #[serde(default, deserialize_with = "written")]
    pub detect: Option<Share>,
    /// The tolerated slowdown is never less than this in absolute terms.
    #[serde(default, deserialize_with = "written")]
    pub min_effect: Option<Nanos>,
}

/// `[store]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `git:BRANCH` or `dir:PATH`.
    pub url: Option<String>,
}

fn written<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Config {
    /// Reads the file's text.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
            PolicyError::Toml {
                line: before.matches('\n').count() + 1,
                message: error.message().lines().collect::<Vec<_>>().join(" "),
                nearest: nearest_known(error.message()).map(str::to_owned),
            }
        })
    }
}

/// The known key nearest to the unknown one that serde's message names first.
fn nearest_known(message: &str) -> Option<&str> {
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

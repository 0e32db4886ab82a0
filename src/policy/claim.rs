//! Rules about more than the time of one benchmark: judged metrics, sums of benchmarks, ratios of two
//! benchmarks, and the price of an hour.

use serde::{Deserialize, Serialize};

use super::Metric;
use super::config::{CostConfig, ExpectConfig, MetricConfig};
use super::{DEFAULT_DETECT, DEFAULT_THRESHOLD, DETECT_MARGIN, PolicyError};
use crate::selection::IdPattern;
use crate::units::{Amount, Nanos, Percent};

/// Whether a metric is better if it is lower or higher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BetterDirection {
    /// Less is better: bytes, errors, allocations.
    #[default]
    Lower,
    /// More is better: accuracy.
    Higher,
}

impl BetterDirection {
    /// Returns whether less is better, which files leave out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_lower(&self) -> bool {
        *self == Self::Lower
    }
}

/// A metric whose change the gate judges, like the median.
#[derive(Clone, Debug)]
pub(crate) struct MetricRule {
    /// Name of the metric.
    pub(crate) name: String,
    /// The benchmarks that it is judged for.
    pub(crate) pattern: IdPattern,
    /// Worsening that is tolerated.
    pub(crate) threshold: Percent,
    /// Worsening that must be found.
    pub(crate) detect: Percent,
    /// Whether less or more is better.
    pub(crate) better: BetterDirection,
}

/// A target on a sum: one call of each part after the other, all of it a number of times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SumRule {
    /// Name of the target.
    pub(crate) name: String,
    /// The ids of the benchmarks that are added up. An id may appear several times.
    pub(crate) parts: Vec<String>,
    /// How many times the parts follow each other.
    pub(crate) times: u32,
    /// The limits.
    pub(crate) limits: Vec<(Metric, Nanos)>,
}

/// A claim about the ratio of two benchmarks of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpectRule {
    /// Name of the claim.
    pub(crate) name: String,
    /// Id of the benchmark whose median is divided.
    pub(crate) numerator: String,
    /// Id of the benchmark by whose median it is divided.
    pub(crate) denominator: String,
    /// Least ratio. `None` if there is no least one.
    pub(crate) at_least: Option<f64>,
    /// Largest ratio. `None` if there is no largest one.
    pub(crate) at_most: Option<f64>,
}

/// What an hour of the machine costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HourPrice {
    /// Price of an hour.
    pub(crate) per_hour: Amount,
    /// What is paid for, such as a machine type. `None` if it was not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Currency of the price. `None` if it was not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) currency: Option<String>,
}

/// Builds the rules about metrics.
///
/// # Errors
///
/// Fails if a pattern is not valid, if `detect` does not exceed `threshold`, or if a name is that of a
/// time of a call.
pub(super) fn build_metric_rules(metrics: &[MetricConfig]) -> Result<Vec<MetricRule>, PolicyError> {
    metrics.iter().map(build_metric_rule).collect()
}

fn build_metric_rule(metric: &MetricConfig) -> Result<MetricRule, PolicyError> {
    let name = metric.name.clone();
    if Metric::ALL.into_iter().any(|time| time.name() == name) {
        return Err(PolicyError::MetricOfTime(name));
    }
    let threshold = metric.threshold.map_or(DEFAULT_THRESHOLD, Percent::get);
    let inherited = DEFAULT_DETECT.max(threshold + DETECT_MARGIN);
    let detect = metric.detect.map_or(inherited, Percent::get);
    if detect <= threshold {
        let at = format!(" for metric `{name}`");
        return Err(PolicyError::DetectTooLow { detect, threshold, at });
    }
    let to_percent = |share| Percent::new(share).expect("tolerances are finite and not negative");
    Ok(MetricRule {
        name,
        pattern: IdPattern::new(metric.bench.as_deref().unwrap_or("**"))?,
        threshold: to_percent(threshold),
        detect: to_percent(detect),
        better: metric.better,
    })
}

/// Builds the claims about ratios.
///
/// # Errors
///
/// Fails if a claim has no bound, or a bound that is not above zero, or if it divides a benchmark by
/// itself.
pub(super) fn build_expect_rules(expects: &[ExpectConfig]) -> Result<Vec<ExpectRule>, PolicyError> {
    expects.iter().map(build_expect_rule).collect()
}

fn build_expect_rule(expect: &ExpectConfig) -> Result<ExpectRule, PolicyError> {
    let [numerator, denominator] = expect.ratio.clone();
    let name = expect.name.clone().unwrap_or_else(|| format!("{numerator} ÷ {denominator}"));
    let bounds = [expect.at_least, expect.at_most];
    let refuse = |why: &'static str| PolicyError::Expect { name: name.clone(), why };
    if bounds == [None, None] {
        return Err(refuse("sets neither `at-least` nor `at-most`"));
    }
    if bounds.into_iter().flatten().any(|bound| !bound.is_finite() || bound <= 0.0) {
        return Err(refuse("has a bound that is not above zero"));
    }
    if expect.at_least.zip(expect.at_most).is_some_and(|(least, most)| least > most) {
        return Err(refuse("has an `at-least` above its `at-most`"));
    }
    if numerator == denominator {
        return Err(refuse("divides a benchmark by itself"));
    }
    let (at_least, at_most) = (expect.at_least, expect.at_most);
    Ok(ExpectRule { name, numerator, denominator, at_least, at_most })
}

/// Builds the price of an hour.
///
/// # Errors
///
/// Fails if the price is not a number above zero.
pub(super) fn build_hour_price(cost: &CostConfig) -> Result<HourPrice, PolicyError> {
    let per_hour = Amount::new(cost.per_hour).ok().filter(|price| price.get() > 0.0);
    let per_hour = per_hour.ok_or(PolicyError::Price(cost.per_hour))?;
    Ok(HourPrice { per_hour, name: cost.name.clone(), currency: cost.currency.clone() })
}

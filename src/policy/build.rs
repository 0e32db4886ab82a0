//! Builds the rules about metrics, ratios and costs from what `perfgate.toml` has.

use super::claim::{ExpectRule, HourPrice, MetricRule};
use super::config::{CostConfig, ExpectConfig, MetricConfig};
use super::figure::Metric;
use super::{DEFAULT_DETECT, DEFAULT_THRESHOLD, DETECT_MARGIN, PolicyError};
use crate::selection::IdPattern;
use crate::units::{Amount, Percent};

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

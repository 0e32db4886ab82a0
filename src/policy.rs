//! The policy of a check: thresholds and targets by benchmark pattern, from `perfgate.toml`.
//!
//! A `Policy` is the file combined with the command line. `BenchmarkRules` is the part of it that
//! applies to one benchmark.

mod config;
mod changes;
mod asked_rate;
pub(crate) mod trailer;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use asked_rate::AskedRates;
pub(crate) use changes::{RuleChange, list_rule_changes};
pub(crate) use config::{Config, MAX_LAUNCHES, MeasureConfig, TargetConfig};

use crate::run::{Benchmark, LaunchData, Sampling};
use crate::selection::{IdPattern, PatternError, Selection};
use crate::units::{Confidence, Nanos, Percent, Quantile, RequestRate};

/// Default of `threshold`: a slowdown of up to this share is tolerated.
const DEFAULT_THRESHOLD: f64 = 0.01;
/// Default of `detect`: a slowdown of this share must be found.
const DEFAULT_DETECT: f64 = 0.05;
/// Least distance between `detect` and `threshold` if the threshold is set without `detect`.
const DETECT_MARGIN: f64 = 0.04;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub(crate) enum PolicyError {
    /// The file is not TOML, has an unknown key, or has a value of the wrong kind.
    #[error("line {line}: {message}")]
    Toml {
        /// The line in the file, from 1.
        line: usize,
        /// What is wrong.
        message: String,
        /// What to write instead; `None` if that is not known.
        remedy: Option<ConfigRemedy>,
    },
    /// A glob pattern is not valid.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A `[[target]]` limits nothing.
    #[error("`[[target]]` for `{0}` sets no limit")]
    TargetWithoutLimit(String),
    /// `detect` does not exceed `threshold`.
    #[error("detect ({}) must exceed threshold ({}){at}", show_percent(*.detect), show_percent(*.threshold))]
    DetectTooLow {
        /// The slowdown that must be found, as a share.
        detect: f64,
        /// The slowdown that is tolerated, as a share.
        threshold: f64,
        /// The end of the message that names the benchmarks; empty for the whole suite.
        at: String,
    },
    /// A target limits a percentile of single calls, but the benchmark is measured in batches.
    #[error("{0}")]
    PercentileOfBatches(String),
    /// An unknown word in `fail-on`.
    #[error(
        "`{0}` is not a reason to fail: use regressed, target-missed, missing, failed, \
         target-unproven or inconclusive"
    )]
    FailOn(String),
}

/// What to write in place of something that `perfgate.toml` may not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigRemedy {
    /// The known key or word that is similar.
    Nearest(String),
    /// One of the known keys or words, none of which is similar.
    Known(Vec<String>),
    /// Text in quotes, where a number was.
    Text,
    /// A whole number without quotes.
    Number,
    /// A list.
    List,
}

/// A figure of a benchmark that a target can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Metric {
    /// Mean time of a call.
    Mean,
    /// Median of single calls.
    P50,
    /// 90th percentile of single calls.
    P90,
    /// 95th percentile of single calls.
    P95,
    /// 99th percentile of single calls.
    P99,
}

/// Formats a share as a percentage with at most two decimals.
fn show_percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 100.0)
}

impl Metric {
    /// Returns the quantile of single calls that the metric stands for, or `None` for the mean.
    pub(crate) fn quantile(self) -> Option<Quantile> {
        let q = match self {
            Self::Mean => return None,
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        };
        Some(Quantile::new(q).expect("each lies strictly between 0 and 1"))
    }

    /// Returns the name that files and flags use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }
}

/// A reason for which a check does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FailOn {
    /// A benchmark is slower than tolerated.
    Regressed,
    /// A target is missed.
    TargetMissed,
    /// A benchmark of the baseline is gone.
    Missing,
    /// A benchmark could not be measured.
    Failed,
    /// A target cannot be shown to hold.
    TargetUnproven,
    /// The data do not show whether a benchmark changed.
    Inconclusive,
}

impl FailOn {
    /// All reasons.
    pub(crate) const ALL: [Self; 6] = [
        Self::Regressed,
        Self::TargetMissed,
        Self::Missing,
        Self::Failed,
        Self::TargetUnproven,
        Self::Inconclusive,
    ];

    /// Returns the word that the command line and files use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::TargetMissed => "target-missed",
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::TargetUnproven => "target-unproven",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl FromStr for FailOn {
    type Err = PolicyError;

    fn from_str(word: &str) -> Result<Self, PolicyError> {
        let known = Self::ALL.into_iter().find(|reason| reason.name() == word);
        known.ok_or_else(|| PolicyError::FailOn(word.to_owned()))
    }
}

/// The rules of a check: what is tolerated, which limits hold, and which reasons fail.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Which benchmarks are judged.
    pub(crate) selection: Selection,
    /// Confidence of the intervals shown.
    pub(crate) confidence: Confidence,
    requires_baseline: bool,
    /// Whether only some packages of the suite are measured.
    is_partial: bool,
    varied_conditions: BTreeSet<String>,
    fail_on: Vec<FailOn>,
    tolerance: Tolerance,
    exceptions: Vec<(IdPattern, Tolerance)>,
    targets: Vec<TargetRule>,
    /// Targets of a configuration that is not in force yet. They only make limits stricter.
    proposed_targets: Vec<TargetRule>,
    /// Targets of the command line, which replace all others.
    flag_targets: Vec<TargetRule>,
    /// Rates of requests at which targets are asked.
    asked_rates: AskedRates,
}

/// How much a benchmark may become slower.
#[derive(Clone, Copy, Debug)]
struct Tolerance {
    /// Slowdown up to which a change is tolerated, as a share.
    threshold: f64,
    /// Slowdown that must be found, as a share.
    detect: f64,
    /// Least tolerated slowdown in nanoseconds per call.
    min_effect: f64,
}

/// The limits of one `[[target]]`, or of the command line.
#[derive(Clone, Debug)]
struct TargetRule {
    pattern: IdPattern,
    limits: BTreeMap<Metric, Nanos>,
}

/// A rule for the benchmarks that a pattern names: a `[[target]]`, a `[[bench]]`, or the targets of
/// the command line.
#[derive(Clone, Debug)]
pub(crate) struct PolicyRule<'a> {
    /// The pattern.
    pub(crate) pattern: &'a IdPattern,
    /// The metrics that the rule limits. Empty if it sets no target.
    pub(crate) metrics: Vec<Metric>,
}

/// The part of the policy that applies to one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BenchmarkRules {
    /// Slowdown up to which a change is tolerated.
    pub(crate) threshold: Percent,
    /// Slowdown that must be found.
    pub(crate) detect: Percent,
    /// Absolute limits by metric; empty without targets.
    pub(crate) targets: Vec<(Metric, Nanos)>,
}

impl Policy {
    /// Builds the policy of a configuration. `flags` are targets for every benchmark, which override
    /// those of the configuration.
    ///
    /// Fails if a pattern is not valid, if a `[[target]]` sets no limit, or if `detect` does not
    /// exceed `threshold` somewhere.
    pub(crate) fn new(
        config: &Config,
        flags: &BTreeMap<Metric, Nanos>,
        selection: Selection,
    ) -> Result<Self, PolicyError> {
        // Exceptions start from the values of `[gate]`, which start from the defaults.
        let gate = &config.gate;
        let defaults =
            Tolerance { threshold: DEFAULT_THRESHOLD, detect: DEFAULT_DETECT, min_effect: 0.0 };
        let tolerance = defaults.override_with(gate.threshold, gate.detect, gate.min_effect, "")?;
        let mut exceptions = Vec::new();
        for bench in &config.bench {
            let scope = format!(" for `{}`", bench.pattern);
            let exception =
                tolerance.override_with(bench.threshold, bench.detect, bench.min_effect, &scope)?;
            exceptions.push((IdPattern::new(&bench.pattern)?, exception));
        }
        let targets = build_target_rules(&config.target)?;
        let mut flag_targets = Vec::new();
        if !flags.is_empty() {
            flag_targets.push(TargetRule { pattern: IdPattern::new("**")?, limits: flags.clone() });
        }
        let fail_on = gate.fail_on.clone().unwrap_or_else(|| {
            vec![FailOn::Regressed, FailOn::TargetMissed, FailOn::Missing, FailOn::Failed]
        });
        let confidence = gate.confidence.unwrap_or(Confidence::DEFAULT);
        Ok(Self {
            selection,
            confidence,
            requires_baseline: false,
            is_partial: false,
            varied_conditions: BTreeSet::new(),
            fail_on,
            tolerance,
            exceptions,
            targets,
            proposed_targets: Vec::new(),
            flag_targets,
            asked_rates: AskedRates::from_targets(&config.target)?,
        })
    }

    /// Returns the policy that also judges by these targets where they limit more than its own: a
    /// change may add targets for itself, but not loosen any.
    ///
    /// Fails if a pattern is not valid, or if a target sets no limit.
    pub(crate) fn with_proposed_targets(
        mut self,
        targets: &[TargetConfig],
    ) -> Result<Self, PolicyError> {
        self.proposed_targets = build_target_rules(targets)?;
        self.asked_rates = self.asked_rates.with_proposed(targets)?;
        Ok(self)
    }

    /// Returns the policy whose targets are all asked at the rate of the command line, if it names one.
    #[must_use]
    pub(crate) fn with_target_rate(mut self, rate: Option<RequestRate>) -> Self {
        self.asked_rates = self.asked_rates.override_with_flag(rate);
        self
    }

    /// Returns the rate of requests at which the targets of the benchmark `id` must hold. Returns
    /// `None` if they are asked at no rate.
    pub(crate) fn find_asked_rate(&self, id: &str) -> Option<RequestRate> {
        self.asked_rates.find(id)
    }

    /// Returns the policy with this setting: if `is_required`, a check without a baseline is
    /// inconclusive.
    #[must_use]
    pub(crate) fn with_required_baseline(mut self, is_required: bool) -> Self {
        self.requires_baseline = is_required;
        self
    }

    /// Returns the policy with this setting: if `is_partial`, only some packages of the suite are
    /// measured.
    #[must_use]
    pub(crate) fn with_partial_suite(mut self, is_partial: bool) -> Self {
        self.is_partial = is_partial;
        self
    }

    /// Returns whether the benchmarks that are judged are all that a rule with this pattern could be
    /// about, so that a rule that matches none is a mistake: the whole suite, or the patterns of
    /// `--bench` select the one id that the rule names.
    pub(crate) fn covers_rule(&self, pattern: &IdPattern) -> bool {
        let is_selected = || !pattern.is_glob() && self.selection.selects(pattern.as_str());
        !self.is_partial && (self.selection.selects_all() || is_selected())
    }

    /// Returns whether a check without a baseline is inconclusive.
    pub(crate) fn requires_baseline(&self) -> bool {
        self.requires_baseline
    }

    /// Returns the policy under which runs are compared although the conditions `keys` differ.
    #[must_use]
    pub(crate) fn with_varied_conditions(mut self, keys: &[String]) -> Self {
        self.varied_conditions = keys.iter().cloned().collect();
        self
    }

    /// Returns whether runs are compared although the condition `key` differs.
    pub(crate) fn may_vary(&self, key: &str) -> bool {
        self.varied_conditions.contains(key)
    }

    /// Returns the reasons that keep a check from passing.
    pub(crate) fn fail_on(&self) -> &[FailOn] {
        &self.fail_on
    }

    /// Returns the rules for the benchmark `id`. `baseline_median` is its median in the baseline,
    /// or `None` if it is not known.
    pub(crate) fn resolve_rules(&self, id: &str, baseline_median: Option<Nanos>) -> BenchmarkRules {
        // Plan: take the tolerance of the last matching exception, widen it to `min_effect`
        // relative to the median, and merge the limits of all matching targets; later targets
        // override earlier ones. `detect` keeps its distance to the widened threshold.
        let exception = self.exceptions.iter().rev().find(|(pattern, _)| pattern.matches(id));
        let Tolerance { threshold, detect, min_effect } =
            exception.map_or(self.tolerance, |(_, tolerance)| *tolerance);
        let relative_min_effect = baseline_median
            .map_or(0.0, |median| if median.get() > 0.0 { min_effect / median.get() } else { 0.0 });
        let tolerated = threshold.max(relative_min_effect);
        let to_percent =
            |value| Percent::new(value).expect("tolerances are finite and not negative");
        let mut targets = merge_limits(&self.targets, id);
        for (metric, limit) in merge_limits(&self.proposed_targets, id) {
            let own = targets.entry(metric).or_insert(limit);
            *own = limit.min(*own);
        }
        targets.extend(merge_limits(&self.flag_targets, id));
        BenchmarkRules {
            threshold: to_percent(tolerated),
            detect: to_percent(detect.max(tolerated + detect - threshold)),
            targets: targets.into_iter().collect(),
        }
    }

    /// Yields every rule that names benchmarks by a pattern.
    pub(crate) fn list_rules(&self) -> impl Iterator<Item = PolicyRule<'_>> {
        let exceptions = self.exceptions.iter().map(|(pattern, _)| (pattern, Vec::new()));
        let targets =
            self.target_rules().map(|rule| (&rule.pattern, rule.limits.keys().copied().collect()));
        exceptions.chain(targets).map(|(pattern, metrics)| PolicyRule { pattern, metrics })
    }

    /// Yields the rules that set targets, wherever they come from.
    fn target_rules(&self) -> impl Iterator<Item = &TargetRule> {
        self.targets.iter().chain(&self.proposed_targets).chain(&self.flag_targets)
    }

    /// Refuses percentile targets that no benchmark can prove.
    ///
    /// Fails if all selected benchmarks that a percentile target matches are measured in batches
    /// whose numbers of calls are not known. If only some of them are, the target is *unproven* for
    /// those instead.
    pub(crate) fn check_targets(&self, benchmarks: &[Benchmark]) -> Result<(), PolicyError> {
        for rule in self.target_rules() {
            let percentile = rule.limits.keys().find(|metric| metric.quantile().is_some());
            let Some(percentile) = percentile else { continue };
            let mut limited = benchmarks
                .iter()
                .filter(|benchmark| self.selection.selects(&benchmark.id))
                .filter(|benchmark| rule.pattern.matches(&benchmark.id))
                .filter(|benchmark| !benchmark.launches.is_empty())
                .peekable();
            let Some(first) = limited.peek().map(|benchmark| benchmark.id.clone()) else {
                continue;
            };
            if limited.all(has_unknown_batches) {
                return Err(PolicyError::PercentileOfBatches(format!(
                    "`{first}` is measured in batches of an unknown number of calls, so it has no {} of \
                     single calls",
                    percentile.name()
                )));
            }
        }
        Ok(())
    }
}

/// Returns the rules of these targets, in the same order.
///
/// Fails if a pattern is not valid, or if a target sets no limit.
fn build_target_rules(targets: &[TargetConfig]) -> Result<Vec<TargetRule>, PolicyError> {
    let build_rule = |target: &TargetConfig| {
        let limits = target.limits();
        if limits.is_empty() {
            return Err(PolicyError::TargetWithoutLimit(target.bench.clone()));
        }
        Ok(TargetRule { pattern: IdPattern::new(&target.bench)?, limits })
    };
    targets.iter().map(build_rule).collect()
}

/// Returns the limits that `rules` set for the benchmark `id`. Later rules override earlier ones.
fn merge_limits(rules: &[TargetRule], id: &str) -> BTreeMap<Metric, Nanos> {
    let matching = rules.iter().filter(|rule| rule.pattern.matches(id));
    matching.flat_map(|rule| rule.limits.iter().map(|(metric, limit)| (*metric, *limit))).collect()
}

/// Returns whether `benchmark` is measured in batches whose numbers of calls are not known.
fn has_unknown_batches(benchmark: &Benchmark) -> bool {
    let are_unknown = benchmark.launches.iter().any(|launch| {
        launch.calls_per_sample.is_none() && matches!(launch.data, LaunchData::Samples(_))
    });
    benchmark.sampling == Sampling::Batch && are_unknown
}

impl Tolerance {
    /// Returns this tolerance with the given values in place of its own. `at` is the end of the
    /// error message.
    ///
    /// Fails if `detect` does not exceed the threshold.
    fn override_with(
        self,
        threshold: Option<Percent>,
        detect: Option<Percent>,
        min_effect: Option<Nanos>,
        at: &str,
    ) -> Result<Self, PolicyError> {
        let tolerated = threshold.map_or(self.threshold, Percent::get);
        let inherited = if threshold.is_some() { tolerated + DETECT_MARGIN } else { 0.0 };
        let detect = detect.map_or(self.detect.max(inherited), Percent::get);
        if detect <= tolerated {
            return Err(PolicyError::DetectTooLow {
                detect,
                threshold: tolerated,
                at: at.to_owned(),
            });
        }
        let min_effect = min_effect.map_or(self.min_effect, Nanos::get);
        Ok(Self { threshold: tolerated, detect, min_effect })
    }
}

#[cfg(test)]
mod tests;

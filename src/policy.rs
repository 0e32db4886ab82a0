//! The policy of a check: thresholds and targets by benchmark pattern, from `perfgate.toml`.
//!
//! A `Policy` is the file combined with the command line. `BenchmarkRules` is the part of it that
//! applies to one benchmark.

mod fail_on;
mod figure;
mod claim;
mod source;
mod config;
mod build;
mod changes;
mod asked_rate;
pub(crate) mod trailer;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use asked_rate::AskedRates;
pub(crate) use changes::{RuleChange, list_rule_changes};
pub(crate) use claim::{BetterDirection, ExpectRule, HourPrice, MetricRule, SumRule};
pub(crate) use config::{Config, MAX_LAUNCHES, MeasureConfig, TargetConfig};
pub(crate) use fail_on::FailOn;
pub(crate) use figure::{
    LimitSide, Metric, MetricUnit, PEAK_RSS_METRIC, TargetFigure, TargetLimit,
};
pub(crate) use source::SourceConfig;

use build::{build_expect_rules, build_hour_price, build_metric_rules};

use crate::run::{Benchmark, LaunchData, Sampling};
use crate::selection::{IdPattern, PatternError, Selection};
use crate::units::{Confidence, Nanos, Percent, RequestRate};

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
    /// A `[[target]]` names benchmarks in no way, or in more than one.
    #[error("`[[target]]` {0}")]
    TargetOfNothing(&'static str),
    /// A limit of a `[[target]]` is not valid.
    #[error("`[[target]]` for `{bench}`: {why}")]
    TargetLimit {
        /// The pattern of the target.
        bench: String,
        /// What is wrong with the limit.
        why: String,
    },
    /// A `[[metric]]` names a time of a call, which the gate judges anyway or a target limits.
    #[error("`[[metric]]` cannot judge `{0}`, which is a time of a call")]
    MetricOfTime(String),
    /// An `[[expect]]` is not valid.
    #[error("`[[expect]]` \"{name}\" {why}")]
    Expect {
        /// Name of the claim.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The price of `[cost]` is not above zero.
    #[error("`per-hour = {0}` is not a price above zero")]
    Price(f64),
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

/// Formats a share as a percentage with at most two decimals.
fn show_percent(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 100.0)
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
    metrics: Vec<MetricRule>,
    sums: Vec<SumRule>,
    expects: Vec<ExpectRule>,
    price: Option<HourPrice>,
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
    limits: Vec<TargetLimit>,
}

/// A rule for the benchmarks that a pattern names: a `[[target]]`, a `[[bench]]`, or the targets of
/// the command line.
#[derive(Clone, Debug)]
pub(crate) struct PolicyRule<'a> {
    /// The pattern.
    pub(crate) pattern: &'a IdPattern,
    /// What the rule limits. Empty if it sets no target.
    pub(crate) figures: Vec<TargetFigure>,
}

/// The part of the policy that applies to one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BenchmarkRules {
    /// Slowdown up to which a change is tolerated.
    pub(crate) threshold: Percent,
    /// Slowdown that must be found.
    pub(crate) detect: Percent,
    /// Absolute limits, each figure at most once on each side; empty without targets.
    pub(crate) targets: Vec<TargetLimit>,
}

impl Policy {
    /// Builds the policy of a configuration. `flags` are targets for every benchmark, which override
    /// those of the configuration.
    ///
    /// Fails if a rule is not valid: if a pattern is not one, if a `[[target]]` sets no limit, or if
    /// `detect` does not exceed `threshold` somewhere.
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
        let (targets, sums) = build_target_rules(&config.target)?;
        let mut flag_targets = Vec::new();
        if !flags.is_empty() {
            let limits =
                flags.iter().map(|(metric, limit)| TargetLimit::from_time(*metric, *limit));
            flag_targets
                .push(TargetRule { pattern: IdPattern::new("**")?, limits: limits.collect() });
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
            metrics: build_metric_rules(&config.metric)?,
            sums,
            expects: build_expect_rules(&config.expect)?,
            price: config.cost.as_ref().map(build_hour_price).transpose()?,
            asked_rates: AskedRates::from_targets(&config.target)?,
        })
    }

    /// Returns the policy that also judges by the targets and claims of `config` where they limit more
    /// than its own: a change may add some for itself, but not loosen any.
    ///
    /// Fails if a pattern is not valid, or if a target or a claim sets no limit.
    pub(crate) fn with_proposed_limits(mut self, config: &Config) -> Result<Self, PolicyError> {
        let (targets, sums) = build_target_rules(&config.target)?;
        self.proposed_targets = targets;
        self.asked_rates = self.asked_rates.with_proposed(&config.target)?;
        // A claim that is stricter is met only if a looser one of the same name is, so both may judge.
        let added: Vec<_> = sums.into_iter().filter(|sum| !self.sums.contains(sum)).collect();
        self.sums.extend(added);
        let expects = build_expect_rules(&config.expect)?.into_iter();
        let added: Vec<_> = expects.filter(|one| !self.expects.contains(one)).collect();
        self.expects.extend(added);
        Ok(self)
    }

    /// Returns the metrics whose change is judged for the benchmark `id`, each once: the last rule
    /// that matches counts.
    pub(crate) fn list_metric_rules(&self, id: &str) -> Vec<&MetricRule> {
        let mut rules: BTreeMap<&str, &MetricRule> = BTreeMap::new();
        for rule in self.metrics.iter().filter(|rule| rule.pattern.matches(id)) {
            rules.insert(&rule.name, rule);
        }
        rules.into_values().collect()
    }

    /// Returns every rule about a metric.
    pub(crate) fn metric_rules(&self) -> &[MetricRule] {
        &self.metrics
    }

    /// Returns the targets on sums of benchmarks.
    pub(crate) fn sum_rules(&self) -> &[SumRule] {
        &self.sums
    }

    /// Returns the claims about ratios of benchmarks.
    pub(crate) fn expect_rules(&self) -> &[ExpectRule] {
        &self.expects
    }

    /// Returns what an hour of the machine costs, or `None` if that is not known.
    pub(crate) fn hour_price(&self) -> Option<&HourPrice> {
        self.price.as_ref()
    }

    /// Returns whether a rule is about the memory of a benchmark, which then needs a process of its
    /// own.
    pub(crate) fn needs_own_memory(&self) -> bool {
        let is_memory = |limit: &TargetLimit| matches!(&limit.figure, TargetFigure::Reported(name) if name == PEAK_RSS_METRIC);
        self.metrics.iter().any(|rule| rule.name == PEAK_RSS_METRIC)
            || self.target_rules().flat_map(|rule| &rule.limits).any(is_memory)
    }

    /// Returns whether a target or a claim is about the benchmark `id`, which then needs launches even
    /// if its program did not change.
    pub(crate) fn needs_launches(&self, id: &str) -> bool {
        let is_named = |named: &String| named == id;
        let is_in_sum = self.sums.iter().any(|sum| sum.parts.iter().any(is_named));
        let is_in_claim = self
            .expects
            .iter()
            .any(|expect| [&expect.numerator, &expect.denominator].into_iter().any(is_named));
        is_in_sum || is_in_claim || !self.resolve_rules(id, None).targets.is_empty()
    }

    /// Returns whether the judged benchmarks are all that a rule about the benchmark `id` could be
    /// about, so that a rule whose benchmark is not there is a mistake.
    pub(crate) fn covers_benchmark(&self, id: &str) -> bool {
        !self.is_partial && self.selection.selects(id)
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
        for (key, limit) in merge_limits(&self.proposed_targets, id) {
            let own = targets.entry(key).or_insert_with(|| limit.clone());
            own.value = limit.side.choose_stricter(limit.value, own.value);
        }
        targets.extend(merge_limits(&self.flag_targets, id));
        BenchmarkRules {
            threshold: to_percent(tolerated),
            detect: to_percent(detect.max(tolerated + detect - threshold)),
            targets: targets.into_values().collect(),
        }
    }

    /// Yields every rule that names benchmarks by a pattern.
    pub(crate) fn list_rules(&self) -> impl Iterator<Item = PolicyRule<'_>> {
        let exceptions = self.exceptions.iter().map(|(pattern, _)| (pattern, Vec::new()));
        let targets = self.target_rules().map(|rule| {
            let figures = rule.limits.iter().map(|limit| limit.figure.clone());
            (&rule.pattern, figures.collect())
        });
        exceptions.chain(targets).map(|(pattern, figures)| PolicyRule { pattern, figures })
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
            let mut times = rule.limits.iter().filter_map(|limit| limit.figure.time());
            let percentile = times.find(|metric| metric.quantile().is_some());
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

/// Returns the rules of these targets: those for single benchmarks, and those for sums.
///
/// Fails if a pattern is not valid, or if a target sets no limit.
fn build_target_rules(
    targets: &[TargetConfig],
) -> Result<(Vec<TargetRule>, Vec<SumRule>), PolicyError> {
    let (mut rules, mut sums) = (Vec::new(), Vec::new());
    for target in targets {
        if let Some(sum) = target.to_sum()? {
            sums.push(sum);
            continue;
        }
        let bench = target.bench.as_deref().unwrap_or_default();
        let limits = target.limits()?;
        if limits.is_empty() {
            return Err(PolicyError::TargetWithoutLimit(bench.to_owned()));
        }
        rules.push(TargetRule { pattern: IdPattern::new(bench)?, limits });
    }
    Ok((rules, sums))
}

/// Returns the limits that `rules` set for the benchmark `id`, by figure and side. Later rules
/// override earlier ones.
fn merge_limits(
    rules: &[TargetRule],
    id: &str,
) -> BTreeMap<(TargetFigure, LimitSide), TargetLimit> {
    let matching = rules.iter().filter(|rule| rule.pattern.matches(id));
    let limits = matching.flat_map(|rule| &rule.limits);
    limits.map(|limit| ((limit.figure.clone(), limit.side), limit.clone())).collect()
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

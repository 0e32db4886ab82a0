//! What a configuration means, and what it may not contain.

use super::*;

fn policy(toml: &str) -> Result<Policy, PolicyError> {
    let config = Config::from_toml(toml)?;
    Policy::new(&config, &BTreeMap::new(), Selection::default())
}

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns).unwrap()
}

#[track_caller]
fn refuses(toml: &str, why: &str) {
    let error = format!("{:?}", policy(toml).unwrap_err());
    assert!(error.contains(why), "{error}");
}

#[track_caller]
fn tolerates(toml: &str, id: &str, threshold: f64, detect: f64) {
    let rules = policy(toml).unwrap().resolve_rules(id, Some(nanos(1000.0)));
    assert!((rules.threshold.get() - threshold).abs() < 1e-12, "{rules:?}");
    assert!((rules.detect.get() - detect).abs() < 1e-12, "{rules:?}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    refuses("[gate]\ntreshold = \"1%\"", "Nearest(\"threshold\")");
    refuses("[measurement]\n", "Nearest(\"measure\")");
    refuses("[[target]]\nbench = \"a\"\np59 = \"1ms\"", "Nearest(\"p50\")");
    refuses("foo = 1", "Known([\"measure\", \"gate\"");
}

#[test]
fn values_without_units_are_refused() {
    refuses("[[target]]\nbench = \"a\"\np95 = \"10\"", "is not a duration");
    refuses("[gate]\nthreshold = \"1\"", "is not a share");
    refuses("[gate]\nfail-on = [\"regresed\"]", "Nearest(\"regressed\")");
    refuses("[gate]\nfail-on = \"regressed\"", "List");
    refuses("[gate]\nthreshold = 0.01", "Text");
    refuses("[measure]\nlaunches = \"5\"", "Number");
    refuses("[measure]\nlaunches = -1", "Number");
    refuses("[measure]\nlaunches = 0", "is not between 1 and 1000");
    refuses("[measure]\ncalls = 9", "is less than 10");
    refuses("[[bench]]\nmatch = \"a[\"", "Pattern");
}

#[test]
fn a_target_without_a_limit_is_refused() {
    refuses("[[target]]\nbench = \"a\"", "TargetWithoutLimit(\"a\")");
}

#[test]
fn detect_exceeds_threshold() {
    refuses("[gate]\nthreshold = \"3%\"\ndetect = \"3%\"", "Detect");
    refuses("[gate]\ndetect = \"0.5%\"", "Detect");
    tolerates("", "a", 0.01, 0.05);
    tolerates("[gate]\nthreshold = \"3%\"", "a", 0.03, 0.07);
    tolerates("[gate]\nthreshold = \"0%\"\ndetect = \"2%\"", "a", 0.0, 0.02);
}

#[test]
fn the_last_matching_exception_wins() {
    let toml = "[[bench]]\nmatch = \"a/**\"\nthreshold = \"2%\"\n\
                [[bench]]\nmatch = \"a/b\"\nthreshold = \"10%\"";
    tolerates(toml, "a/b", 0.10, 0.14);
    tolerates(toml, "a/c/d", 0.02, 0.06);
    tolerates(toml, "b", 0.01, 0.05);
}

#[test]
fn a_proposed_target_makes_limits_stricter_and_never_looser() {
    let base = "[[target]]\nbench = \"**\"\np95 = \"10ms\"\n\
                [[target]]\nbench = \"slow/**\"\np95 = \"90ms\"\n";
    let limits = |proposed: &str, id: &str| {
        let proposed = Config::from_toml(proposed).unwrap();
        let policy = policy(base).unwrap().with_proposed_limits(&proposed).unwrap();
        policy.resolve_rules(id, None).targets
    };
    let p95 = |ms: f64| TargetLimit::from_time(Metric::P95, nanos(ms * 1e6));
    let mean = TargetLimit::from_time(Metric::Mean, nanos(1e6));
    // The same file proposes nothing, also where one of its targets is looser than another.
    assert_eq!(limits(base, "slow/a"), [p95(90.0)]);
    let looser = "[[target]]\nbench = \"**\"\np95 = \"20ms\"\nmean = \"1ms\"\n";
    assert_eq!(limits(looser, "a"), [mean.clone(), p95(10.0)]);
    assert_eq!(limits(looser, "slow/a"), [mean, p95(20.0)]);
    assert_eq!(limits("", "a"), [p95(10.0)]);
}

#[test]
fn the_absolute_floor_widens_both_limits() {
    tolerates("[gate]\nmin-effect = \"100ns\"", "a", 0.1, 0.14);
    tolerates("[gate]\nmin-effect = \"1ns\"", "a", 0.01, 0.05);
}

#[test]
fn a_proposed_throughput_may_only_be_higher() {
    let base = "[[target]]\nbench = \"**\"\nthroughput = \"900/s\"\npeak-rss = \"512MiB\"\n";
    let proposed = "[[target]]\nbench = \"**\"\nthroughput = \"800/s\"\npeak-rss = \"1GiB\"\n\
                    [[expect]]\nratio = [\"a\", \"b\"]\nat-least = 3.0\n";
    let proposed = Config::from_toml(proposed).unwrap();
    let policy = policy(base).unwrap().with_proposed_limits(&proposed).unwrap();
    let targets = policy.resolve_rules("a", None).targets;
    let values: Vec<f64> = targets.iter().map(|limit| limit.value.get()).collect();
    assert_eq!(values, [900.0, 536_870_912.0]);
    assert_eq!(policy.expect_rules().len(), 1);
    assert!(policy.needs_own_memory() && policy.needs_launches("b"));
}

#[test]
fn a_rule_about_metrics_sums_or_ratios_that_means_nothing_is_refused() {
    refuses("[[target]]\np95 = \"1ms\"", "has neither `bench` nor `sum`");
    refuses(
        "[[target]]\nbench = \"a\"\nsum = [\"b\"]\np95 = \"1ms\"",
        "has both `bench` and `sum`",
    );
    refuses("[[target]]\nsum = []\np95 = \"1ms\"", "is a sum of nothing");
    refuses("[[target]]\nsum = [\"a\"]\ntimes = 0\np95 = \"1ms\"", "has `times = 0`");
    refuses("[[target]]\nsum = [\"a\"]\npeak-rss = \"1MiB\"", "else than the time of a sum");
    refuses("[[target]]\nsum = [\"a\", \"b\"]", "TargetWithoutLimit(\"a + b\")");
    refuses("[[target]]\nbench = \"a\"\npeak-rss = \"10ms\"", "is not a limit of `peak_rss_bytes`");
    refuses(
        "[[target]]\nbench = \"a\"\npeak-rss = \"1MiB\"\nmax = { peak_rss_bytes = \"2GiB\" }",
        "both limit `peak_rss_bytes`",
    );
    refuses("[[target]]\nbench = \"a\"\nmax = { p95 = 1 }", "`p95` is not a metric");
    refuses("[[target]]\nbench = \"a\"\nthroughput = \"900\"", "is not a throughput");
    refuses("[[metric]]\nname = \"p50\"", "MetricOfTime");
    refuses("[[metric]]\nname = \"a\"\nbetter = \"more\"", "unknown variant `more`");
    refuses("[[metric]]\nname = \"a\"\nthreshold = \"5%\"\ndetect = \"5%\"", "DetectTooLow");
    refuses("[[expect]]\nratio = [\"a\", \"b\"]", "sets neither");
    refuses("[[expect]]\nratio = [\"a\", \"a\"]\nat-most = 2", "divides a benchmark by itself");
    refuses("[[expect]]\nratio = [\"a\", \"b\"]\nat-most = 0.0", "not above zero");
    refuses("[[expect]]\nratio = [\"a\", \"b\"]\nat-least = 3\nat-most = 2", "above its `at-most`");
    refuses("[[expect]]\nratio = [\"a\"]\nat-most = 2", "invalid length");
    refuses("[cost]\nper-hour = 0", "Price");
}

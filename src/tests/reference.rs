//! Runs every case of `fixtures/reference`.
//!
//! The test fails on a kind or a key that it cannot compute, unless [`NOT_IMPLEMENTED`] lists it.

use std::collections::BTreeMap;

use crate::stats::{
    StatsError,
    components::VarianceComponents,
    distribution::t::{t_upper_quantile, t_upper_tail},
    multiplicity, order_statistics, quantile,
    summary::{self, Moments},
    test::{
        rank::MannWhitney,
        t::{self, TTest},
    },
};
use serde_json::{Value, json};

mod input;

use input::{nist_series, number, percent, quote_numbers, values, whole, with_moments};

/// Kinds and keys of the reference values that perfgate does not compute, because no decision uses
/// them. The file keeps them as the oracle for a later implementation.
const NOT_IMPLEMENTED: [(&str, &str); 20] = [
    ("welch", "fieller_ratio_ci95_welch_df"),
    ("mann_whitney", "hodges_lehmann_b_minus_a"),
    ("wilcoxon_signed", "V"),
    ("wilcoxon_signed", "p_exact_greater"),
    ("wilcoxon_signed", "p_exact_two_sided"),
    ("wilcoxon_signed", "pseudomedian"),
    ("multiplicity", "bonferroni"),
    ("multiplicity", "fdr_by"),
    ("quantile", "harrell_davis"),
    ("quantile", "maritz_jarrett_se"),
    ("quantile", "type8"),
    ("order_stat_quantile_ci", "coverage"),
    ("bootstrap_exhaustive", "n_resamples"),
    ("bootstrap_exhaustive", "se_mean"),
    ("bootstrap_exhaustive", "mean_pct_type7"),
    ("bootstrap_exhaustive", "median_pct_type7"),
    ("autocorr", "ess_ar1"),
    ("autocorr", "batch_means_20x10_se"),
    ("variance_components", "icc"),
    ("variance_components", "ci95_grand_mean"),
];

#[test]
fn every_reference_value_is_reproduced() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/reference/statistics_reference.json");
    let text = std::fs::read_to_string(path).expect("the reference is in the repository");
    let file: Value = serde_json::from_str(&quote_numbers(&text)).expect("the reference is JSON");
    let cases = file["cases"].as_array().expect("a list of cases");
    let mut passed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in cases {
        let kind = case["kind"].as_str().expect("a kind");
        match check(kind, case) {
            Ok(()) => *passed.entry(kind).or_default() += 1,
            Err(reason) => {
                failures.push(format!("{} {kind} {}: {reason}", case["id"], case["name"]));
            }
        }
    }
    say(&format!(
        "{} of {} reference cases: {passed:?}",
        passed.values().sum::<usize>(),
        cases.len()
    ));
    assert_eq!(cases.len(), 111, "`{path}` is not whole");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[expect(clippy::print_stderr, reason = "the count of cases is what a reader wants to see")]
fn say(line: &str) {
    eprintln!("{line}");
}

type Check<T> = Result<T, String>;

fn check(kind: &str, case: &Value) -> Check<()> {
    let input = &case["input"];
    let rtol = number(&case["rtol"]);
    if kind == "welch_degenerate" {
        return degenerate(input, &case["expected"]);
    }
    for (key, expected) in case["expected"].as_object().expect("expected values") {
        if key.starts_with('_') || NOT_IMPLEMENTED.contains(&(kind, key.as_str())) {
            continue;
        }
        // Published values have only the digits that were printed. perfgate has no pooled test.
        if key == "published_pooled" {
            continue;
        }
        let rtol = if key == "published_welch" { 1e-4 } else { rtol };
        let got = if kind == "quantile" {
            quantiles(input, key, &case["expected"]["probs"])
        } else {
            compute(kind, input, key, expected)
        };
        let got = got.map_err(|reason| format!("{key}: {reason}"))?;
        compare(&got, expected, rtol).map_err(|reason| format!("{key}: {reason}"))?;
    }
    Ok(())
}

#[expect(clippy::float_cmp, reason = "infinities are equal or not")]
fn compare(got: &Value, expected: &Value, rtol: f64) -> Check<()> {
    let differs = || Err(format!("got {got}, expected {expected}"));
    match (got, expected) {
        (Value::Array(g), Value::Array(e)) if g.len() == e.len() => {
            g.iter().zip(e).try_for_each(|(g, e)| compare(g, e, rtol))
        }
        (Value::Object(g), Value::Object(e)) => e.iter().try_for_each(|(key, e)| {
            let g = g.get(key).ok_or_else(|| format!("no value for `{key}`"))?;
            compare(g, e, rtol).map_err(|reason| format!("{key}: {reason}"))
        }),
        (Value::Number(_) | Value::String(_), Value::String(_)) => {
            let (g, e) = (number(got), number(expected));
            let tolerance = if e == 0.0 { 1e-12 } else { rtol * e.abs() };
            let agrees = g == e || (g - e).abs() <= tolerance || (g.is_nan() && e.is_nan());
            if agrees { Ok(()) } else { differs() }
        }
        _ if got == expected => Ok(()),
        _ => differs(),
    }
}

fn compute(kind: &str, input: &Value, key: &str, expected: &Value) -> Check<Value> {
    match kind {
        "welch" | "welch_generated" => {
            let (a, b) = (values(&input["a"]), values(&input["b"]));
            samples_key(&a, &b, key, expected).or_else(|_| {
                let (a, b) = (
                    Moments::from_values(&a).map_err(text)?,
                    Moments::from_values(&b).map_err(text)?,
                );
                welch_key(&a, &b, key)
            })
        }
        "welch_summary" => {
            let side = |name: &str| {
                let count = whole(&input[format!("n_{name}")]);
                let (mean, sd) = (&input[format!("mean_{name}")], &input[format!("sd_{name}")]);
                Moments::from_values(&with_moments(count, number(mean), number(sd))).map_err(text)
            };
            welch_key(&side("a")?, &side("b")?, key)
        }
        "paired_t" => {
            let test =
                t::compute_paired_test(&values(&input["a"]), &values(&input["b"])).map_err(text)?;
            test_key(&test, key)
        }
        "t_quantile" => t_quantile(input, key),
        "t_sf" => match key {
            "sf" => Ok(values(&input["t"])
                .iter()
                .map(|t| t_upper_tail(*t, number(&input["df"])))
                .collect()),
            _ => unknown(),
        },
        "nist_univariate" => nist(input, key),
        "tost_log_ratio" => tost(input, key),
        "mann_whitney" => mann_whitney(input, key),
        "multiplicity" => adjusted(&values(&input["p"]), key),
        "order_stat_quantile_ci" => order_statistics(input, key),
        "order_stat_min_n" => least_counts(input, key, expected),
        "autocorr" => dependence(&values(&input["x"]), key),
        "variance_components" => variance_components(input, key, expected),
        _ => Err("an unknown kind of case".to_owned()),
    }
}

/// Checks that the result is an error for too few values, a rejection, or a certain answer, as the
/// policy in the file requires.
fn degenerate(input: &Value, expected: &Value) -> Check<()> {
    let (a, b) = (values(&input["a"]), values(&input["b"]));
    let policy = expected["policy"].as_str().unwrap_or_default();
    let is_right = match t::compute_welch_test(&a, &b) {
        Err(StatsError::TooFew { .. }) => policy.contains("insufficient"),
        Err(StatsError::OutOfRange) => policy.contains("reject"),
        Err(StatsError::UnequalLengths { .. }) => false,
        Ok(test) => {
            let sides =
                (Moments::from_values(&a).map_err(text)?, Moments::from_values(&b).map_err(text)?);
            for (key, value) in expected.as_object().expect("expected values") {
                // If neither side varies, t and its degrees of freedom have no meaning. p and the
                // policy still do.
                if !key.starts_with('_') && !["policy", "t", "df"].contains(&key.as_str()) {
                    let key = if key == "p" { "p_two_sided" } else { key };
                    compare(&welch_key(&sides.0, &sides.1, key)?, value, 1e-10)?;
                }
            }
            test.standard_error == 0.0 && is_certain(&test)
        }
    };
    if is_right { Ok(()) } else { Err(format!("policy `{policy}` is not followed")) }
}

/// Returns whether the test is certain: without variance, equal means are certainly unchanged, and
/// different means are certainly changed.
#[expect(clippy::float_cmp, reason = "exact by definition")]
fn is_certain(test: &TTest) -> bool {
    let p = if test.difference == 0.0 { 1.0 } else { 0.0 };
    test.p_two_sided(0.0) == p
        && test.confidence_interval(0.95) == (test.difference, test.difference)
}

fn welch_key(a: &Moments, b: &Moments, key: &str) -> Check<Value> {
    let test = t::compute_welch_test_from_moments(a, b).map_err(text)?;
    Ok(match key {
        "mean_a" => json!(a.mean()),
        "mean_b" => json!(b.mean()),
        "var_a" => json!(a.variance()),
        "var_b" => json!(b.variance()),
        "ratio" => json!(b.mean() / a.mean()),
        "published_welch" => {
            json!({"t_a_minus_b": -test.t_statistic(0.0), "df": test.degrees_of_freedom})
        }
        _ => return test_key(&test, key),
    })
}

/// Computes a key that needs the samples themselves.
fn samples_key(a: &[f64], b: &[f64], key: &str, expected: &Value) -> Check<Value> {
    if key == "log_ratio" {
        let test = welch_of_logarithms(a, b)?;
        let keys = expected.as_object().expect("keys").keys();
        return keys.map(|key| Ok((key.clone(), log_ratio_key(&test, key)?))).collect();
    }
    let (name, side) = match key.rsplit_once('_') {
        _ if key.contains("_type") => {
            let (front, back) = key.split_once('_').expect("a side follows");
            (front, if back.starts_with('a') { a } else { b })
        }
        Some((name, "a")) => (name, a),
        Some((name, "b")) => (name, b),
        _ => return unknown(),
    };
    let mut sorted = side.to_vec();
    sorted.sort_by(f64::total_cmp);
    match name {
        "first3" => Ok(json!(side[..3])),
        "last" => Ok(json!(side[side.len() - 1])),
        "min" => Ok(json!(sorted[0])),
        "max" => Ok(json!(sorted[sorted.len() - 1])),
        "median" => Ok(json!(summary::compute_median_in_place(&mut sorted))),
        _ => match percent(name, "p", "") {
            Some(q) if key.ends_with("type7") => Ok(json!(quantile::compute_quantile(&sorted, q))),
            _ => unknown(),
        },
    }
}

/// Computes Welch's test of the logarithms of both sides, relative to one value.
fn welch_of_logarithms(a: &[f64], b: &[f64]) -> Check<TTest> {
    let logarithms = |side: &[f64]| summary::compute_log_ratios(side, a[0]).map_err(text);
    t::compute_welch_test(&logarithms(a)?, &logarithms(b)?).map_err(text)
}

fn log_ratio_key(test: &TTest, key: &str) -> Check<Value> {
    match key {
        "geo_ratio" => Ok(json!(test.difference.exp())),
        _ => match percent(key, "ratio_ci", "") {
            Some(confidence) => {
                let (low, high) = test.confidence_interval(confidence);
                Ok(pair((low.exp(), high.exp())))
            }
            None => test_key(test, key),
        },
    }
}

fn test_key(test: &TTest, key: &str) -> Check<Value> {
    Ok(match key {
        "diff_b_minus_a" | "mean_diff" | "difference" => json!(test.difference),
        "se" => json!(test.standard_error),
        "t" => json!(test.t_statistic(0.0)),
        "df" => json!(test.degrees_of_freedom),
        "p_two_sided" => json!(test.p_two_sided(0.0)),
        "p_b_greater" | "p_greater" => json!(test.p_greater(0.0)),
        "p_b_less" | "p_less" => json!(test.p_less(0.0)),
        _ => match percent(key, "ci", "") {
            Some(confidence) => pair(test.confidence_interval(confidence)),
            None => return unknown(),
        },
    })
}

fn t_quantile(input: &Value, key: &str) -> Check<Value> {
    let df = number(&input["df"]);
    match key {
        "q" => Ok(values(&input["p"]).iter().map(|p| -t_upper_quantile(*p, df)).collect()),
        _ => unknown(),
    }
}

fn nist(input: &Value, key: &str) -> Check<Value> {
    let series = nist_series(input)?;
    let summary = Moments::from_values(&series).map_err(text)?;
    match key {
        "mean" => Ok(json!(summary.mean())),
        "sd" => Ok(json!(summary.standard_deviation())),
        "lag1_autocorr" => Ok(json!(summary::compute_autocorrelation(&series, 1))),
        _ => unknown(),
    }
}

fn tost(input: &Value, key: &str) -> Check<Value> {
    let test = welch_of_logarithms(&values(&input["a"]), &values(&input["b"]))?;
    let margin = number(&input["margin"]).ln_1p();
    let (p_lower, p_upper) = (test.p_greater(-margin), test.p_less(margin));
    Ok(json!(match key {
        "t_lower" => test.t_statistic(-margin),
        "t_upper" => test.t_statistic(margin),
        "p_lower" => p_lower,
        "p_upper" | "p_noninferiority_H0_ratio_ge_1_plus_margin" => p_upper,
        "p_tost" => p_lower.max(p_upper),
        "p_superior_H0_ratio_le_1_plus_margin" => test.p_greater(margin),
        _ => return log_ratio_key(&test, key),
    }))
}

fn mann_whitney(input: &Value, key: &str) -> Check<Value> {
    let (a, b) = (values(&input["a"]), values(&input["b"]));
    let test = MannWhitney::compute(&a, &b).ok_or("no test")?;
    Ok(json!(match key {
        "U_b" => Some(test.u),
        "U_a" => Some((a.len() * b.len()) as f64 - test.u),
        "p_exact_two_sided" => test.p_exact_two_sided(),
        "p_exact_b_greater" => test.p_exact_greater(),
        "p_exact_b_less" => test.p_exact_less(),
        "p_asymptotic_cc_two_sided" => Some(test.p_asymptotic_two_sided(0.5)),
        "p_asymptotic_nocc_two_sided" => Some(test.p_asymptotic_two_sided(0.0)),
        _ => return unknown(),
    }))
}

fn adjusted(p: &[f64], key: &str) -> Check<Value> {
    let rejected = |adjusted: Vec<f64>, level: f64| -> Value {
        adjusted.iter().map(|p| json!(*p <= level)).collect()
    };
    if let Some(level) = percent(key, "reject_bh_q", "") {
        return Ok(rejected(multiplicity::adjust_benjamini_hochberg(p), level));
    }
    if let Some(level) = percent(key, "reject_holm_", "") {
        return Ok(rejected(multiplicity::adjust_holm(p), level));
    }
    Ok(json!(match key {
        "fdr_bh" => multiplicity::adjust_benjamini_hochberg(p),
        "holm" => multiplicity::adjust_holm(p),
        _ => return unknown(),
    }))
}

/// Computes quantiles. The file has the probabilities beside each list of expected values, in the
/// same order.
fn quantiles(input: &Value, key: &str, probabilities: &Value) -> Check<Value> {
    let mut sorted = values(&input["x"]);
    sorted.sort_by(f64::total_cmp);
    let estimate: fn(&[f64], f64) -> Option<f64> = match key {
        "probs" => return Ok(probabilities.clone()),
        "type7" => quantile::compute_quantile,
        _ => return unknown(),
    };
    Ok(values(probabilities)
        .iter()
        .map(|q| estimate(&sorted, *q).map_or_else(|| json!("nan"), |value| json!(value)))
        .collect())
}

fn order_statistics(input: &Value, key: &str) -> Check<Value> {
    let (q, n, confidence) = (number(&input["q"]), whole(&input["n"]), number(&input["conf"]));
    let tail = 0.5 * (1.0 - confidence);
    Ok(match key {
        "lower_order_1based" => json!(order_statistics::find_lower_order(q, n, tail).unwrap_or(0)),
        "upper_order_1based" => {
            json!(order_statistics::find_upper_order(q, n, tail).unwrap_or(n + 1))
        }
        "one_sided_upper_order_1based" => {
            json!(order_statistics::find_upper_order(q, n, 1.0 - confidence).unwrap_or(n + 1))
        }
        "one_sided_lower_order_1based" => {
            json!(order_statistics::find_lower_order(q, n, 1.0 - confidence).unwrap_or(0))
        }
        _ => return unknown(),
    })
}

fn least_counts(input: &Value, key: &str, expected: &Value) -> Check<Value> {
    let confidence = number(&input["conf"]);
    let confidence = match key {
        "one_sided_upper" => confidence,
        _ if key.starts_with("two_sided_upper_tail_") => 0.5 + 0.5 * confidence,
        _ => return unknown(),
    };
    let keys = expected.as_object().expect("counts by quantile").keys();
    keys.map(|q| {
        let count = order_statistics::find_min_sample_count(q.parse().map_err(text)?, confidence);
        Ok((q.clone(), json!(count)))
    })
    .collect()
}

fn dependence(x: &[f64], key: &str) -> Check<Value> {
    if let Some(lags) = key.strip_prefix("acf_lag_") {
        let lags = lags.split('_').map(|lag| lag.parse::<usize>().map_err(text));
        return lags.map(|lag| Ok(json!(summary::compute_autocorrelation(x, lag?)))).collect();
    }
    match key {
        "naive_se" => Ok(json!(Moments::from_values(x).map_err(text)?.standard_error())),
        _ => unknown(),
    }
}

fn variance_components(input: &Value, key: &str, expected: &Value) -> Check<Value> {
    let groups: Vec<Vec<f64>> = input["x"].as_array().expect("groups").iter().map(values).collect();
    let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
    let parts = VarianceComponents::from_groups(&groups).map_err(text)?;
    if key.starts_with("kalibera_jones") {
        let costs = expected.as_object().expect("sizes by cost").keys();
        return costs
            .map(|cost| {
                let size = parts.compute_optimal_group_size(cost.parse().map_err(text)?);
                Ok((cost.clone(), json!(size)))
            })
            .collect();
    }
    Ok(match key {
        "ms_between" => json!(parts.between_mean_square),
        "ms_within" => json!(parts.within_mean_square),
        "var_process" => json!(parts.group_variance()),
        "se_grand_mean" => json!(parts.standard_error),
        "grand_mean" => json!(parts.mean),
        _ => return unknown(),
    })
}

fn unknown<T>() -> Check<T> {
    Err("nothing computes this key".to_owned())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn pair((low, high): (f64, f64)) -> Value {
    json!([low, high])
}

//! Reading the reference file: its numbers, and the samples that its cases describe.

use serde_json::Value;

use super::{Check, text, unknown};

/// Returns the JSON with every number as a string, for `str::parse`, which is exact.
///
/// `serde_json` may be wrong in the last digit. In the cases at an offset of 1e9, that is noise of
/// 1e-7.
pub(super) fn quote_numbers(json: &str) -> String {
    let (mut quoted, mut in_string, mut in_number, mut is_escaped) =
        (String::new(), false, false, false);
    for c in json.chars() {
        let is_digit = !in_string
            && matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')
            && (in_number || c == '-' || c.is_ascii_digit());
        if is_digit != in_number {
            quoted.push('"');
        }
        in_number = is_digit;
        if c == '"' && !is_escaped {
            in_string = !in_string;
        }
        is_escaped = c == '\\' && !is_escaped;
        quoted.push(c);
    }
    quoted
}

pub(super) fn number(value: &Value) -> f64 {
    match value {
        Value::String(digits) => digits.parse().expect("digits, nan or inf"),
        _ => value.as_f64().expect("a number"),
    }
}

pub(super) fn whole(value: &Value) -> usize {
    value.as_str().expect("a quoted number").parse().expect("a count")
}

/// Returns a list of numbers, or the samples that the described generator produces.
pub(super) fn values(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().map(number).collect(),
        _ => irwin_hall(value),
    }
}

/// Returns samples of the reference file's generator: sums of twelve uniform draws of splitmix64.
fn irwin_hall(description: &Value) -> Vec<f64> {
    assert_eq!(description["dist"], "irwin_hall", "an unknown generator");
    let mut state = whole(&description["seed"]) as u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 * 2_f64.powi(-53)
    };
    let (loc, sd) = (number(&description["loc"]), number(&description["sd"]));
    (0..whole(&description["n"]))
        .map(|_| {
            let mut sum = 0.0;
            for _ in 0..12 {
                sum += uniform();
            }
            loc + sd * (sum - 6.0)
        })
        .collect()
}

/// Returns `count` values with this mean and this standard deviation, half of them below the mean
/// and half above.
pub(super) fn with_moments(count: usize, mean: f64, sd: f64) -> Vec<f64> {
    let n = count as f64;
    let distance = if count.is_multiple_of(2) { sd * ((n - 1.0) / n).sqrt() } else { sd };
    let pairs = (0..count / 2).flat_map(|_| [mean - distance, mean + distance]);
    pairs.chain((count % 2 == 1).then_some(mean)).collect()
}

/// Returns the series of a NIST case: a list, or a first value and a pattern whose key contains the
/// number of repetitions.
pub(super) fn nist_series(input: &Value) -> Check<Vec<f64>> {
    if input["x"].is_array() {
        return Ok(values(&input["x"]));
    }
    let mut series = vec![number(&input["first"])];
    for (key, pattern) in input.as_object().expect("an object") {
        if let Some(times) = key.strip_prefix("then_repeat_") {
            let times = times.parse().map_err(text)?;
            series.extend(values(pattern).repeat(times));
        }
    }
    if series.len() > 1 { Ok(series) } else { unknown() }
}

/// Returns the number between `prefix` and `suffix` of a key as a fraction: 0.999 for `ci99.9`,
/// 0.05 for `q05`.
pub(super) fn percent(key: &str, prefix: &str, suffix: &str) -> Option<f64> {
    let digits = key.strip_prefix(prefix)?.strip_suffix(suffix)?;
    digits.parse::<f64>().ok().map(|percent| percent / 100.0)
}

//! Parts of formats that several harnesses share: JSON of Python, lines, numbers and units.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::entry::{AdapterError, shorten_name};

/// Nanoseconds of a microsecond.
pub(super) const MICROSECOND: f64 = 1e3;
/// Nanoseconds of a millisecond.
pub(super) const MILLISECOND: f64 = 1e6;
/// Nanoseconds of a second.
pub(super) const SECOND: f64 = 1e9;
/// Most calls that the histograms of one benchmark may count: 160 MB of samples.
const MAX_HISTOGRAM_CALLS: usize = 20_000_000;

/// Parses a JSON document.
///
/// # Errors
///
/// Fails if it is not JSON or has other fields than `T`.
pub(super) fn parse_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, AdapterError> {
    Ok(serde_json::from_slice(json)?)
}

/// Parses one document of a file that has one per line.
///
/// # Errors
///
/// Fails if the line is not JSON or has other fields than `T`.
pub(super) fn parse_json_line<'a, T: Deserialize<'a>>(
    number: usize,
    line: &'a str,
) -> Result<T, AdapterError> {
    serde_json::from_str(line)
        .map_err(|error| AdapterError::Line { line: number, cause: error.to_string() })
}

/// Turns the words `NaN`, `Infinity` and `-Infinity`, which Python writes and JSON does not have,
/// into text. A field that is a number then fails by name; others do no harm.
pub(super) fn quote_non_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut fixed: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut is_in_text = false;
    while at < json.len() {
        let byte = json[at];
        if is_in_text {
            // A backslash and what it escapes.
            at += if byte == b'\\' { 2 } else { 1 };
            is_in_text = byte != b'"';
            continue;
        }
        is_in_text = byte == b'"';
        let word = matches!(byte, b'N' | b'-' | b'I')
            .then(|| WORDS.iter().find(|word| json[at..].starts_with(word)))
            .flatten();
        let Some(word) = word else {
            at += 1;
            continue;
        };
        fixed.extend_from_slice(&json[copied..at]);
        fixed.push(b'"');
        fixed.extend_from_slice(word);
        fixed.push(b'"');
        at += word.len();
        copied = at;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    fixed.extend_from_slice(&json[copied..]);
    Cow::Owned(fixed)
}

/// Returns a file as text, without the byte order mark that some systems write.
///
/// # Errors
///
/// Fails if it is not UTF-8.
pub(super) fn read_text(bytes: &[u8]) -> Result<&str, AdapterError> {
    let text = str::from_utf8(bytes).map_err(|_| AdapterError::NotText)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Returns the lines of `text` that are not blank, each with its number from 1.
pub(super) fn list_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_end()));
    numbered.filter(|(_, line)| !line.trim().is_empty())
}

/// Parses a number as harnesses print it, with a decimal point and maybe with commas between
/// thousands: `1,234.5`. A decimal comma is an error.
///
/// # Errors
///
/// Fails with the reason if it is not a number.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let refuse = || format!("`{}` is not a number", shorten_name(text));
    let (whole, _) = text.split_once('.').unwrap_or((text, ""));
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let has_groups = whole.contains(',');
    let is_grouped = groups.all(|group| group.len() == 3);
    if has_groups && !(is_grouped && (1..=3).contains(&first.len())) {
        return Err(refuse());
    }
    let plain = text.replace(',', "");
    let is_plain = plain.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte));
    let number = plain.parse::<f64>().ok().filter(|_| is_plain);
    number.ok_or_else(refuse)
}

/// Returns the number of nanoseconds of a unit of time. Returns `None` if it is not one.
pub(super) fn find_unit(unit: &str) -> Option<f64> {
    const PICOSECOND: f64 = 1e-3;
    Some(match unit.trim() {
        "ps" => PICOSECOND,
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => 1.0,
        "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => MICROSECOND,
        "ms" | "msec" | "millisecond" | "milliseconds" => MILLISECOND,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "minute" | "minutes" => 60.0 * SECOND,
        "h" | "hour" | "hours" => 3600.0 * SECOND,
        _ => return None,
    })
}

/// Parses a duration such as `2.822 ns` or `46.74ms` and returns it in nanoseconds.
///
/// # Errors
///
/// Fails with the reason if it is not a number with a unit of time.
pub(super) fn parse_duration(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let end = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    // An exponent begins with a letter, too, and no harness prints one here.
    let (number, unit) = text.split_at(end);
    let factor = find_unit(unit)
        .ok_or_else(|| format!("`{}` is not a number with a unit of time", shorten_name(text)))?;
    Ok(parse_number(number.trim())? * factor)
}

/// Returns the times that a histogram counts, one per call: `times` are pairs of a time and the
/// number of calls with it.
///
/// # Errors
///
/// Fails if there are more calls than perfgate reads, or if a number of calls is not a whole number.
pub(super) fn expand_histogram(
    name: &str,
    times: impl IntoIterator<Item = (f64, f64)>,
) -> Result<Vec<f64>, AdapterError> {
    let mut calls = Vec::new();
    for (time, count) in times {
        let is_count = count.is_finite() && count >= 0.0 && count.fract() == 0.0;
        if !is_count {
            let what = "number of calls".to_owned();
            return Err(AdapterError::Number { name: shorten_name(name), what, value: count });
        }
        if calls.len() as f64 + count > MAX_HISTOGRAM_CALLS as f64 {
            return Err(AdapterError::TooManyCalls(shorten_name(name)));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above to be whole, not negative and small"
        )]
        calls.extend(std::iter::repeat_n(time, count as usize));
    }
    Ok(calls)
}

/// Returns `name` as the name of a metric: letters and digits, with `_` in place of the rest.
pub(super) fn make_metric_name(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    letters.take(64).collect::<String>().trim_matches('_').to_ascii_lowercase()
}

/// Returns the seconds since the Unix epoch of a time such as `2026-01-01T12:00:00.1Z`.
///
/// # Errors
///
/// Fails with the reason if it is not a time.
pub(super) fn parse_timestamp(text: &str) -> Result<f64, String> {
    let time: Timestamp =
        text.parse().map_err(|_| format!("`{}` is not a time", shorten_name(text)))?;
    Ok(time.as_duration().as_secs_f64())
}

/// Returns why a benchmark of a load generator failed.
pub(super) fn describe_failures(failed: f64, total: f64) -> String {
    format!("{failed} of {total} requests failed")
}

//! Go's `testing`: what `go test -bench` prints, as text or with `-json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{list_lines, make_metric_name, parse_json_line, parse_number, read_text};

/// How the name of every benchmark begins.
const NAME_START: &str = "Benchmark";
/// What Go prints before the name of a benchmark that failed.
const FAILED_MARK: &str = "--- FAIL: ";
/// Reason of a failure without a log.
const FAILED_SENTENCE: &str = "the benchmark failed without a message";

/// An event of `go test -json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoEvent<'a> {
    #[serde(borrow, default)]
    package: Cow<'a, str>,
    #[serde(borrow)]
    output: Option<Cow<'a, str>>,
}

/// A line with the result of one benchmark.
struct GoResult<'a> {
    name: &'a str,
    iterations: f64,
    /// Value and unit of each figure.
    figures: Vec<(f64, &'a str)>,
}

/// Reads each line of a benchmark. With `-count`, the first line of each benchmark belongs to the
/// first launch, the second line to the second. A benchmark with failed parts is left out: the parts
/// are failed benchmarks.
///
/// # Errors
///
/// Fails if a line that begins like a result is not one, or if there is no result.
pub(super) fn parse_go_testing(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let text = if text.trim_start().starts_with('{') { join_events(text)? } else { text.into() };
    let mut run = RunCollector::new("go");
    // The names are read first, so that the results need not be kept until the last name is known.
    let procs = find_shared_procs(list_lines(&text).filter_map(|(_, line)| find_result_name(line)));
    run.add_condition("gomaxprocs", procs);
    let full_name = |package: &str, name: &str| {
        let bare = procs.and_then(|procs| name.strip_suffix(procs)?.strip_suffix('-'));
        format!("{package}{}", bare.unwrap_or(name))
    };
    let mut package = String::new();
    let mut failures = Vec::new();
    let mut lines = list_lines(&text).peekable();
    while let Some((number, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("pkg: ") {
            package = format!("{name}/");
        }
        if let Some(name) = find_failed_name(line) {
            // The first line of its log follows, with a deeper margin.
            let log = lines.peek().filter(|(_, next)| next.starts_with("    "));
            let sentence = log.map_or(FAILED_SENTENCE, |(_, next)| next.trim());
            failures.push((package.clone(), name, sentence));
            continue;
        }
        let result =
            parse_result(line).map_err(|cause| AdapterError::Line { line: number, cause })?;
        if let Some(GoResult { name, iterations, figures }) = result {
            add_result(&mut run, &full_name(&package, name), iterations, figures)?;
        }
    }
    for (package, name, sentence) in &failures {
        let is_parent = failures.iter().any(|(other_package, other, _)| {
            other_package == package
                && other.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
        });
        if !is_parent {
            let name = full_name(package, name);
            run.add_failure(run.count_launches_of(&name), &name, sentence)?;
        }
    }
    run.finish()
}

/// Returns the name of the benchmark that failed according to `line`. Returns `None` if the line is
/// another one.
///
/// A benchmark that fails in its first call has a line that begins so; else its name comes first.
fn find_failed_name(line: &str) -> Option<&str> {
    let (before, name) = line.split_once(FAILED_MARK)?;
    let is_mark = before.is_empty() || before.starts_with(NAME_START);
    name.split_whitespace().next().filter(|name| is_mark && name.starts_with(NAME_START))
}

/// Joins the output of `go test -json`, package by package: those of several packages are mixed, and
/// a line may come in parts.
fn join_events(text: &str) -> Result<Cow<'_, str>, AdapterError> {
    let mut packages: BTreeMap<String, String> = BTreeMap::new();
    for (number, line) in list_lines(text) {
        let event: GoEvent<'_> = parse_json_line(number, line)?;
        if let Some(output) = event.output {
            packages.entry(event.package.into_owned()).or_default().push_str(&output);
        }
    }
    Ok(packages.into_values().collect::<Vec<_>>().join("\n").into())
}

/// Returns the name of the benchmark whose result `line` is. Returns `None` if it is not the result
/// of a benchmark.
fn find_result_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let name = words.next().filter(|name| name.starts_with(NAME_START))?;
    words.next()?.parse::<u64>().ok().map(|_| name)
}

/// Parses a line. Returns `None` if it is not the result of a benchmark.
fn parse_result(line: &str) -> Result<Option<GoResult<'_>>, String> {
    let mut words = line.split_whitespace();
    let Some(name) = words.next().filter(|name| name.starts_with(NAME_START)) else {
        return Ok(None);
    };
    // With `-v`, the name alone comes first. Other output may follow it.
    let Some(iterations) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
        return Ok(None);
    };
    let mut figures = Vec::new();
    while let Some(value) = words.next() {
        let unit = words.next().ok_or_else(|| format!("`{value}` has no unit"))?;
        figures.push((parse_number(value)?, unit));
    }
    if figures.is_empty() {
        return Err("the benchmark has no figures".to_owned());
    }
    Ok(Some(GoResult { name, iterations: iterations as f64, figures }))
}

/// Returns the number of threads that Go appends to all names, as text. Returns `None` if they differ
/// or if there is none: then it stays part of the name.
fn find_shared_procs<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut procs = names.map(|name| {
        let (_, suffix) = name.rsplit_once('-')?;
        suffix.bytes().all(|byte| byte.is_ascii_digit()).then_some(suffix)
    });
    let first = procs.next()??;
    procs.all(|other| other == Some(first)).then_some(first)
}

fn add_result(
    run: &mut RunCollector,
    name: &str,
    iterations: f64,
    figures: Vec<(f64, &str)>,
) -> Result<(), AdapterError> {
    let Some(nanos) = figures.iter().find(|(_, unit)| *unit == "ns/op").map(|figure| figure.0)
    else {
        run.leave_out(name);
        return Ok(());
    };
    let mut entry = AdapterEntry::of_mean(name, nanos, 1.0, Some(iterations));
    for (value, unit) in figures {
        entry = match unit {
            "ns/op" => entry,
            "B/op" => entry.with_metric("allocated_bytes", Some(value)),
            "allocs/op" => entry.with_metric("allocations", Some(value)),
            "MB/s" => entry.with_amount("bytes", find_bytes_per_call(value, nanos)),
            unit => entry.with_counters([(make_metric_name(&unit.replace('/', "_per_")), value)]),
        };
    }
    run.add(run.count_launches_of(name), entry)
}

/// Returns how many bytes a call handles, from the throughput in MB/s and the time of a call in
/// nanoseconds. Both are rounded, so it is `None` unless a single whole number fits.
fn find_bytes_per_call(megabytes: f64, nanos: f64) -> Option<f64> {
    // Go prints two decimals of the throughput, and at least four digits of the time.
    const THROUGHPUT_ERROR: f64 = 0.005;
    const TIME_ERROR: f64 = 0.0005;
    let bytes = |megabytes: f64, nanos: f64| megabytes * nanos / 1e3;
    let low = bytes(megabytes - THROUGHPUT_ERROR, nanos * (1.0 - TIME_ERROR));
    let high = bytes(megabytes + THROUGHPUT_ERROR, nanos * (1.0 + TIME_ERROR));
    let whole = bytes(megabytes, nanos).round();
    (low > whole - 1.0 && high < whole + 1.0 && whole >= 1.0).then_some(whole)
}
